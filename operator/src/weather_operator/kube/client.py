"""The Kubernetes API in a few verbs that speak dictionaries and raise errors of our own.

`connect` finds the credentials and opens a `Connection`: one pool to one API server, which sends a
request, sends it again with fresh credentials after a 401, and turns every other failure into an
error of `kube.errors`. On it stands a `Client`, which knows the verbs: what path, what method and
what query an apply, a list or a watch is. Whatever takes a Client needs no more than its methods.
"""

import json
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import aiohttp
from kubernetes.aio import client, config

from weather_operator.kube.clock import ServerClock
from weather_operator.kube.errors import (
    ApiError,
    RefusedError,
    UnavailableError,
    UnconfiguredError,
    error_of,
)
from weather_operator.kube.resources import Key, Kind, Manifest, key_of

log = logging.getLogger(__name__)

Observe = Callable[[str, str, int], None]
"""Called after each request: verb, plural of the kind, status code (0 where nothing answered)."""

_Call = tuple[Any, Any, Any, Any, Any]
"""What the library's `call_api` takes: method, URL, headers, body, form."""

_JSON = "application/json"
_APPLY = "application/apply-patch+yaml"
_REQUEST_SECONDS = 30
_FOLLOW_SECONDS = 240
_PAGE = 500


class Client:
    """The verbs of one API server; what it does not grant is raised as an ApiError."""

    def __init__(self, connection: "Connection") -> None:
        self.connection = connection

    async def apply(
        self, kind: Kind, manifest: Manifest, *, manager: str, force: bool, subresource: str = ""
    ) -> Manifest:
        """Apply a manifest as the manager and return the live object."""
        return await self.connection.request(
            "PATCH",
            "apply",
            kind,
            path_of(kind, key_of(manifest), subresource),
            query={"fieldManager": manager, "force": str(force).lower()},
            body=manifest,
            content_type=_APPLY,
        )

    async def get(self, kind: Kind, key: Key) -> Manifest | None:
        """Return the object, None where there is none."""
        try:
            return await self.connection.request("GET", "get", kind, path_of(kind, key))
        except RefusedError as error:
            if error.status == 404:
                return None
            raise

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest:
        """Create an object; one that exists already is a ConflictError."""
        path = path_of(kind, Key(namespace=key_of(manifest).namespace, name=""))
        return await self.connection.request("POST", "create", kind, path, body=manifest)

    async def replace(self, kind: Kind, key: Key, body: Manifest) -> Manifest:
        """Replace an object; one that is past the body's resourceVersion is a ConflictError."""
        return await self.connection.request("PUT", "replace", kind, path_of(kind, key), body=body)

    async def delete(self, kind: Kind, key: Key, *, uid: str) -> None:
        """Delete the object of this uid; none there is as good, another one is a ConflictError."""
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        try:
            await self.connection.request("DELETE", "delete", kind, path_of(kind, key), body=body)
        except RefusedError as error:
            if error.status != 404:
                raise

    async def list(
        self, kind: Kind, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> tuple[list[Manifest], str]:
        """Return the objects of a kind and the resourceVersion of the list."""
        found: list[Manifest] = []
        selection = {"labelSelector": labels, "fieldSelector": fields, "limit": str(_PAGE)}
        query = {name: value for name, value in selection.items() if value}
        while True:
            path = path_of(kind, Key(namespace=namespace, name=""))
            page = await self.connection.request("GET", "list", kind, path, query=query)
            found += page["items"]
            if not (token := page["metadata"].get("continue")):
                return found, page["metadata"]["resourceVersion"]
            query["continue"] = token

    async def follow(
        self, kind: Kind, key: Key, *, since: str
    ) -> AsyncGenerator[Manifest | None, None]:
        """Yield each state of one object after a resourceVersion, None once it is deleted.

        Ends after some minutes, or when the server says so.
        """
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={key.name}",
            "resourceVersion": since,
            "timeoutSeconds": str(_FOLLOW_SECONDS),
        }
        path = path_of(kind, Key(namespace=key.namespace, name=""))
        events = self.connection.stream(kind, path, query, seconds=_FOLLOW_SECONDS)
        async with aclosing(events):
            async for event in events:
                yield None if event["type"] == "DELETED" else event["object"]

    async def serves(self, kinds: Sequence[Kind]) -> bool:
        """Tell whether the API server knows all these kinds of one group."""
        group = kinds[0]
        path = f"/apis/{group.api_version}"
        try:
            answer = await self.connection.request("GET", "discover", group, path)
        except RefusedError as error:
            if error.status == 404:
                return False
            raise
        served = {each["name"] for each in answer["resources"]}
        return served.issuperset(kind.plural for kind in kinds)


def path_of(kind: Kind, key: Key, subresource: str = "") -> str:
    """Return where an object is served; without a name, where its kind is."""
    root = "/apis/" if "/" in kind.api_version else "/api/"
    parts = [root + kind.api_version]
    if key.namespace:
        parts += ["namespaces", key.namespace]
    parts += [kind.plural, key.name, subresource]
    return "/".join(part for part in parts if part)


