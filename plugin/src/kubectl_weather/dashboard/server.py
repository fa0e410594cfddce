"""The dashboard's server: one page on loopback, for one viewer, that can only look."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files

from aiohttp import web

from kubectl_weather.dashboard.broadcast import Broadcast
from kubectl_weather.errors import PluginError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HOST = "127.0.0.1"
SECURITY = {
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
FILES = {
    "": ("page.html", "text/html"),
    "page.js": ("page.js", "text/javascript"),
    "page.css": ("page.css", "text/css"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}


@asynccontextmanager
async def serving(broadcast: Broadcast, port: int) -> AsyncIterator[str]:
    """Serve the page while the context lasts, and give its address with the secret in it.

    Raises PluginError where the port is taken.
    """
    token = secrets.token_urlsafe(16)
    app = web.Application(middlewares=[_guarded])
    for name, (file, kind) in FILES.items():
        app.router.add_get(f"/{token}/{name}", _file(file, kind))
    app.router.add_get(f"/{token}/events", broadcast.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        try:
            await site.start()
        except OSError as error:
            raise PluginError(f"port {port} cannot be used: {error.strerror}") from None
        yield f"http://{HOST}:{runner.addresses[0][1]}/{token}/"
    finally:
        await runner.cleanup()


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer only a browser that was sent here by its user, and say what the page may do.

    A page of another site that has its name resolved to loopback still sends its own name as
    Host; a request that another page makes says so by itself.
    """
    sock = request.transport.get_extra_info("sockname") if request.transport else None
    names = {f"{HOST}:{sock[1]}", f"localhost:{sock[1]}"} if sock else set()
    if request.host not in names:
        raise web.HTTPMisdirectedRequest(text="This page is served under its own address only.\n")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise web.HTTPForbidden(text="This page is not for other pages.\n")
    return await handler(request)


def _file(name: str, kind: str) -> Handler:
    text = files(__package__).joinpath(name).read_text()

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type=kind, headers=SECURITY)

    return answer
