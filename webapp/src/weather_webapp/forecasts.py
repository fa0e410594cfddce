"""The hours and days ahead in the reader's words and units."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from weather_webapp.catalogue import Catalogue
from weather_webapp.charts import Bar, bars
from weather_webapp.units import Formatter, share
from weather_webapp.weather import Condition, Weather

COLUMNS = 8
# Below this a chance of precipitation is not worth a word.
UNLIKELY = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class HourView:
    """One column of the next 24 hours."""

    time: str
    temperature: str
    icon: str
    condition: str
    chance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayView:
    """One row of the next days."""

    name: str
    date: str
    low: str
    high: str
    icon: str
    condition: str
    chance: str
    bar: Bar


def icon_of(condition: Condition, daylight: bool) -> str:
    """Return the name of the icon's symbol; only an open sky looks different by night."""
    if condition in (Condition.CLEAR, Condition.PARTLY_CLOUDY):
        return f"{condition}-{'day' if daylight else 'night'}"
    return condition.value


def hour_views(weather: Weather, words: Catalogue, write: Formatter) -> Iterator[HourView]:
    """Give as many of the hours as there are columns, evenly spread."""
    step = max(1, len(weather.hours) // COLUMNS)
    for hour in weather.hours[::step][:COLUMNS]:
        yield HourView(
            time=f"{hour.at + weather.utc_offset:%H:%M}",
            temperature=write.temperature(hour.temperature),
            icon=icon_of(hour.condition, hour.daylight),
            condition=words.text(f"condition.{hour.condition}"),
            chance=_chance(hour.precipitation_chance),
        )


def day_views(
    weather: Weather, words: Catalogue, write: Formatter, now: datetime
) -> Iterator[DayView]:
    """Give the days by their names; that of `now` (UTC) there is today."""
    names = words.names("day")
    today = (now + weather.utc_offset).date()
    for day, bar in zip(weather.days, bars(weather.days), strict=True):
        yield DayView(
            name=words.text("day.today") if day.on == today else names[day.on.weekday()],
            date=day.on.isoformat(),
            low=write.temperature(day.low),
            high=write.temperature(day.high),
            icon=icon_of(day.condition, True),
            condition=words.text(f"condition.{day.condition}"),
            chance=_chance(day.precipitation_chance),
            bar=bar,
        )


def _chance(chance: float | None) -> str:
    return share(chance) if chance is not None and chance >= UNLIKELY else ""