@asynccontextmanager
async def connect(*, user_agent: str, observe: Observe) -> AsyncIterator["Connection"]:
    """Open a connection with the service account's credentials, else the kubeconfig's.

    Raises UnconfiguredError.
    """
    configuration = client.Configuration(
        connection_pool_maxsize=40,
        # Proxies from the environment go, and half of the CPU per request with them.
        client_session_kwargs={"trust_env": False},
    )
    await _load_credentials(configuration)
    connection = Connection(configuration, user_agent=user_agent, observe=observe)
    try:
        yield connection
    finally:
        await connection.close()


class Connection:
    """One pool to one API server, which logs once that it does not answer, and once that it does.

    `configuration` holds the server's address and the credentials of the moment.
    """

    def __init__(
        self, configuration: client.Configuration, *, user_agent: str, observe: Observe
    ) -> None:
        self.configuration = configuration
        self._api_client = client.ApiClient(configuration)
        self._api_client.user_agent = user_agent
        self._observe = observe
        self._reachable = True
        self._server_clock = ServerClock()

    def server_time(self) -> str:
        """Return the API server's time in RFC 3339, of this machine before any answer."""
        return self._server_clock.now()

    async def reload_credentials(self) -> None:
        """Read the credentials again: a token may have run out."""
        await _load_credentials(self.configuration)

    async def request(
        self,
        method: str,
        verb: str,
        kind: Kind,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = _JSON,
    ) -> Manifest:
        """Return the decoded answer; tries once more if the credentials ran out. Raises ApiError.

        `verb` and `kind` are what the request is counted under.
        """
        arguments = (method, path, query or {}, body, content_type)
        answer = await self._send(verb, kind, *arguments)
        if answer.status == 401:
            await self.reload_credentials()
            answer = await self._send(verb, kind, *arguments)
        if answer.status >= 300:
            raise await _error(answer)
        decoded: Manifest = json.loads(answer.data)
        return decoded

    async def stream(
        self, kind: Kind, path: str, query: Mapping[str, str], *, seconds: float
    ) -> AsyncGenerator[Manifest, None]:
        """Yield the events of a watch, which the server ends in `seconds`. Raises ApiError."""
        try:
            prepared = await self._prepare("GET", path, query, None, _JSON)
            longest = seconds + _REQUEST_SECONDS
            answer = await self._api_client.call_api(*prepared, _request_timeout=longest)
            self._observe("watch", kind.plural, answer.status)
            if answer.status >= 300:
                raise await _error(answer)
            async with answer.response as response:
                async for line in response.content:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise error_of(
                            event["object"].get("code", 500), json.dumps(event["object"]).encode()
                        )
                    yield event
        except (TimeoutError, aiohttp.ClientError, ssl.SSLError) as error:
            raise _unreachable(error) from error

    async def close(self) -> None:
        """Close the pool."""
        await self._api_client.close()  # type: ignore[no-untyped-call] # the library's own

    async def _send(
        self,
        verb: str,
        kind: Kind,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Manifest | None,
        content_type: str,
    ) -> Any:
        """Return the library's answer, read."""
        prepared = await self._prepare(method, path, query, body, content_type)
        try:
            answer = await self._api_client.call_api(*prepared, _request_timeout=_REQUEST_SECONDS)
            await answer.read()  # type: ignore[no-untyped-call] # the library's own
        except (TimeoutError, aiohttp.ClientError, ssl.SSLError) as error:
            self._observe(verb, kind.plural, 0)
            self._log_reachability(False, _describe(error))
            raise _unreachable(error) from error
        self._observe(verb, kind.plural, answer.status)
        self._server_clock.set(answer.headers.get("Date", ""))
        self._log_reachability(True)
        return answer

    async def _prepare(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Manifest | None,
        content_type: str,
    ) -> _Call:
        call: _Call = await self._api_client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            body=body,
            header_params={"Accept": _JSON, "Content-Type": content_type},
            auth_settings=["BearerToken"],
        )
        return call

    def _log_reachability(self, reachable: bool, error: str = "") -> None:
        if reachable == self._reachable:
            return
        self._reachable = reachable
        server = {"server": self.configuration.host}
        if reachable:
            log.info("the API server answers again", extra=server)
        else:
            log.warning("the API server does not answer", extra={**server, "error": error})


async def _load_credentials(configuration: client.Configuration) -> None:
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call] # the library's own
    except config.ConfigException:
        try:
            await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call] # the library's own
        except (config.ConfigException, OSError, ValueError) as error:
            raise UnconfiguredError(str(error)) from error


async def _error(answer: Any) -> ApiError:
    after = answer.headers.get("Retry-After", "")
    return error_of(answer.status, await answer.read(), int(after) if after.isdecimal() else 0)


def _unreachable(error: Exception) -> UnavailableError:
    return UnavailableError(0, "Unreachable", f"no answer from the API server: {_describe(error)}")


def _describe(error: Exception) -> str:
    """A timeout has no text of its own."""
    return str(error) or type(error).__name__
