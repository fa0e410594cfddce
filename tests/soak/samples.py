"""What a process held from time to time, and whether that grows."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression, median, stdev
from typing import NamedTuple

LIMITS_PER_HOUR = {
    "resident_mib": 0.05,
    "objects": 0.03,
    "tasks": 0.05,
    "threads": 0.05,
    "descriptors": 0.05,
}
"""By which part of itself each may grow in an hour."""

_WARM_UP = 0.25
_LEAST_GROWTH = 0.02
"""What is less, of the whole, is none: a short run would make much of it in an hour."""


class Sample(NamedTuple):
    """One look at a process: memory that is resident, and numbers of what it has.

    `objects` are those of Python that its garbage collector follows, `tasks` are asyncio's.
    """

    seconds: float
    resident_mib: float
    objects: float
    tasks: float
    threads: float
    descriptors: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """How one of these went on after the first quarter, in which all is made and warm."""

    name: str
    first: float
    last: float
    lowest: float
    highest: float
    per_hour: float
    grows: bool


def read(file: Path) -> list[Sample]:
    """Return the samples of a CSV file."""
    with file.open(newline="") as lines:
        rows = list(csv.reader(lines))
    return [Sample(*map(float, row)) for row in rows[1:]]


def trends(samples: Sequence[Sample]) -> list[Trend]:
    """Return how each went on. Raises ValueError where there are too few samples to tell."""
    taken = samples[int(len(samples) * _WARM_UP) :]
    if len(taken) < 8:
        raise ValueError(f"{len(samples)} samples tell nothing: let it run for longer")
    return [_trend(name, taken) for name in LIMITS_PER_HOUR]


def _trend(name: str, taken: Sequence[Sample]) -> Trend:
    """Fit a line: what is less than the values scatter about it is no growth either."""
    hours = [each.seconds / 3600 for each in taken]
    values = [float(getattr(each, name)) for each in taken]
    slope, start = linear_regression(hours, values)
    scatter = stdev(y - (start + slope * x) for x, y in zip(hours, values, strict=True))
    few, level, growth = len(values) // 4, median(values), slope * (hours[-1] - hours[0])
    return Trend(
        name=name,
        first=median(values[:few]),
        last=median(values[-few:]),
        lowest=min(values),
        highest=max(values),
        per_hour=slope,
        grows=(
            slope > LIMITS_PER_HOUR[name] * level and growth > max(_LEAST_GROWTH * level, scatter)
        ),
    )
