"""What each address answers."""

import gzip
import json
from dataclasses import asdict
from importlib.resources import files

from aiohttp import web

from weather_webapp.documents import age_seconds, instant, weather_document
from weather_webapp.kept import Composed
from weather_webapp.negotiation import VARY, Form, accepts_gzip, form_of
from weather_webapp.palette import palette_of
from weather_webapp.parts import (
    FAULTS,
    IDENTITY,
    KEPT,
    LATEST,
    NOW,
    PAGES,
    READINESS,
    SETTINGS,
    SOURCE,
    WORDS,
)
from weather_webapp.problems import Problem
from weather_webapp.settings import Language
from weather_webapp.source import CityUnknownError, Report
from weather_webapp.texts import weather_text
from weather_webapp.units import Formatter
from weather_webapp.views import weather_view
from weather_webapp.wishes import Wish, read_language, read_wish

# NGINX in front keeps for a second what says so; everything else is made for each request.
SHARED = "public, max-age=0, s-maxage=1"
UNSHARED = "no-store"
SCHEMA = (files("weather_webapp") / "schemas/weather.json").read_bytes()


def form_for(request: web.Request) -> Form:
    """Return the form that this client wants."""
    headers = request.headers
    return form_of(request.path, headers.get("Accept", ""), headers.get("User-Agent", ""))


def language_for(request: web.Request) -> Language:
    """Return the language that this client wants."""
    accept = request.headers.get("Accept-Language", "")
    return read_language(request.query, accept, request.app[SETTINGS].language)


async def weather(request: web.Request) -> web.Response:
    """The weather, in the form that the client wants. Raises Problem."""
    app, now = request.app, request.app[NOW]()
    form, packed = form_for(request), accepts_gzip(request.headers.get("Accept-Encoding", ""))
    wish = read_wish(request.query, language_for(request), app[SETTINGS])
    answer = app[KEPT].get((form, packed, wish), now)
    if answer is None:
        try:
            report = await app[SOURCE].report(wish.city, wish.language)
        except CityUnknownError as error:
            raise Problem(404, "city-unknown", error.suggestions, city=wish.city) from None
        app[LATEST].report = report
        answer = _compose(app, form, wish, report, packed=packed)
        app[KEPT].put((form, packed, wish), answer, now)
    return web.Response(body=answer.body, headers=answer.headers)


def _compose(
    app: web.Application, form: Form, wish: Wish, report: Report, *, packed: bool
) -> Composed:
    body = _body(app, form, wish, report).encode()
    headers = {
        "Content-Type": f"{form}; charset=utf-8",
        "Content-Language": wish.language,
        "Cache-Control": SHARED,
        "Vary": VARY,
        **weather_headers(report, app),
    }
    if form is Form.JSON:
        schema = f"{app[SETTINGS].base_path}/api/v1/weather/schema"
        headers["Link"] = f'<{schema}>; rel="describedby"'
    if packed:
        body = gzip.compress(body, compresslevel=6, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Composed(body=body, headers=headers)


def weather_headers(report: Report, app: web.Application) -> dict[str, str]:
    """Return where this weather comes from and how old it is."""
    return {
        "X-Weather-Source": report.weather.source,
        "X-Weather-Cache": report.cache,
        "Age": str(age_seconds(report, app[NOW]())),
    }


def _body(app: web.Application, form: Form, wish: Wish, report: Report) -> str:
    who, now, words = app[IDENTITY], app[NOW](), app[WORDS][wish.language]
    if form is Form.JSON:
        return json.dumps(weather_document(report, who, now), ensure_ascii=False, indent=1) + "\n"
    write = Formatter(wish.units, words.text("language.decimal"))
    view = weather_view(report, words, write, now)
    if form is Form.HTML:
        return app[PAGES].weather(view, wish, words, now)
    if form is Form.SVG:
        return app[PAGES].card(view, words)
    palette, faults = palette_of(who.colour), app[FAULTS].active
    return weather_text(view, who, palette, words, now, faults, ansi=wish.ansi)


async def live(request: web.Request) -> web.Response:
    """Which version answers, for a person who watches. Raises Problem."""
    app, now = request.app, request.app[NOW]()
    wish = read_wish(request.query, language_for(request), app[SETTINGS])
    page = app[PAGES].live(wish, app[WORDS][wish.language], now)
    headers = {"Content-Security-Policy": app[PAGES].live_policy, "Cache-Control": UNSHARED}
    return web.Response(text=page, content_type="text/html", headers=headers)


async def badge(request: web.Request) -> web.Response:
    """The version's shape, colour and number; each over a connection of its own."""
    answer = web.Response(
        text=request.app[PAGES].badge,
        content_type="image/svg+xml",
        headers={"Cache-Control": UNSHARED},
    )
    answer.force_close()
    return answer


async def favicon(request: web.Request) -> web.Response:
    """The badge, so that a browser's tab shows the version."""
    return web.Response(
        text=request.app[PAGES].badge,
        content_type="image/svg+xml",
        headers={"Cache-Control": SHARED},
    )


async def schema(request: web.Request) -> web.Response:
    """What the weather's JSON looks like."""
    return web.Response(
        body=SCHEMA,
        content_type="application/schema+json",
        headers={"Cache-Control": "public, max-age=3600"},
    )


async def info(request: web.Request) -> web.Response:
    """Who answers, for a program."""
    app = request.app
    body = {
        **asdict(app[IDENTITY]),
        "city": app[SETTINGS].city,
        "faults": app[FAULTS].active,
        "time": instant(app[NOW]()),
    }
    return _fresh(web.json_response(body))


async def version(request: web.Request) -> web.Response:
    """The version that the image bears."""
    who = request.app[IDENTITY]
    body = {"version": who.version, "colour": who.colour, "commit": who.commit}
    return _fresh(web.json_response(body))


async def healthz(request: web.Request) -> web.Response:
    """Alive: this answers while the process can answer at all, draining or not."""
    return _fresh(web.Response(text="ok\n"))


async def readyz(request: web.Request) -> web.Response:
    """Ready for traffic; whether weather can be had does not matter."""
    if refusal := request.app[READINESS].refusal:
        return _fresh(web.Response(status=503, text=f"{refusal}\n"))
    return _fresh(web.Response(text="ok\n"))


async def to_page(request: web.Request) -> web.Response:
    """The base path without its last slash."""
    raise web.HTTPPermanentRedirect(f"{request.app[SETTINGS].base_path}/")


def _fresh(answer: web.Response) -> web.Response:
    answer.headers["Cache-Control"] = UNSHARED
    return answer
