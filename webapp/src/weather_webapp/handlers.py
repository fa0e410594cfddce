"""What each address answers, and the parts of the application that the answers are made of.

The weather is negotiated (`params`), fetched (`service`), put into the reader's words (`view`) and
rendered (`renderers`) at most once a second for each distinct request (`ResponseCache`).
"""

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from importlib.resources import files

from aiohttp import web

from weather_webapp.build_info import BuildInfo
from weather_webapp.cache import CachedResponse, ResponseCache
from weather_webapp.errors import CityLookupError, CityUnknownError, HttpError
from weather_webapp.fault_injection import FaultInjector
from weather_webapp.i18n import Translations, locale_of
from weather_webapp.params import (
    VARY,
    Form,
    WeatherQuery,
    accepts_gzip,
    negotiate_form,
    parse_language,
    parse_query,
)
from weather_webapp.renderers.html import HtmlRenderer
from weather_webapp.renderers.json import weather_document
from weather_webapp.renderers.text import weather_text
from weather_webapp.service import WeatherResult, WeatherService
from weather_webapp.settings import Language, Settings
from weather_webapp.units import Formatter, timestamp
from weather_webapp.view import weather_view

# NGINX caches for a second what says so; everything else is made for each request.
CACHEABLE = "public, max-age=0, s-maxage=1"
UNCACHEABLE = "no-store"
MIN_COMPRESSED_BYTES = 1000
SCHEMA = (files("weather_webapp") / "schemas/weather.json").read_bytes()


class Readiness:
    """Whether traffic is welcome: yes from the start, no once `drain` was called.

    `reason` says why not; "" while it is. `never_ready` is an injected fault.
    """

    def __init__(self, *, never_ready: bool = False) -> None:
        self.reason = "FAULT_STARTUP=never-ready" if never_ready else ""

    def drain(self) -> None:
        """Ask for no more traffic."""
        self.reason = "draining"


class LastResult:
    """The weather that was served last."""

    result: WeatherResult | None = None


SETTINGS = web.AppKey("settings", Settings)
BUILD_INFO = web.AppKey("build_info", BuildInfo)
TRANSLATIONS: web.AppKey[Mapping[Language, Translations]] = web.AppKey("translations")
HTML_RENDERER = web.AppKey("html_renderer", HtmlRenderer)
RESPONSE_CACHE = web.AppKey("response_cache", ResponseCache)
WEATHER_SERVICE = web.AppKey("weather_service", WeatherService)
LAST_RESULT = web.AppKey("last_result", LastResult)
FAULT_INJECTOR = web.AppKey("fault_injector", FaultInjector)
READINESS = web.AppKey("readiness", Readiness)
NOW: web.AppKey[Callable[[], datetime]] = web.AppKey("now")


async def weather(request: web.Request) -> web.Response:
    """The weather, in the negotiated form. Raises HttpError."""
    app, now = request.app, request.app[NOW]()
    form, gzipped = _form(request), accepts_gzip(request.headers.get("Accept-Encoding", ""))
    query = parse_query(request.query, _language(request), app[SETTINGS])
    response = app[RESPONSE_CACHE].get((form, gzipped, query), now)
    if response is None:
        try:
            client = request.headers.get("X-Real-IP", "")
            result = await app[WEATHER_SERVICE].get(query.city, query.language, client)
        except CityUnknownError as error:
            raise HttpError(404, "city-unknown", error.suggestions, city=query.city) from None
        except CityLookupError as error:
            unavailable = HttpError(503, "city-lookup", city=query.city)
            unavailable.retry_after = max(1, round((error.retry_at - now).total_seconds()))
            raise unavailable from None
        app[LAST_RESULT].result = result
        response = _render(app, form, query, result, gzipped=gzipped)
        app[RESPONSE_CACHE].put((form, gzipped, query), response, now)
    return web.Response(body=response.body, headers=response.headers)


