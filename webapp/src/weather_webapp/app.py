"""The web application: its parts, its addresses, and what every answer bears."""

import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from weather_webapp import answers, traces
from weather_webapp.catalogue import Catalogue
from weather_webapp.faults import Faults
from weather_webapp.identity import identify
from weather_webapp.kept import Kept
from weather_webapp.metrics import Metrics
from weather_webapp.pages import Pages
from weather_webapp.parts import (
    FAULTS,
    IDENTITY,
    KEPT,
    LATEST,
    METRICS,
    NOW,
    PAGES,
    READINESS,
    SETTINGS,
    SOURCE,
    WORDS,
    Latest,
    Readiness,
)
from weather_webapp.providers.choice import providers_of
from weather_webapp.providers.upstream import make_session
from weather_webapp.refusals import explain
from weather_webapp.settings import Settings
from weather_webapp.source import Source
from weather_webapp.wishes import LANGUAGES

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def make_app(settings: Settings, now: Callable[[], datetime] = utc_now) -> web.Application:
    """Return the application for these settings, ready to be run."""
    faults, who = Faults(settings), identify(settings, hostname=socket.gethostname())
    metrics = Metrics(who)
    app = web.Application(
        middlewares=[
            metrics.count,
            traces.follow,
            explain,
            *([faults.inject] if faults.active else []),
        ],
        client_max_size=16 * 1024,
    )
    app[SETTINGS] = settings
    app[IDENTITY] = who
    app[METRICS] = metrics
    app[WORDS] = {language: Catalogue(language) for language in LANGUAGES}
    app[PAGES] = Pages(app[IDENTITY], settings.base_path, app[WORDS].values(), faults=faults.active)
    app[KEPT] = Kept()
    app[LATEST] = Latest()
    app[READINESS] = Readiness(never=faults.never_ready)
    app[NOW] = now
    app[FAULTS] = faults
    app.cleanup_ctx.append(weather_source)
    app.on_response_prepare.append(sign)
    _route(app.router, settings.base_path)
    return app


def make_metrics_app(app: web.Application, nginx_status: Path) -> web.Application:
    """Return the application that serves the metrics of `app`, with what NGINX says at a socket."""

    async def metrics(_: web.Request) -> web.Response:
        body = await app[METRICS].exposition(app[SOURCE], nginx_status)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    served = web.Application()
    served.router.add_get("/metrics", metrics)
    return served


def _route(router: web.UrlDispatcher, base: str) -> None:
    # The probes stay at the root; all that a person follows is under the base path.
    for path, answer in (
        ("/healthz", answers.healthz),
        ("/readyz", answers.readyz),
        ("/version", answers.version),
        (f"{base}/", answers.weather),
        (f"{base}/weather.{{suffix:html|txt|json|svg}}", answers.weather),
        (f"{base}/api/v1/weather", answers.weather),
        (f"{base}/api/v1/weather/schema", answers.schema),
        (f"{base}/api/info", answers.info),
        (f"{base}/live", answers.live),
        (f"{base}/badge.svg", answers.badge),
        (f"{base}/favicon.svg", answers.favicon),
    ):
        router.add_get(path, answer)
    if base:
        router.add_get(base, answers.to_page)


async def weather_source(app: web.Application) -> AsyncIterator[None]:
    """Hold the upstream connections for as long as the application runs."""
    async with make_session() as session:
        source = app[SOURCE] = Source(
            providers_of(app[SETTINGS], session, app[NOW], app[METRICS]),
            app[NOW],
            home=app[SETTINGS].city,
            observe=app[METRICS],
            budget_per_minute=app[SETTINGS].upstream_budget_per_minute,
        )
        yield
        await source.close()


async def sign(request: web.Request, answer: web.StreamResponse) -> None:
    """Put the version, the weather's origin and the security headers on every answer."""
    app = request.app
    headers = {
        "X-App-Version": app[IDENTITY].version,
        "X-App-Colour": app[IDENTITY].colour,
        "Content-Security-Policy": app[PAGES].policy,
        **HEADERS,
    }
    if report := app[LATEST].report:
        headers |= answers.weather_headers(report, app)
    for name, value in headers.items():
        answer.headers.setdefault(name, value)
