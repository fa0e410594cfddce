"""What a request wants: the form and language of the response, the city and the units.

The form and the language are negotiated from headers; the address overrules both.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TypeVar, get_args
from urllib.parse import urlencode

from weather_webapp.errors import HttpError
from weather_webapp.settings import MAX_CITY_LENGTH, Language, Settings, Units
from weather_webapp.user_agents import is_terminal

Choice = TypeVar("Choice", bound=str)

UNITS: tuple[Units, ...] = get_args(Units)
LANGUAGES: tuple[Language, ...] = get_args(Language)
# What negotiation depends on; NGINX keeps its cached pages apart by the same headers.
VARY = "Accept, Accept-Encoding, Accept-Language, User-Agent"
# Some scripts cannot be written without them, unlike all other characters that are invisible.
JOINERS = "\u200c\u200d"


class Form(StrEnum):
    """The forms of the weather, by media type; among equals the first is the default."""

    HTML = "text/html"
    TEXT = "text/plain"
    JSON = "application/json"
    SVG = "image/svg+xml"


SUFFIXES = {".html": Form.HTML, ".txt": Form.TEXT, ".json": Form.JSON, ".svg": Form.SVG}


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherQuery:
    """What to show; `explicit` is what the address itself says, so that links can repeat it."""

    city: str
    units: Units
    language: Language
    explicit: tuple[tuple[str, str], ...] = ()
    ansi: bool = False

    def url_query(self, **changes: str) -> str:
        """Return the address' query with these changes; an empty value removes a parameter."""
        values = {name: text for name, text in {**dict(self.explicit), **changes}.items() if text}
        return f"?{urlencode(values)}" if values else ""


def parse_query(query: Mapping[str, str], language: Language, settings: Settings) -> WeatherQuery:
    """Return what this query wants, in the negotiated language. Raises HttpError (400)."""
    explicit = {name: query.get(name, "") for name in ("city", "units", "lang")}
    explicit["city"] = parse_city(explicit["city"])
    explicit = {name: text for name, text in explicit.items() if text}
    units = next((each for each in UNITS if each == explicit.get("units", settings.units)), None)
    if units is None:
        raise HttpError(400, "units", choices=", ".join(UNITS))
    if explicit.get("lang", language) not in LANGUAGES:
        raise HttpError(400, "lang", choices=", ".join(LANGUAGES))
    return WeatherQuery(
        city=explicit.get("city") or settings.city,
        units=units,
        language=language,
        explicit=tuple(explicit.items()),
        ansi=query.get("ansi", "") not in ("", "0"),
    )


def parse_city(text: str) -> str:
    """Return a city's name in one spelling; "" when it is blank. Raises HttpError (400)."""
    city = unicodedata.normalize("NFC", " ".join(text[: 4 * MAX_CITY_LENGTH].split()))
    invisible = (c for c in city if unicodedata.category(c)[0] == "C" and c not in JOINERS)
    if len(city) > MAX_CITY_LENGTH or any(invisible):
        raise HttpError(400, "city", longest=str(MAX_CITY_LENGTH))
    return city


def parse_language(query: Mapping[str, str], accept: str, default: Language) -> Language:
    """Return the language of the response, also of one that refuses the query."""
    explicit = query.get("lang")
    known = next((each for each in LANGUAGES if each == explicit), None)
    return known or negotiate_language(accept, LANGUAGES, default)


def negotiate_form(path: str, accept: str, agent: str) -> Form:
    """Return the form for this client; one that accepts none of ours gets the default.

    A suffix decides, then being below /api/, then the best quality in `Accept`; where that leaves
    several, a terminal gets text and everybody else HTML.
    """
    if form := SUFFIXES.get(PurePosixPath(path).suffix):
        return form
    if "/api/" in path:
        return Form.JSON
    qualities = _parse_qualities(accept)
    candidates = [Form.TEXT, *Form] if is_terminal(agent) else list(Form)
    return max(candidates, key=lambda form: _quality(form, qualities))


def negotiate_language(accept: str, available: Sequence[Choice], default: Choice) -> Choice:
    """Return the available language that `Accept-Language` prefers, else the default."""
    preferred = sorted(_parse_qualities(accept).items(), key=lambda item: -item[1])
    for tag, quality in preferred:
        primary = tag.partition("-")[0]
        for language in available:
            if quality > 0 and primary == language:
                return language
        if quality > 0 and tag == "*":
            break
    return default


def accepts_gzip(accept: str) -> bool:
    """Whether `Accept-Encoding` names gzip and does not refuse it."""
    return _parse_qualities(accept).get("gzip", 0) > 0


def _quality(form: Form, qualities: dict[str, float]) -> float:
    for name in (form, f"{form.partition('/')[0]}/*", "*/*"):
        if name in qualities:
            return qualities[name]
    return 0


def _parse_qualities(header: str) -> dict[str, float]:
    """Return the header's items with their quality; what cannot be parsed is left out."""
    qualities = {}
    for item in header.casefold().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        try:
            explicit = [float(p[2:]) for p in parameters if p.startswith("q=")]
        except ValueError:
            continue
        if name:
            qualities[name] = explicit[0] if explicit else 1.0
    return qualities
