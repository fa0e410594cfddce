"""The Kubernetes API in a few verbs that speak dictionaries and raise errors of our own."""

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import aiohttp
from kubernetes.aio import client, config

from weather_operator.kube.errors import (
    ApiError,
    RefusedError,
    UnavailableError,
    UnconfiguredError,
    error_of,
)
from weather_operator.kube.resources import Key, Kind, Manifest

log = logging.getLogger(__name__)

Observe = Callable[[str, str, int], None]
"""Told of each request: verb, plural of the kind, status code (0 where nothing answered)."""

_Call = tuple[Any, Any, Any, Any, Any]
"""What the library's `call_api` takes: method, URL, headers, body, form."""

_JSON = "application/json"
_REQUEST_SECONDS = 30


class Connection:
    """One pool to one API server. Says once that it does not answer, once that it does again."""

    def __init__(self, configuration: client.Configuration, *, observe: Observe) -> None:
        self.configuration = configuration
        self._api_client = client.ApiClient(configuration)
        self._api_client.user_agent = "weather-operator"
        self._observe = observe
        self._reachable = True

    async def log_in(self) -> None:
        """Read the credentials again: a token may have run out."""
        await _load(self.configuration)

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
        """Return the answer, asked for once more if the credentials ran out. Raises ApiError."""
        arguments = (method, path, query or {}, body, content_type)
        answer = await self._send(verb, kind, *arguments)
        if answer.status == 401:
            await self.log_in()
            answer = await self._send(verb, kind, *arguments)
        if answer.status >= 300:
            raise await _error(answer)
        told: Manifest = json.loads(answer.data)
        return told

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
        """Close the connections."""
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
            self._say_reachable(False, _words(error))
            raise _unreachable(error) from error
        self._observe(verb, kind.plural, answer.status)
        self._say_reachable(True)
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

    def _say_reachable(self, reachable: bool, words: str = "") -> None:
        if reachable == self._reachable:
            return
        self._reachable = reachable
        server = {"server": self.configuration.host}
        if reachable:
            log.info("the API server answers again", extra=server)
        else:
            log.warning("the API server does not answer", extra={**server, "error": words})


@asynccontextmanager
async def connect(*, observe: Observe) -> AsyncIterator[Connection]:
    """Give a connection with the service account's credentials, else the kubeconfig's.

    Raises UnconfiguredError.
    """
    configuration = client.Configuration(
        connection_pool_maxsize=40,
        # Proxies from the environment go, and half of the CPU per request with them.
        client_session_kwargs={"trust_env": False},
    )
    await _load(configuration)
    connection = Connection(configuration, observe=observe)
    try:
        yield connection
    finally:
        await connection.close()


async def _load(configuration: client.Configuration) -> None:
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
    return UnavailableError(0, "Unreachable", f"no answer from the API server: {_words(error)}")


def _words(error: Exception) -> str:
    """A timeout has no words of its own."""
    return str(error) or type(error).__name__


_APPLY = "application/apply-patch+yaml"
_FOLLOW_SECONDS = 240
_PAGE = 500


class Client:
    """What can be asked of one API server; what it does not grant is raised as an ApiError."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def apply(
        self, kind: Kind, manifest: Manifest, *, manager: str, force: bool, subresource: str = ""
    ) -> Manifest:
        """Apply a manifest as the manager and return the live object."""
        metadata = manifest["metadata"]
        key = Key(namespace=metadata.get("namespace", ""), name=metadata["name"])
        return await self.connection.request(
            "PATCH",
            "apply",
            kind,
            path_of(kind, key, subresource),
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
        path = path_of(kind, Key(namespace=manifest["metadata"]["namespace"], name=""))
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


async def wait_until_served(client: Client, kinds: Sequence[Kind], *, every: float = 1) -> None:
    """Wait, without limit, until the API server answers and knows the kinds; say once what for."""
    said = False
    while True:
        try:
            if await client.serves(kinds):
                return
            if not said:
                log.warning(
                    "the custom resource definitions are not installed: apply those in crds/",
                    extra={"kinds": [kind.name for kind in kinds]},
                )
                said = True
        except UnavailableError:
            pass  # said by the connection itself
        await asyncio.sleep(every)