async def live(request: web.Request) -> web.Response:
    """Which version answers, for a person who watches. Raises HttpError."""
    app, now = request.app, request.app[NOW]()
    query = parse_query(request.query, _language(request), app[SETTINGS])
    page = app[HTML_RENDERER].live(
        query,
        app[TRANSLATIONS][query.language],
        now,
        faults_may_change=app[FAULT_INJECTOR].may_change,
    )
    policy = app[HTML_RENDERER].live_policy
    headers = {"Content-Security-Policy": policy, "Cache-Control": UNCACHEABLE, "Vary": VARY}
    response = web.Response(text=page, content_type="text/html", headers=headers)
    return _compressed(request, response)


async def badge(request: web.Request) -> web.Response:
    """The version's shape, colour and number; each over a connection of its own."""
    response = web.Response(
        text=request.app[HTML_RENDERER].badge,
        content_type="image/svg+xml",
        headers={"Cache-Control": UNCACHEABLE},
    )
    response.force_close()
    return response


async def favicon(request: web.Request) -> web.Response:
    """The badge, so that a browser's tab shows the version."""
    return web.Response(
        text=request.app[HTML_RENDERER].badge,
        content_type="image/svg+xml",
        headers={"Cache-Control": CACHEABLE},
    )


async def schema(request: web.Request) -> web.Response:
    """The JSON Schema of the weather's JSON."""
    return web.Response(
        body=SCHEMA,
        content_type="application/schema+json",
        headers={"Cache-Control": "public, max-age=3600"},
    )


async def info(request: web.Request) -> web.Response:
    """The build that answers, for a program."""
    app = request.app
    body = {
        **asdict(app[BUILD_INFO]),
        "city": app[SETTINGS].city,
        "faults": app[FAULT_INJECTOR].active,
        "time": timestamp(app[NOW]()),
    }
    return _uncacheable(web.json_response(body))


async def version(request: web.Request) -> web.Response:
    """The image's version."""
    build = request.app[BUILD_INFO]
    body = {"version": build.version, "colour": build.colour, "commit": build.commit}
    return _uncacheable(web.json_response(body))


async def healthz(request: web.Request) -> web.Response:
    """Alive: succeeds while the process can answer at all, draining or not."""
    return _uncacheable(web.Response(text="ok\n"))


async def readyz(request: web.Request) -> web.Response:
    """Ready for traffic, whether or not real weather is available."""
    return readiness_response(request.app[READINESS])


def readiness_response(readiness: Readiness) -> web.Response:
    """Return 200 while traffic is welcome, else 503 and why not."""
    if readiness.reason:
        return _uncacheable(web.Response(status=503, text=f"{readiness.reason}\n"))
    return _uncacheable(web.Response(text="ok\n"))


async def redirect_to_page(request: web.Request) -> web.Response:
    """The base path without its trailing slash, with its query."""
    query = f"?{request.query_string}" if request.query_string else ""
    raise web.HTTPPermanentRedirect(f"{request.app[SETTINGS].base_path}/{query}")


def error_response(request: web.Request, error: HttpError) -> web.Response:
    """Return the error in the negotiated form and language."""
    app, form, language = request.app, _form(request), _language(request)
    translations = app[TRANSLATIONS][language]
    text = translations.text(f"problem.{error.key}", **error.values)
    headers = {"Cache-Control": UNCACHEABLE, "Vary": VARY}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    content_type = "text/plain"
    if form is Form.JSON:
        content_type = "application/problem+json"
        headers["Access-Control-Allow-Origin"] = "*"
        problem = {
            "type": "about:blank",
            "title": HTTPStatus(error.status).phrase,
            "status": error.status,
            "detail": text,
            "suggestions": error.suggestions,
        }
        body = json.dumps(problem, ensure_ascii=False) + "\n"
    elif form is Form.HTML:
        content_type = "text/html"
        query = WeatherQuery(city="", units=app[SETTINGS].units, language=language)
        body = app[HTML_RENDERER].notice(
            error.status, text, error.suggestions, query, translations, app[NOW]()
        )
    else:
        if error.suggestions:
            suggestions = "; ".join(error.suggestions)
            text += f". {translations.text('problem.suggestions')}: {suggestions}"
        body = f"{text}\n"
    response = web.Response(
        status=error.status, text=body, content_type=content_type, headers=headers
    )
    return _compressed(request, response)


