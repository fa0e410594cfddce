"""The places that come with the app: cities that need no geocoding, and names to suggest."""

import csv
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.resources import files

from weather_webapp.weather import Place

MOST_SUGGESTIONS = 5
LIKENESS = 0.6


@cache
def bundled() -> Mapping[str, Place]:
    """Return the bundled places by each of their names, casefolded, without and with country."""
    text = files("weather_webapp").joinpath("places.csv").read_text(encoding="utf-8")
    return dict(_named(csv.reader(text.splitlines())))


def _named(rows: Iterable[list[str]]) -> Iterable[tuple[str, Place]]:
    for names, country, latitude, longitude in rows:
        for name in names.split("|"):
            place = Place(
                name=name, country=country, latitude=float(latitude), longitude=float(longitude)
            )
            yield name.casefold(), place
            yield f"{name}, {country}".casefold(), place


@lru_cache(maxsize=1000)
def like(city: str) -> tuple[str, ...]:
    """Return names of bundled places that are written like this one, the most alike first."""
    alike = get_close_matches(city.casefold(), _names(), n=MOST_SUGGESTIONS, cutoff=LIKENESS)
    return tuple(dict.fromkeys(bundled()[name].name for name in alike))


@cache
def _names() -> list[str]:
    return [name for name in bundled() if "," not in name]
