"""The application process, behind NGINX.

`make_app` puts the parts together: a request gets its query, passes the propagated trace header,
the error middleware and, if faults are or may be on, the fault injector, and reaches a handler. The
handlers get the weather from one `WeatherService`, which lives as long as the application does.
`serve` listens on a unix socket for NGINX and on METRICS_PORT for Prometheus and the probes.
SIGUSR1 makes `/readyz` fail while requests are still served; SIGTERM finishes what is in progress
and ends.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from yarl import URL

from weather_webapp import fault_handlers, handlers
from weather_webapp.build_info import detect_build
from weather_webapp.cache import ResponseCache
from weather_webapp.errors import error_middleware
from weather_webapp.fault_injection import FaultInjector
from weather_webapp.handlers import (
    BUILD_INFO,
    FAULT_INJECTOR,
    HTML_RENDERER,
    LAST_RESULT,
    NOW,
    READINESS,
    RESPONSE_CACHE,
    SETTINGS,
    TRANSLATIONS,
    WEATHER_SERVICE,
    LastResult,
    Readiness,
)
from weather_webapp.i18n import locale_of, translations_of
from weather_webapp.logs import log_to_stderr
from weather_webapp.metrics import Metrics, accepts_connections
from weather_webapp.nginx import REQUEST_LOG, STATUS_SOCKET
from weather_webapp.params import LANGUAGES
from weather_webapp.propagation import propagate_traceparent
from weather_webapp.providers.factory import make_providers
from weather_webapp.providers.upstream import make_session
from weather_webapp.renderers.html import HtmlRenderer
from weather_webapp.request_metrics import read_log
from weather_webapp.service import WeatherService
from weather_webapp.settings import Settings

log = logging.getLogger(__name__)

# NGINX keeps its connections to us for a minute: ours must live longer, or it meets closed ones.
KEEPALIVE_SECONDS = 75
SHUTDOWN_SECONDS = 5
METRICS = web.AppKey("metrics", Metrics)
# What a query is made of beside letters and digits; everything else is encoded.
QUERY_CHARACTERS = "%&=+;:@/?!$'()*,-._~"


@web.middleware
async def restore_query(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Give a request the query that NGINX passes on in a header, as it was not in ASCII."""
    if raw := request.headers.get("X-Raw-Query"):
        query = quote(raw.encode(errors="surrogateescape"), safe=QUERY_CHARACTERS)
        address = URL.build(path=request.rel_url.raw_path, query_string=query, encoded=True)
        request = request.clone(rel_url=address)
    return await handler(request)


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def make_app(settings: Settings, now: Callable[[], datetime] = utc_now) -> web.Application:
    """Return the application for these settings, ready to be run."""
    build = detect_build(settings, hostname=socket.gethostname())
    faults = FaultInjector(settings, exempt=frozenset({f"{settings.base_path}/faults"}))
    metrics = Metrics(build)
    translations = {language: translations_of(language) for language in LANGUAGES}
    locale_of(settings.language)  # read now, for the first request not to wait for it
    app = web.Application(
        middlewares=[
            restore_query,
            propagate_traceparent,
            error_middleware(handlers.error_response),
            *([faults.middleware] if faults.active or faults.may_change else []),
        ],
        client_max_size=16 * 1024,
    )
    app[SETTINGS] = settings
    app[BUILD_INFO] = build
    app[METRICS] = metrics
    app[TRANSLATIONS] = translations
    app[HTML_RENDERER] = HtmlRenderer(
        build, settings.base_path, translations.values(), faults=lambda: faults.active
    )
    app[RESPONSE_CACHE] = ResponseCache()
    app[LAST_RESULT] = LastResult()
    app[READINESS] = Readiness(never_ready=faults.never_ready)
    app[NOW] = now
    app[FAULT_INJECTOR] = faults
    app.cleanup_ctx.append(_weather_service)
    app.on_response_prepare.append(handlers.add_common_headers)
    _add_routes(app.router, settings.base_path)
    if faults.may_change:
        fault_handlers.add_routes(app.router, settings.base_path)
    return app


