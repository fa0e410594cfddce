"""A connection to one API server: credentials, a pool, and errors of our own.

`connect` finds the credentials and opens a `Connection`, which sends requests and turns every
failure into an error of `kube.errors`. What clusters do to a connection ends here:

- Credentials run out, certificates are renewed: after a 401, or where the server's certificate
  cannot be verified, they are read again and the request is sent once more.
- A peer goes away without a word: the kernel asks after it and gives up within seconds. Where
  something in between answers the kernel and nobody else, requests hang on whatever was opened
  before: so each renewal of a Lease has a connection that is new.
- Another process leads meanwhile: `may_write` is asked at the last moment before a write goes out,
  once there is a connection for it, since whatever comes before that can take any time.
- The process is to end: a write that was begun is waited for, though its caller is cancelled.
  `has_open_writes` tells of those that were not answered even so.
"""

import asyncio
import hashlib
import json
import logging
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar, copy_context
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from kubernetes.aio import client, config
from yaml import YAMLError

from weather_operator.kube.clock import ServerClock, boot_seconds
from weather_operator.kube.errors import (
    TIMED_OUT,
    ApiError,
    NotLeadingError,
    UnavailableError,
    UnconfiguredError,
    error_of,
    object_in,
)
from weather_operator.kube.resources import LEASE, Kind, Manifest

log = logging.getLogger(__name__)

Observe = Callable[[str, str, int], None]
"""Called after each request: verb, plural of the kind, status code (0 where nothing answered)."""

_Call = tuple[Any, Any, Any, Any, Any]
"""What the library's `call_api` takes: method, URL, headers, body, form."""

_JSON = "application/json"
_REQUEST_SECONDS = 30
_LAST_WRITE_SECONDS = 5
_POOL_SIZE = 40
_LONGEST_QUOTE = 100

_PROBES = (
    # Nothing heard for 5 s, and no answer to three questions after that.
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 5),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 2),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
    # What was sent and not acknowledged is not sent for longer than another needs to lead.
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 4000),
)


_UNREADABLE = (config.ConfigException, YAMLError, OSError, ValueError, TypeError, LookupError)
"""What the library raises about a kubeconfig, of which it expects one."""


class _Pool(NamedTuple):
    """The library's client, and the connections that it sends over."""

    api_client: client.ApiClient
    connector: aiohttp.TCPConnector


_is_write: ContextVar[bool] = ContextVar("is_write", default=False)


@asynccontextmanager
async def connect(
    *, user_agent: str, observe: Observe, pool_size: int = _POOL_SIZE
) -> AsyncIterator["Connection"]:
    """Open a connection with the service account's credentials, else the kubeconfig's.

    Requests beyond the pool's size wait. Raises UnconfiguredError.
    """
    configuration = client.Configuration(connection_pool_maxsize=pool_size)
    await _load_credentials(configuration)
    connection = Connection(configuration, user_agent=user_agent, observe=observe)
    try:
        yield connection
    finally:
        await connection.close()