async def add_common_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put who serves, the weather's origin and the security headers on every response."""
    app, build = request.app, request.app[BUILD_INFO]
    headers = {
        "X-App-Version": build.version,
        "X-App-Colour": build.colour,
        "X-App-Pod": build.pod or build.container_short,
        "Content-Security-Policy": app[HTML_RENDERER].policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "geolocation=()",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    if result := app[LAST_RESULT].result:
        headers |= _weather_headers(result, app[NOW]())
    for name, value in headers.items():
        response.headers.setdefault(name, value)


def _form(request: web.Request) -> Form:
    headers, base = request.headers, request.app[SETTINGS].base_path
    # What the path means begins below the one that the site is served under.
    path = request.path
    if path.startswith(f"{base}/"):
        path = path.removeprefix(base)
    return negotiate_form(path, headers.get("Accept", ""), headers.get("User-Agent", ""))


def _language(request: web.Request) -> Language:
    accept = request.headers.get("Accept-Language", "")
    return parse_language(request.query, accept, request.app[SETTINGS].language)


def _render(
    app: web.Application, form: Form, query: WeatherQuery, result: WeatherResult, *, gzipped: bool
) -> CachedResponse:
    body = _render_body(app, form, query, result).encode()
    headers = {
        "Content-Type": f"{form}; charset=utf-8",
        "Content-Language": query.language,
        "Cache-Control": CACHEABLE,
        "Vary": VARY,
        **_weather_headers(result, app[NOW]()),
    }
    if form is Form.JSON:
        url = f"{app[SETTINGS].base_path}/api/v1/weather/schema"
        headers["Link"] = f'<{url}>; rel="describedby"'
        headers["Access-Control-Allow-Origin"] = "*"
    if gzipped:
        body = gzip.compress(body, compresslevel=6, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return CachedResponse(body=body, headers=headers)


def _render_body(
    app: web.Application, form: Form, query: WeatherQuery, result: WeatherResult
) -> str:
    build, now, translations = app[BUILD_INFO], app[NOW](), app[TRANSLATIONS][query.language]
    if form is Form.JSON:
        return json.dumps(weather_document(result, build, now), ensure_ascii=False, indent=1) + "\n"
    formatter = Formatter(query.units, locale_of(query.language))
    view = weather_view(result, translations, formatter, now)
    if form is Form.HTML:
        return app[HTML_RENDERER].weather(view, query, translations, now)
    if form is Form.SVG:
        return app[HTML_RENDERER].card(view, translations)
    return weather_text(view, build, translations, now, app[FAULT_INJECTOR].active, ansi=query.ansi)


def _weather_headers(result: WeatherResult, now: datetime) -> dict[str, str]:
    return {
        "X-Weather-Source": result.weather.source,
        "X-Weather-Cache": result.cache,
        "X-Weather-Age": str(result.age_seconds(now)),
    }


def _compressed(request: web.Request, response: web.Response) -> web.Response:
    """Compress what is worth it if the client takes that."""
    body, accepted = response.body, request.headers.get("Accept-Encoding", "")
    if isinstance(body, bytes) and len(body) > MIN_COMPRESSED_BYTES and accepts_gzip(accepted):
        response.body = gzip.compress(body, compresslevel=6, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
    return response


def _uncacheable(response: web.Response) -> web.Response:
    response.headers["Cache-Control"] = UNCACHEABLE
    return response
