"""What answers at a load balancer's address, by what its data plane knows.

It knows what the controller did with a lag. A target that was deregistered gets no new requests;
without a healthy target all unhealthy ones are asked; without any the answer is 503. A target that
does not answer is a 502 and is not tried again, and one that takes too long a 504. A connection to
a target that nobody needs is kept for a minute. Of a Network Load Balancer a new connection goes to
a target of the same choice, and without any it is reset.
"""

import asyncio
import random
import ssl
import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

import aiohttp
from aiohttp import web
from support.load_balancer_model import Group, LoadBalancer

_IDLE_SECONDS = 60
_HOPS = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the control plane knew at a time: the load balancers, the targets of each group."""

    at: float
    load_balancers: Mapping[str, LoadBalancer]
    targets: Mapping[Group, Mapping[str, str]]


@dataclass(slots=True, kw_only=True)
class DataPlane:
    """Listeners by load balancer and port."""

    tls: ssl.SSLContext
    lag: float
    snapshots: deque[Snapshot] = field(default_factory=deque)
    sites: dict[tuple[str, int], web.ServerRunner] = field(default_factory=dict)
    servers: dict[tuple[str, int], asyncio.Server] = field(default_factory=dict)
    passing: set[asyncio.Task[None]] = field(default_factory=set)

    def session(self) -> aiohttp.ClientSession:
        """Return what requests are sent on with: it keeps connections, and repeats nothing."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS)
        session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        )
        session._retry_connection = False
        return session

    def learn(self, snapshot: Snapshot) -> None:
        """Take up what the control plane knows now, to go by it when the lag is over."""
        self.snapshots.append(snapshot)
        while len(self.snapshots) > 1 and self.snapshots[1].at <= time.monotonic() - self.lag:
            self.snapshots.popleft()

    async def listen(
        self, name: str, address: str, ports: Mapping[int, bool], session: aiohttp.ClientSession
    ) -> None:
        """Listen on these ports of a load balancer, and on no others."""
        for port in [port for known, port in self.sites if known == name and port not in ports]:
            await self.sites.pop((name, port)).cleanup()
        for port, speaks_tls in ports.items():
            if (name, port) in self.sites:
                continue

            async def handle(
                request: web.BaseRequest, port: int = port, speaks_tls: bool = speaks_tls
            ) -> web.StreamResponse:
                return await self._answer(name, port, speaks_tls, request, session)

            runner = web.ServerRunner(web.Server(handle, access_log=None))
            await runner.setup()
            context = self.tls if speaks_tls else None
            await web.TCPSite(runner, address, port, ssl_context=context).start()
            self.sites[name, port] = runner

    async def forward(self, name: str, address: str, ports: Collection[int]) -> None:
        """Pass connections to these ports of a load balancer on, and to no others."""
        for port in [port for known, port in self.servers if known == name and port not in ports]:
            self.servers.pop((name, port)).close()
        for port in ports:
            if (name, port) not in self.servers:
                connected = partial(self._connected, name, port)
                self.servers[name, port] = await asyncio.start_server(connected, address, port)

    async def _connected(
        self, name: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Keep what passes a connection on: nothing else refers to it."""
        task = asyncio.current_task()
        assert task
        self.passing.add(task)
        task.add_done_callback(self.passing.discard)
        await self._pass_on(name, port, reader, writer)

    async def _pass_on(
        self, name: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        known = self.snapshots[0]
        balancer = known.load_balancers.get(name)
        group = balancer.forwards.get(port) if balancer else None
        targets = known.targets.get(group, {}) if group else {}
        usable = _usable(targets)
        if not usable:
            writer.transport.abort()
            return
        host, _, target_port = random.choice(usable).rpartition(":")
        try:
            async with asyncio.timeout(10):
                inward, outward = await asyncio.open_connection(host, int(target_port))
        except OSError:
            writer.transport.abort()
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, outward))
                both.create_task(_copy(inward, writer))
        except* OSError:
            writer.transport.abort()
        finally:
            outward.close()
            writer.close()

    async def _answer(
        self,
        name: str,
        port: int,
        speaks_tls: bool,
        request: web.BaseRequest,
        session: aiohttp.ClientSession,
    ) -> web.Response:
        known = self.snapshots[0]
        balancer = known.load_balancers.get(name)
        if balancer is None or port not in balancer.listeners:
            return web.Response(status=503, text="the listener is on its way\n")
        host = request.host.split(":")[0]
        if balancer.redirect and not speaks_tls:
            where = f"https://{host}:{balancer.redirect}{request.raw_path}"
            return web.Response(status=301, headers={"Location": where})
        rule = next((each for each in balancer.rules if each.matches(host, request.path)), None)
        if rule is None:
            return web.Response(status=404, text="no rule\n")
        groups, weights = zip(*rule.groups, strict=True)
        if not any(weights):
            return web.Response(status=503, text="all weights are 0\n")
        (group,) = random.choices(groups, weights)
        targets = known.targets.get(group, {})
        usable = _usable(targets)
        if not usable:
            return web.Response(status=503, text=f"no target: {dict(targets)}\n")
        forwarded = {
            "X-Forwarded-For": request.remote or "",
            "X-Forwarded-Port": str(port),
            "X-Forwarded-Proto": "https" if speaks_tls else "http",
        }
        return await _ask(session, random.choice(usable), request, forwarded)


def _usable(targets: Mapping[str, str]) -> list[str]:
    """Return the healthy targets, those that are not where none is; new ones get nothing yet."""
    healthy = [each for each, state in targets.items() if state == "healthy"]
    return healthy or [each for each, state in targets.items() if state == "unhealthy"]


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes until its end, which is passed on too."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def _ask(
    session: aiohttp.ClientSession,
    target: str,
    request: web.BaseRequest,
    forwarded: Mapping[str, str],
) -> web.Response:
    headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOPS}
    try:
        async with session.request(
            request.method,
            f"http://{target}{request.raw_path}",
            headers={**headers, **forwarded},
            data=await request.read() or None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=60, sock_connect=10),
        ) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in _HOPS}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)
    except TimeoutError:
        return web.Response(status=504, text=f"{target} timed out\n")
    except (aiohttp.ClientError, OSError) as error:
        return web.Response(status=502, text=f"{target}: {error!r}\n")


async def is_healthy(session: aiohttp.ClientSession, target: str, path: str) -> bool:
    """Ask a target as a health check does; without a path it only has to take a connection."""
    try:
        if not path:
            host, _, port = target.rpartition(":")
            async with asyncio.timeout(5):
                _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            return True
        timeout = aiohttp.ClientTimeout(total=5)
        async with session.get(f"http://{target}{path}", timeout=timeout) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, OSError):
        return False
