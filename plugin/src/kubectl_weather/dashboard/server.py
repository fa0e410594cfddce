"""The dashboard's server: one page on loopback, for one user, that can only read."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files

from aiohttp import web

from kubectl_weather.client import Client
from kubectl_weather.dashboard.broadcast import Broadcast
from kubectl_weather.errors import PluginError
from kubectl_weather.kubectl import LOOPBACK
from kubectl_weather.watch import Selection, watching

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_HTTP_PORT = 80
_FILES = {
    "": ("page.html", "text/html"),
    "page.js": ("page.js", "text/javascript"),
    "page.css": ("page.css", "text/css"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}


async def serve(client: Client, port: int, *, place: str, on_ready: Callable[[str], None]) -> None:
    """Serve the page until cancelled; `on_ready` gets its address. Raises PluginError."""
    async with watching(client, Selection(namespace=client.namespace)) as (snapshot, changes):
        broadcast = Broadcast(snapshot, changes, place=place)
        async with _listening(broadcast, port) as address:
            on_ready(address)
            async with asyncio.TaskGroup() as group:
                group.create_task(broadcast.run())


@asynccontextmanager
async def _listening(broadcast: Broadcast, port: int) -> AsyncIterator[str]:
    """Listen while the context lasts, and give the address with the secret in it.

    Raises PluginError where the port is taken.
    """
    token = secrets.token_urlsafe(16)
    app = web.Application(middlewares=[_own_page_only])
    for name, (file, kind) in _FILES.items():
        app.router.add_get(f"/{token}/{name}", _serve_file(file, kind))
    app.router.add_get(f"/{token}/events", broadcast.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, LOOPBACK, port)
        try:
            await site.start()
        except OSError as error:
            raise PluginError(f"port {port} cannot be used: {error.strerror}") from None
        yield f"http://{LOOPBACK}:{runner.addresses[0][1]}/{token}/"
    finally:
        await runner.cleanup()


@web.middleware
async def _own_page_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what another site's page requests.

    One whose name resolves to loopback still sends that name as Host; any other page's request
    says so in Sec-Fetch-Site.
    """
    sock = request.transport.get_extra_info("sockname") if request.transport else None
    if sock is None or request.host not in _own_hosts(sock[1]):
        raise web.HTTPMisdirectedRequest(text="This page is served under its own address only.\n")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise web.HTTPForbidden(text="This page is not for other pages.\n")
    return await handler(request)


def _own_hosts(port: int) -> set[str]:
    """Return what may come as Host to this port: HTTP's own one is left out by browsers."""
    names = {LOOPBACK, "localhost"}
    return {f"{name}:{port}" for name in names} | (names if port == _HTTP_PORT else set())


def _serve_file(name: str, kind: str) -> Handler:
    text = files(__package__).joinpath(name).read_text()

    async def handle(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type=kind, headers=_HEADERS)

    return handle