class Connection:
    """One pool to one API server, which logs once that it does not answer, and once that it does.

    `configuration` holds the server's address and the credentials of the moment; `renewed` is set,
    and another in its place, when its certificates have changed. `may_write` says whether this
    process may change anything but Leases; it may unless somebody says otherwise.
    """

    def __init__(
        self, configuration: client.Configuration, *, user_agent: str, observe: Observe
    ) -> None:
        self.configuration = configuration
        self.may_write: Callable[[], bool] = lambda: True
        self.renewed = asyncio.Event()
        self._user_agent = user_agent
        self._observe = observe
        self._silent_since: float | None = None
        self._server_clock = ServerClock()
        self._reloading = asyncio.Lock()
        self._reloads = 0
        self._cut_off_at: float | None = None
        self._open()

    def server_time(self) -> str:
        """Return the API server's time in RFC 3339, of this machine before any answer."""
        return self._server_clock.now()

    def has_open_writes(self) -> bool:
        """Tell whether a write may still be carried out whose answer was not waited for."""
        return self._cut_off_at is not None and boot_seconds() - self._cut_off_at < _REQUEST_SECONDS

    def silent_seconds(self) -> float:
        """Return for how long every request has failed without an answer; 0 after an answer."""
        return boot_seconds() - self._silent_since if self._silent_since is not None else 0

    async def authorization(self) -> str:
        """Return the Authorization header's value, empty where a certificate identifies us."""
        value: str | None = await self.configuration.get_api_key_with_prefix("BearerToken")
        return value or ""

    def session(self, authorization: str, *, on_list: Callable[[], None]) -> aiohttp.ClientSession:
        """Return a session for another library, to be closed by whoever asked for it.

        `on_list` is called when a list, or a page of one, has been answered.
        """

        async def answered(_: object, __: object, request: aiohttp.TraceRequestEndParams) -> None:
            if "limit" in request.url.query and request.response.ok:
                on_list()

        tracing = aiohttp.TraceConfig()
        tracing.on_request_end.append(answered)
        return aiohttp.ClientSession(
            connector=_new_connector(0, self._pool.api_client.rest_client.ssl_context),
            headers={"Authorization": authorization} if authorization else {},
            trace_configs=[tracing],
        )

    async def reload_credentials(self) -> None:
        """Read the credentials again: a token may have run out, a certificate been replaced.

        Those that cannot be read just now leave the former ones as they are.
        """
        certificates, pools = self._certificates, self._pools
        try:
            await _load_credentials(self.configuration)
            self._open(unless=certificates)
        except UnconfiguredError as error:
            log.warning("the credentials cannot be read again", extra={"error": str(error)})
            return
        if certificates != self._certificates:
            log.info("the certificates have changed", extra={"server": self.configuration.host})
            renewed, self.renewed = self.renewed, asyncio.Event()
            renewed.set()
            await _close(pools)

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
        """Return the decoded answer. Raises ApiError, of it NotLeadingError for a write.

        It tries once more where that may be due to the credentials. `verb` and `kind` are what the
        request is counted under.
        """
        send = self._send if method == "GET" or kind is LEASE else self._send_write
        answer = await self._send_twice(
            send, verb, kind, method, path, query or {}, body, content_type
        )
        if answer.status >= 300:
            raise await _error(answer)
        return _object_in(answer)

    async def stream(
        self, kind: Kind, path: str, query: Mapping[str, str], *, seconds: float
    ) -> AsyncGenerator[Manifest, None]:
        """Yield the events of a watch, which the server ends in `seconds`. Raises ApiError."""
        try:
            prepared = await self._prepare("GET", path, query, None, _JSON)
            longest = seconds + _REQUEST_SECONDS
            answer = await self._pool.api_client.call_api(*prepared, _request_timeout=longest)
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
        except (TimeoutError, aiohttp.ClientError, ssl.SSLError, ValueError) as error:
            raise _unreachable(error) from error

    async def close(self) -> None:
        """Close the pool."""
        await _close(self._pools)

    def _open(self, *, unless: str = "") -> None:
        """Open the pools, unless the certificates are these.

        Raises UnconfiguredError, and then everything is as it was.
        """
        try:
            if (certificates := _certificates(self.configuration)) == unless:
                return
            pool = self._new_pool(self.configuration)
            unpooled = self._new_pool(copy(self.configuration), reuse=False)
        except OSError as error:  # of files, and of what is in them
            raise UnconfiguredError(f"the certificates cannot be used: {error}") from error
        self._certificates, self._pool, self._unpooled = certificates, pool, unpooled
        self._pools = (pool, unpooled)

    def _new_pool(self, configuration: client.Configuration, *, reuse: bool = True) -> _Pool:
        api_client = client.ApiClient(configuration)
        api_client.user_agent = self._user_agent
        limit, tls = configuration.connection_pool_maxsize, api_client.rest_client.ssl_context
        connector = _new_connector(limit, tls, reuse=reuse)
        configuration.client_session_kwargs = {
            # Proxies from the environment go, and half of the CPU per request with them.
            "trust_env": False,
            "connector": connector,
            "trace_configs": [self._tracing()],
        }
        return _Pool(api_client, connector)

    def _tracing(self) -> aiohttp.TraceConfig:
        tracing = aiohttp.TraceConfig()

        async def check(*_unused: object) -> None:
            if _is_write.get() and not self.may_write():
                raise NotLeadingError

        tracing.on_request_start.append(check)
        tracing.on_connection_create_end.append(check)
        tracing.on_connection_reuseconn.append(check)
        return tracing

    async def _send_twice(self, send: Callable[..., Any], *arguments: object) -> Any:
        """Send a request, and once more with credentials of now where the former did not do."""
        reloads = self._reloads
        try:
            answer = await send(*arguments)
            if answer.status != 401:
                return answer
        except UnavailableError as error:
            if not isinstance(error.__cause__, ssl.SSLError | aiohttp.ClientSSLError):
                raise
        async with self._reloading:
            # Of many that fail at once, one reads them for all.
            if self._reloads == reloads:
                await self.reload_credentials()
                self._reloads += 1
        return await send(*arguments)

    async def _send_write(self, *arguments: Any) -> Any:
        """Send a request that changes something; wait for its answer even if cancelled."""
        context = copy_context()
        context.run(_is_write.set, True)
        sending = asyncio.create_task(self._send(*arguments), context=context)
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            await asyncio.wait([sending], timeout=_LAST_WRITE_SECONDS)
            if not sending.done():
                self._cut_off_at = boot_seconds()
                sending.cancel()
            elif not sending.cancelled():
                sending.exception()  # taken, so that nobody misses it
            raise

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
            pool = self._unpooled if kind is LEASE else self._pool
            answer = await pool.api_client.call_api(*prepared, _request_timeout=_REQUEST_SECONDS)
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
        try:
            call: _Call = await self._pool.api_client.param_serialize(
                method,
                path,
                query_params=list(query.items()),
                body=body,
                header_params={"Accept": _JSON, "Content-Type": content_type},
                auth_settings=["BearerToken"],
            )
        except (config.ConfigException, OSError) as error:
            # The token's file is read now and then, and may be just being replaced.
            raise UnavailableError(0, "NoCredentials", f"no token to send: {error}") from error
        return call

    def _log_reachability(self, reachable: bool, error: str = "") -> None:
        if reachable == (self._silent_since is None):
            return
        self._silent_since = None if reachable else boot_seconds()
        server = {"server": self.configuration.host}
        if reachable:
            log.info("the API server answers again", extra=server)
        else:
            log.warning("the API server does not answer", extra={**server, "error": error})


