"""What a client wants to see: city, units and language, as its address says or by default."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args
from urllib.parse import urlencode

from weather_webapp.negotiation import language_of
from weather_webapp.problems import Problem
from weather_webapp.settings import Language, Settings, Units

UNITS: tuple[Units, ...] = get_args(Units)
LANGUAGES: tuple[Language, ...] = get_args(Language)
LONGEST_CITY = 80
# Some scripts cannot be written without them, unlike all else that has no shape of its own.
JOINERS = "\u200c\u200d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to show, and what of it the address itself says, so that links can say it again."""

    city: str
    units: Units
    language: Language
    stated: tuple[tuple[str, str], ...] = ()
    ansi: bool = False

    def query(self, **changes: str) -> str:
        """Return the address' query with these changes; an empty value takes one out."""
        values = {name: text for name, text in {**dict(self.stated), **changes}.items() if text}
        return f"?{urlencode(values)}" if values else ""


def read_wish(query: Mapping[str, str], language: Language, settings: Settings) -> Wish:
    """Return what this query wants, in the language that was negotiated. Raises Problem (400)."""
    stated = {name: query.get(name, "") for name in ("city", "units", "lang")}
    stated["city"] = read_city(stated["city"])
    stated = {name: text for name, text in stated.items() if text}
    units = next((each for each in UNITS if each == stated.get("units", settings.units)), None)
    if units is None:
        raise Problem(400, "units", choices=", ".join(UNITS))
    if stated.get("lang", language) not in LANGUAGES:
        raise Problem(400, "lang", choices=", ".join(LANGUAGES))
    return Wish(
        city=stated.get("city") or settings.city,
        units=units,
        language=language,
        stated=tuple(stated.items()),
        ansi=query.get("ansi", "") not in ("", "0"),
    )


def read_city(text: str) -> str:
    """Return a city's name in one spelling; "" when it is blank. Raises Problem (400)."""
    city = unicodedata.normalize("NFC", " ".join(text[: 4 * LONGEST_CITY].split()))
    shapeless = (c for c in city if unicodedata.category(c)[0] == "C" and c not in JOINERS)
    if len(city) > LONGEST_CITY or any(shapeless):
        raise Problem(400, "city", longest=str(LONGEST_CITY))
    return city


def read_language(query: Mapping[str, str], accept: str, usual: Language) -> Language:
    """Return the language of the answer, also of one that refuses the query."""
    stated = query.get("lang")
    known = next((each for each in LANGUAGES if each == stated), None)
    return known or language_of(accept, LANGUAGES, usual)
