"""A proxy between the operator's process and the real API server that does harm on request.

The operator speaks plain HTTP to it, it speaks TLS to the server with the kubeconfig's certificate.
It works in a thread of its own; a test sets rules and waits on them.
"""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any
from weakref import WeakSet

import aiohttp
import yaml
from aiohttp import web
from support import kubeconfig as kubeconfigs
from support.ports import free_port

WRITES = frozenset({"create", "apply", "patch", "update", "delete"})
_VERBS = {"POST": "create", "PUT": "update", "DELETE": "delete"}
_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "host"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request of the operator's, as a rule sees it.

    `number` counts the writes that name the same object, or a child or an event of it, from 1 on;
    it is 0 for what is no write.
    """

    verb: str
    kind: str
    subresource: str
    namespace: str
    name: str
    number: int

    @property
    def app(self) -> str:
        """The name of the WeatherApp that it is about: children share it, events begin with it."""
        return self.name.partition(".")[0] if self.kind == "events" else self.name


Matches = Callable[[Request], bool]
Forward = Callable[[], Awaitable[web.StreamResponse]]


@dataclass(slots=True, kw_only=True)
class Rule:
    """What happens to the requests that match, so many times; then they pass."""

    matches: Matches
    answer: Callable[[web.BaseRequest, Forward], Awaitable[web.StreamResponse]]
    times: int
    met: int = 0


@dataclass(slots=True)
class Held:
    """A request that is held at one point until it is let go."""

    arrived: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)


class Proxy:
    """Forwards all that the operator asks, but what a rule catches."""

    def __init__(self, kubeconfig: Path) -> None:
        self._config = kubeconfigs.read(kubeconfig)
        self.kubeconfig = kubeconfig
        self._port = free_port()
        self._loop = asyncio.new_event_loop()
        self._rules: list[Rule] = []
        self._writes: Counter[tuple[str, str]] = Counter()
        self._stalled: set[str] = set()
        self._connections: WeakSet[asyncio.Transport] = WeakSet()
        self._frozen: WeakSet[asyncio.Transport] = WeakSet()
        self.clock_ahead_by = 0.0
        self.last_write = time.monotonic()
        self.seen: list[Request] = []
        self.answered: list[tuple[Request, int]] = []

    @contextmanager
    def running(self, kubeconfig: Path) -> Iterator["Proxy"]:
        """Serve while the context lasts, to whoever uses the kubeconfig that is written here."""
        self.kubeconfig = kubeconfig
        self._write_kubeconfig()
        ready = threading.Event()
        thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        thread.start()
        assert ready.wait(60)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._end.set)
            thread.join(20)

    # -- what a test asks for --------------------------------------------------------------------

    def fail(self, matches: Matches, status: int, *, times: int = 1_000_000) -> Rule:
        """Answer with an error of the API server's form, without asking the server."""

        async def answer(_: web.BaseRequest, __: Forward) -> web.StreamResponse:
            reason = _REASONS.get(status, "InternalError")
            told = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status}
            headers = {"Retry-After": "1"} if status == 429 else None
            body = {**told, "reason": reason, "message": f"injected {status}"}
            return web.json_response(body, status=status, headers=headers)

        return self._add(matches, answer, times)

    def reset(self, matches: Matches, *, times: int = 1_000_000) -> Rule:
        """Break the connection instead of answering."""

        async def answer(request: web.BaseRequest, _: Forward) -> web.StreamResponse:
            _abort(request)
            return web.Response()

        return self._add(matches, answer, times)

    def swallow(self, matches: Matches, *, times: int = 1_000_000) -> Rule:
        """Forward the request and break the connection instead of telling what came of it."""

        async def answer(request: web.BaseRequest, forward: Forward) -> web.StreamResponse:
            await forward()
            _abort(request)
            return web.Response()

        return self._add(matches, answer, times)

    def hold(self, matches: Matches, *, after: bool) -> Held:
        """Hold the next request that matches: before it is forwarded, or after the answer came.

        Let go, it is never answered.
        """
        held = Held()

        async def answer(request: web.BaseRequest, forward: Forward) -> web.StreamResponse:
            if after:
                await forward()
            held.arrived.set()
            while not held.let_go.is_set():  # noqa: ASYNC110 - it is set by another thread
                await asyncio.sleep(0.02)
            _abort(request)
            return web.Response()

        self._add(matches, answer, 1)
        return held

    def delay(self, matches: Matches) -> Held:
        """Forward the next request that matches once it is let go, even if its sender is gone."""
        held = Held()

        async def answer(_: web.BaseRequest, forward: Forward) -> web.StreamResponse:
            held.arrived.set()
            while not held.let_go.is_set():  # noqa: ASYNC110 - it is set by another thread
                await asyncio.sleep(0.02)
            return await forward()

        self._add(matches, answer, 1)
        return held

    def slow_down(self, matches: Matches, *, seconds: float) -> Rule:
        """Let the requests take so much longer than they do."""

        async def answer(_: web.BaseRequest, forward: Forward) -> web.StreamResponse:
            await asyncio.sleep(seconds)
            return await forward()

        return self._add(matches, answer, 1_000_000)

    def stall(self, kind: str) -> None:
        """Let the watches of a kind stay open and say nothing more, new ones too."""
        self._stalled.add(kind)

    def freeze(self) -> int:
        """Let the connections of now stay open and say nothing more; return how many they are.

        New ones work: so it is behind a load balancer that has lost its way.
        """
        self._frozen.update(self._connections)
        return len(self._frozen)

    def grant(self, matches: Matches) -> Rule:
        """Answer with what was sent, as if the server had done it."""

        async def answer(request: web.BaseRequest, _: Forward) -> web.StreamResponse:
            return web.json_response(await request.json())

        return self._add(matches, answer, 1_000_000)

    def clear(self) -> None:
        """Let everything pass again, and forget what was seen."""
        self.clock_ahead_by = 0.0
        self._rules.clear()
        self._stalled.clear()
        self._writes.clear()
        self.seen.clear()
        self.answered.clear()

    def clear_seen(self) -> None:
        """Forget what was seen, and keep the rules."""
        self.seen.clear()
        self.answered.clear()

    def _add(
        self,
        matches: Matches,
        answer: Callable[[web.BaseRequest, Forward], Awaitable[web.StreamResponse]],
        times: int,
    ) -> Rule:
        rule = Rule(matches=matches, answer=answer, times=times)
        self._rules.append(rule)
        return rule

    # -- how it is done --------------------------------------------------------------------------

    def _serve(self, ready: threading.Event) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._run(ready))

    async def _run(self, ready: threading.Event) -> None:
        self._end = asyncio.Event()
        connector = aiohttp.TCPConnector(ssl=kubeconfigs.tls_of(self._config), limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
            self._session = session
            runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self._port).start()
            ready.set()
            await self._end.wait()
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = self._read(request)
        self.seen.append(asked)
        body = await request.read()
        if request.transport:
            self._connections.add(request.transport)
        await self._wait_if_frozen(request.transport)

        async def forward() -> web.StreamResponse:
            return await self._forward(request, body, asked)

        for rule in self._rules:
            if rule.met < rule.times and rule.matches(asked):
                rule.met += 1
                return await rule.answer(request, forward)
        return await forward()

    async def _forward(
        self, request: web.BaseRequest, body: bytes, asked: Request
    ) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
        url = kubeconfigs.server_of(self._config) + request.raw_path
        asking = self._session.request(request.method, url, data=body or None, headers=headers)
        async with asking as answer:
            headers = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP}
            headers["Date"] = _later(headers["Date"], self.clock_ahead_by)
            if asked.verb != "watch":
                data = await answer.read()
                self.answered.append((asked, answer.status))
                return web.Response(status=answer.status, body=data, headers=headers)
            stream = web.StreamResponse(status=answer.status, headers=headers)
            await stream.prepare(request)
            async for chunk in answer.content.iter_any():
                if asked.kind in self._stalled:
                    await asyncio.Event().wait()
                await self._wait_if_frozen(request.transport)
                with suppress(ConnectionError):  # nobody listens any more
                    await stream.write(chunk)
            return stream

    async def _wait_if_frozen(self, connection: asyncio.Transport | None) -> None:
        if connection in self._frozen:
            await asyncio.Event().wait()

    def _read(self, request: web.BaseRequest) -> Request:
        parts = request.path.strip("/").split("/")
        parts = parts[3:] if parts[0] == "apis" else parts[2:]
        namespace = ""
        if len(parts) > 2 and parts[0] == "namespaces":
            namespace, parts = parts[1], parts[2:]
        kind, name, subresource = (*parts, "", "", "")[:3]
        verb = _verb(request, has_name=bool(name))
        asked = Request(
            verb=verb,
            kind=kind,
            subresource=subresource,
            namespace=namespace,
            name=name,
            number=0,
        )
        if verb not in WRITES or kind == "leases":
            return asked
        self._writes[namespace, asked.app] += 1
        self.last_write = time.monotonic()
        return replace(asked, number=self._writes[namespace, asked.app])

    def _write_kubeconfig(self) -> None:
        config: dict[str, Any] = json.loads(json.dumps(self._config))
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self._port}"}
        config["users"][0]["user"] = {}
        self.kubeconfig.write_text(yaml.safe_dump(config))


_REASONS = {409: "Conflict", 410: "Expired", 422: "Invalid", 429: "TooManyRequests"}


def _verb(request: web.BaseRequest, *, has_name: bool) -> str:
    if request.method == "PATCH":
        is_apply = request.headers.get("Content-Type", "").startswith("application/apply-patch")
        return "apply" if is_apply else "patch"
    if request.method == "GET":
        if request.query.get("watch"):
            return "watch"
        return "get" if has_name else "list"
    return _VERBS[request.method]


def _later(date: str, seconds: float) -> str:
    return format_datetime(parsedate_to_datetime(date) + timedelta(seconds=seconds), usegmt=True)


def _abort(request: web.BaseRequest) -> None:
    if request.transport:
        request.transport.abort()
