"""How a version's colour is drawn: its shape, which is told apart without colour, and its value."""

from collections.abc import Mapping
from functools import cache

_SHAPES = {"yellow": "▲", "green": "●", "red": "■"}
_OTHER_SHAPES = "◆▼⬢⬟✚"
_taken: dict[str, int] = {}


def shape_of(colour: str) -> str:
    """Return the colour's shape: of two own colours that are shown each has another.

    A colour keeps its shape wherever it is shown, unless one that came first has that. With more
    own colours than shapes some are alike.
    """
    if colour in _SHAPES:
        return _SHAPES[colour]
    if colour not in _taken:
        first, number = sum(map(ord, colour)), len(_OTHER_SHAPES)
        places = [(first + step) % number for step in range(number)]
        free = [place for place in places if place not in _taken.values()]
        _taken[colour] = (free or places)[0]
    return _OTHER_SHAPES[_taken[colour]]


@cache
def css_colours() -> Mapping[str, str]:
    """Return the colours that CSS names, as #RRGGBB."""
    from importlib.resources import files  # slow to import: only own colours need it

    text = (files("kubectl_weather") / "colours.csv").read_text(encoding="utf-8")
    return dict(line.split(",") for line in text.splitlines())
