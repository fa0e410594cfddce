"""The way to the API server: credentials, a request, a stream, and what is said of an outage."""

import json
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from kubernetes.aio import client, config

from weather_operator.errors import ApiError, UnavailableError, UnconfiguredError, error_of
from weather_operator.kinds import Kind, Manifest

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
        self._client = client.ApiClient(configuration)
        self._client.user_agent = "weather-operator"
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
            answer = await self._client.call_api(*prepared, _request_timeout=longest)
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
        await self._client.close()  # type: ignore[no-untyped-call] # the library's own

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
            answer = await self._client.call_api(*prepared, _request_timeout=_REQUEST_SECONDS)
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
        call: _Call = await self._client.param_serialize(
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
