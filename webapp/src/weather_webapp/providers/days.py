"""Days from the moments of a forecast, by the place's own calendar."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import groupby

from weather_webapp.weather import Condition, Day, Hour

SEVERITY = {condition: rank for rank, condition in enumerate(Condition)}


def days_of(hours: Iterable[Hour], utc_offset: timedelta) -> tuple[Day, ...]:
    """Return a day for each local date: its extremes, and what its daylight mostly brings.

    `hours` ascend in time.
    """
    by_date = groupby(hours, key=lambda hour: (hour.at + utc_offset).date())
    return tuple(_day(on, tuple(group)) for on, group in by_date)


def _day(on: date, hours: tuple[Hour, ...]) -> Day:
    temperatures = [hour.temperature for hour in hours]
    counts = Counter(hour.condition for hour in hours if hour.daylight) or Counter(
        hour.condition for hour in hours
    )
    chances = [h.precipitation_chance for h in hours if h.precipitation_chance is not None]
    return Day(
        on=on,
        low=min(temperatures),
        high=max(temperatures),
        condition=max(counts, key=lambda condition: (counts[condition], SEVERITY[condition])),
        precipitation_chance=max(chances, default=None),
    )
