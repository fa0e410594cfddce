"""A server on this machine that answers as a test says, and keeps what it was asked."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class AnsweringServer:
    """Answers every request by `answer`, which a test may replace at any time."""

    answer: Answer
    port: int = 0
    requests: list[web.Request] = field(default_factory=list)
    forms: list[dict[str, object]] = field(default_factory=list)

    @property
    def host(self) -> str:
        """Its address, with the port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Its address as a URL, without a path."""
        return f"http://{self.host}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Keep a request, and its form where it has one, and answer it."""
        self.requests.append(request)
        if request.method == "POST":
            self.forms.append(dict(await request.post()))
        return await self.answer(request)


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[AnsweringServer]:
    """The server, as long as the context lasts."""
    server = AnsweringServer(answer)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    async with TestServer(app, host="127.0.0.1") as listening:
        assert listening.port
        server.port = listening.port
        yield server
