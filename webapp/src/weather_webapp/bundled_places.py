"""The places that the app knows by itself: cities of the world that are known in many languages.

They and the names of their regions are GeoNames' (CC BY 4.0), in tables that `make places` makes.
A table stays in its file, where it is searched: that takes no memory and a twentieth of a
millisecond.
"""

import mmap
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.resources import files

from weather_webapp.regions import fold, split
from weather_webapp.weather import Place

MAX_SUGGESTIONS = 5
SIMILARITY = 0.7


class Table:
    """A file of lines of columns between tabs, sorted by the folded first column."""

    def __init__(self, name: str) -> None:
        with open(str(files("weather_webapp") / name), "rb") as file:
            self._text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def find(self, name: str) -> Iterator[list[str]]:
        """Return the lines whose first column is this name, whatever its case and accents."""
        folded = fold(name)
        position = bisect_left(range(len(self._text)), folded, key=self._folded_name_at)
        while position < len(self._text) and self._folded_name_at(position) == folded:
            line = self._line_at(position)
            position += len(line) + 1
            yield line.decode().split("\t")

    def _folded_name_at(self, position: int) -> str:
        return fold(self._line_at(position).partition(b"\t")[0].decode())

    def _line_at(self, position: int) -> bytes:
        """Return the line that this byte is in, its end included, without that end."""
        start = self._text.rfind(b"\n", 0, position) + 1
        return self._text[start : self._text.find(b"\n", position)]


@cache
def _places() -> Table:
    return Table("places.tsv")


@cache
def _regions() -> Table:
    return Table("regions.tsv")


@lru_cache(maxsize=1000)
def find_bundled(city: str) -> Place | None:
    """Return the place of this name, which is in all regions that follow the name.

    Of several it is the one that is spelled just so, else the best known one.
    """
    name, regions = split(city)
    found = sorted(_places().find(name), key=lambda line: line[0].casefold() != name.casefold())
    for spelling, code, latitude, longitude in found:
        country, _, _ = code.partition(".")
        names = [each for line in _regions().find(code) for each in line[1:]] if regions else []
        if all(region.contains(country, *names) for region in regions):
            return Place(
                name=spelling,
                country=country,
                latitude=float(latitude),
                longitude=float(longitude),
            )
    return None


@lru_cache(maxsize=1000)
def similar_names(city: str) -> tuple[str, ...]:
    """Return a name of each well-known place that is spelled like this, the most similar first."""
    similar = get_close_matches(fold(city), _well_known(), n=4 * MAX_SUGGESTIONS, cutoff=SIMILARITY)
    by_place: dict[int, str] = {}
    for number, name in map(_well_known().__getitem__, similar):
        by_place.setdefault(number, name)
    return tuple(by_place.values())[:MAX_SUGGESTIONS]


@cache
def _well_known() -> Mapping[str, tuple[int, str]]:
    """Return which place has the name, and its spelling, by how names are compared."""
    text = (files("weather_webapp") / "suggestions.tsv").read_text(encoding="utf-8")
    lines = [line.split("\t") for line in text.splitlines()]
    return {fold(name): (number, name) for number, names in enumerate(lines) for name in names}
