"""Small drawings as numbers for SVG, on a grid of 100 by 100 with y downwards."""

from collections.abc import Sequence
from dataclasses import dataclass

from weather_webapp.weather import Day

NARROWEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A span of the grid's width."""

    x: float
    width: float


def sparkline(values: Sequence[float], columns: int) -> str:
    """Return SVG points, left to right, that use the whole height.

    The grid's width has so many columns; the first value stands in the middle of the first, and the
    values go on evenly. What would stand beyond the last column is left out.
    """
    low, high = min(values), max(values)
    span = high - low or 1
    steps = (100 / len(values) * index + 50 / columns for index in range(len(values)))
    return " ".join(
        f"{x:.1f},{100 - (value - low) / span * 100:.0f}"
        for x, value in zip(steps, values, strict=True)
        if x <= 100
    )


def bars(days: Sequence[Day]) -> list[Bar]:
    """Return each day's lows to highs, on the scale of all of them."""
    low = min((day.low for day in days), default=0)
    span = max((day.high for day in days), default=0) - low or 1
    return [_bar((day.low - low) / span * 100, (day.high - day.low) / span * 100) for day in days]


def _bar(x: float, width: float) -> Bar:
    """Return a bar that can be seen also where lows and highs are one."""
    width = max(width, NARROWEST)
    return Bar(x=round(min(x, 100 - width), 1), width=round(width, 1))