def _probed_socket(address: Any) -> socket.socket:
    """Return a socket whose peer may not be silent for long; what a system lacks is left out."""
    family, type_, protocol, *_ = address
    made = socket.socket(family, type_, protocol)
    for level, name, value in _PROBES:
        if hasattr(socket, name):
            made.setsockopt(level, getattr(socket, name), value)
    return made


def _new_connector(limit: int, tls: ssl.SSLContext, *, reuse: bool = True) -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(
        limit=limit, ssl=tls, socket_factory=_probed_socket, force_close=not reuse
    )


async def _close(pools: Iterable[_Pool]) -> None:
    for pool in pools:
        await pool.api_client.close()  # type: ignore[no-untyped-call] # the library's own
        await pool.connector.close()


async def _load_credentials(configuration: client.Configuration) -> None:
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call] # the library's own
    except config.ConfigException:
        try:
            await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call] # the library's own
        except _UNREADABLE as error:
            words = " ".join(str(error).split())
            raise UnconfiguredError(f"the kubeconfig cannot be used: {words}") from error


def _certificates(configuration: client.Configuration) -> str:
    """Return what changes when a certificate or a key that we use does."""
    digest = hashlib.sha256(str(configuration.ca_cert_data).encode())
    for file in (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file):
        digest.update(Path(file).read_bytes() if file else b"")
    return digest.hexdigest()


def _object_in(answer: Any) -> Manifest:
    """Return the object of an answer; what has none comes from something in between."""
    if (found := object_in(answer.data)) is not None:
        return found
    message = f"something answers in the API server's place: {answer.data[:_LONGEST_QUOTE]!r}"
    raise UnavailableError(answer.status, "Unavailable", message)


async def _error(answer: Any) -> ApiError:
    after = answer.headers.get("Retry-After", "")
    return error_of(answer.status, await answer.read(), int(after) if after.isdecimal() else 0)


def _unreachable(error: Exception) -> UnavailableError:
    reason = TIMED_OUT if isinstance(error, TimeoutError) else "Unreachable"
    return UnavailableError(0, reason, f"no answer from the API server: {_describe(error)}")


def _describe(error: Exception) -> str:
    """A timeout has no text of its own."""
    return str(error) or type(error).__name__
