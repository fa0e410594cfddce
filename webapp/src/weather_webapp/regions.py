"""Names of countries and of regions within them, and whether two names of a place are the same.

`countries.csv` has a line for each ISO code: the country's name in each language that the page has,
as Babel has it. Here it takes little memory and no time; from Babel it would take all its locales.
"""

import csv
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import get_args

from weather_webapp.settings import Language

LANGUAGES: tuple[Language, ...] = get_args(Language)
COUNTRY_ALIASES = {
    "UK": "GB",
    "Great Britain": "GB",
    "England": "GB",
    "Scotland": "GB",
    "Wales": "GB",
    "Northern Ireland": "GB",
    "USA": "US",
    "United States of America": "US",
    "America": "US",
    "UAE": "AE",
    "Holland": "NL",
    "Czech Republic": "CZ",
    "Türkei": "TR",
    "Turkey": "TR",
    "Hong Kong": "HK",
    "Ivory Coast": "CI",
}
SUBDIVISIONS = {
    "US": "AL Alabama,AK Alaska,AZ Arizona,AR Arkansas,CA California,CO Colorado,CT Connecticut,"
    "DE Delaware,DC District of Columbia,FL Florida,GA Georgia,HI Hawaii,ID Idaho,IL Illinois,"
    "IN Indiana,IA Iowa,KS Kansas,KY Kentucky,LA Louisiana,ME Maine,MD Maryland,MA Massachusetts,"
    "MI Michigan,MN Minnesota,MS Mississippi,MO Missouri,MT Montana,NE Nebraska,NV Nevada,"
    "NH New Hampshire,NJ New Jersey,NM New Mexico,NY New York,NC North Carolina,ND North Dakota,"
    "OH Ohio,OK Oklahoma,OR Oregon,PA Pennsylvania,PR Puerto Rico,RI Rhode Island,"
    "SC South Carolina,SD South Dakota,TN Tennessee,TX Texas,UT Utah,VT Vermont,VA Virginia,"
    "WA Washington,WV West Virginia,WI Wisconsin,WY Wyoming",
    "CA": "AB Alberta,BC British Columbia,MB Manitoba,NB New Brunswick,"
    "NL Newfoundland and Labrador,NS Nova Scotia,NT Northwest Territories,NU Nunavut,"
    "ON Ontario,PE Prince Edward Island,QC Quebec,SK Saskatchewan,YT Yukon",
}

# What is written without, or with another letter, where it is not on the keyboard.
ALIKE = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "\u0131": "i", "æ": "ae", "œ": "oe", "-": " "}
    | dict.fromkeys(".'\u2018\u2019\u02bb", "")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """What a region's name may mean: a country, a subdivision of one, or only its own words.

    "CA" is both Canada and California: `country` and `subdivision` may both be there.
    """

    name: str
    country: str = ""
    subdivision_country: str = ""
    subdivision_code: str = ""
    subdivision: str = ""

    def contains(self, country: str, *names: str) -> bool:
        """Whether a place in this country, within regions of these names, is in this region."""
        if self.country and country == self.country:
            return True
        folded = {fold(name) for name in names}
        if self.subdivision and country == self.subdivision_country:
            return fold(self.subdivision) in folded
        return fold(self.name) in folded


def fold(name: str) -> str:
    """Return the name without case, accents, points and invisible characters, to compare it by."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    kept = "".join(c for c in folded if unicodedata.category(c) not in ("Mn", "Cf"))
    return kept.translate(ALIKE)


def country_name(code: str, language: Language) -> str:
    """Return the country's name in this language, or the code itself."""
    return _countries().get(code, {}).get(language, code)


def resolve(name: str) -> Region:
    """Return what this name of a country or region may mean, in any of our languages."""
    folded = fold(name)
    country = _codes_by_country().get(folded, "")
    of, code, subdivision = _subdivisions().get(folded, ("", "", ""))
    return Region(
        name=name,
        country=country,
        subdivision_country=of,
        subdivision_code=code,
        subdivision=subdivision,
    )


def split(city: str) -> tuple[str, list[Region]]:
    """Return the city of "city, region, country", and what the rest may mean."""
    name, *regions = (part.strip() for part in city.split(","))
    return name, [resolve(region) for region in regions if region]


@cache
def _countries() -> Mapping[str, Mapping[Language, str]]:
    text = (files("weather_webapp") / "countries.csv").read_text(encoding="utf-8")
    return {
        code: dict(zip(LANGUAGES, names, strict=True))
        for code, *names in csv.reader(text.splitlines())
    }


@cache
def _codes_by_country() -> Mapping[str, str]:
    return dict(_country_names())


def _country_names() -> Iterable[tuple[str, str]]:
    for code, names in _countries().items():
        yield fold(code), code
        for name in names.values():
            yield fold(name), code
    for name, code in COUNTRY_ALIASES.items():
        yield fold(name), code


@cache
def _subdivisions() -> Mapping[str, tuple[str, str, str]]:
    named = {}
    for country, text in SUBDIVISIONS.items():
        for each in text.split(","):
            code, _, name = each.partition(" ")
            named[fold(code)] = named[fold(name)] = (country, code, name)
    return named