def make_metrics_app(app: web.Application, nginx_status: Path) -> web.Application:
    """Return the application that serves the metrics of `app` and of NGINX, and the probes."""

    async def metrics(_: web.Request) -> web.Response:
        service = app[WEATHER_SERVICE]
        body = await app[METRICS].exposition(
            data_age=service.home_data_age(),
            available_calls=service.available_calls(),
            calls_per_minute=service.calls_per_minute,
            open_breakers=service.open_breakers(),
            nginx_status=nginx_status,
        )
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    nginx_started = False

    async def readyz(request: web.Request) -> web.Response:
        nonlocal nginx_started
        # Asked once: later a port that is full of connections must not fail the probe.
        nginx_started = nginx_started or await accepts_connections(nginx_status)
        if not nginx_started:
            return web.Response(status=503, text="NGINX is starting\n")
        return handlers.readiness_response(app[READINESS])

    metrics_app = web.Application()
    metrics_app.router.add_get("/metrics", metrics)
    metrics_app.router.add_get("/healthz", handlers.healthz)
    metrics_app.router.add_get("/readyz", readyz)
    return metrics_app


def _add_routes(router: web.UrlDispatcher, base: str) -> None:
    # The probes stay at the root; all that a person follows is under the base path.
    for path, handler in (
        ("/healthz", handlers.healthz),
        ("/readyz", handlers.readyz),
        ("/version", handlers.version),
        (f"{base}/", handlers.weather),
        (f"{base}/weather.{{suffix:html|txt|json|svg}}", handlers.weather),
        (f"{base}/api/v1/weather", handlers.weather),
        (f"{base}/api/v1/weather/schema", handlers.schema),
        (f"{base}/api/info", handlers.info),
        (f"{base}/live", handlers.live),
        (f"{base}/badge.svg", handlers.badge),
        (f"{base}/favicon.svg", handlers.favicon),
    ):
        router.add_get(path, handler)
    if base:
        router.add_get(base, handlers.redirect_to_page)


async def _weather_service(app: web.Application) -> AsyncIterator[None]:
    """Hold the upstream connections for as long as the application runs."""
    async with make_session() as session:
        service = app[WEATHER_SERVICE] = WeatherService(
            make_providers(app[SETTINGS], session, app[NOW], app[METRICS]),
            app[NOW],
            home_city=app[SETTINGS].city,
            metrics=app[METRICS],
            budget_per_minute=app[SETTINGS].upstream_budget_per_minute,
        )
        yield
        await service.close()


async def serve(settings: Settings, socket_path: Path) -> None:
    """Serve until SIGTERM; from SIGUSR1 on, `/readyz` says that no more traffic is wanted."""
    app = make_app(settings)
    app[FAULT_INJECTOR].start()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    loop.add_signal_handler(signal.SIGUSR1, app[READINESS].drain)
    metrics_app = make_metrics_app(app, socket_path.with_name(STATUS_SOCKET))
    runner, metrics_runner = _make_runner(app), _make_runner(metrics_app)
    await runner.setup()
    await metrics_runner.setup()
    pipe = read_log(socket_path.with_name(REQUEST_LOG), app[METRICS].requests)
    try:
        await web.TCPSite(metrics_runner, port=settings.metrics_port).start()
        await web.UnixSite(runner, socket_path).start()
        log.info("app serves", extra={"version": settings.version, "city": settings.city})
        await stopped.wait()
    finally:
        await runner.cleanup()
        await metrics_runner.cleanup()
        loop.remove_reader(pipe)
        os.close(pipe)


def _make_runner(app: web.Application) -> web.AppRunner:
    return web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=KEEPALIVE_SECONDS,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )


def is_no_clients_fault(record: logging.LogRecord) -> bool:
    """Whether this is about us: what is malformed is refused, and NGINX logs it as any request."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def main() -> None:
    """Serve on the socket that is named on the command line."""
    log_to_stderr(is_no_clients_fault)
    asyncio.run(serve(Settings.read(os.environ), Path(sys.argv[1])))


if __name__ == "__main__":
    main()
