"""SI values and instants as text, in the units and notation that a reader is used to.

The notation is the Unicode CLDR's, by way of Babel.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from babel import Locale
from babel.dates import format_date, format_skeleton, format_timedelta
from babel.numbers import format_decimal, format_percent
from babel.units import format_compound_unit, format_unit

from weather_webapp.settings import Units

MINUS = "\N{MINUS SIGN}"
NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
METRES_PER_MILE = 1609.344
PASCALS_PER_INCH_OF_MERCURY = 3386.389
HOUR = "duration-hour"


@dataclass(frozen=True, slots=True)
class Formatter:
    """Formats SI values in one system of units, and moments, as a locale does."""

    units: Units
    locale: Locale

    @property
    def _imperial(self) -> bool:
        return self.units == "imperial"

    def temperature(self, celsius: float) -> str:
        """Return whole degrees, such as 18°."""
        return f"{_whole(round(celsius * 9 / 5 + 32 if self._imperial else celsius), self.locale)}°"

    @property
    def temperature_unit(self) -> str:
        """The letter after the degree sign."""
        return "F" if self._imperial else "C"

    def speed(self, metres_per_second: float) -> str:
        """Return km/h, or miles per hour."""
        if self._imperial:
            value = metres_per_second * 3600 / METRES_PER_MILE
            return self._measure(value, "speed-mile-per-hour")
        return self._measure(metres_per_second * 3.6, "speed-kilometer-per-hour")

    def pressure(self, pascals: float) -> str:
        """Return hPa, or inches of mercury."""
        if self._imperial:
            inches = pascals / PASCALS_PER_INCH_OF_MERCURY
            return self._measure(inches, "pressure-inch-ofhg", digits=2)
        return self._measure(pascals / 100, "pressure-hectopascal")

    def distance(self, metres: float) -> str:
        """Return km, or miles."""
        if self._imperial:
            return self._measure(metres / METRES_PER_MILE, "length-mile", digits=1)
        return self._measure(metres / 1000, "length-kilometer", digits=1)

    def rate(self, millimetres_per_hour: float) -> str:
        """Return mm/h, or inches per hour."""
        if self._imperial:
            return self._measure(millimetres_per_hour / 25.4, "length-inch", digits=2, per=HOUR)
        return self._measure(millimetres_per_hour, "length-millimeter", digits=1, per=HOUR)

    def percentage(self, share: float) -> str:
        """Return a share from 0 to 1 as a percentage."""
        return _percentage(round(share * 100), self.locale)

    def weekday(self, day: date) -> str:
        """Return the day of the week, abbreviated."""
        return format_date(day, "ccc", locale=self.locale)

    def day(self, day: date) -> str:
        """Return the day and the month."""
        return format_skeleton("MMMd", day, locale=self.locale)

    def day_and_time(self, moment: datetime) -> str:
        """Return the day of the week and the time of a clock of 24 hours."""
        return format_skeleton("EHm", moment, locale=self.locale)

    def ago(self, since: timedelta) -> str:
        """Return how long ago this is, in whole minutes, hours or days; at least a minute."""
        minutes = int(since.total_seconds() // 60)
        for unit in (24 * 60, 60, 1):
            if minutes >= 2 * unit:
                break
        whole = timedelta(minutes=minutes // unit * unit)
        # Two of a unit at least: 119 minutes are no hours yet.
        return format_timedelta(
            -whole, granularity="minute", threshold=2, add_direction=True, locale=self.locale
        )

    def _measure(self, value: float, unit: str, *, digits: int = 0, per: str | None = None) -> str:
        return _measure(round(value, digits), unit, digits, per, self.locale)


def timestamp(moment: datetime | None) -> str | None:
    """Return an instant (UTC) to the second in RFC 3339's format."""
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


# Babel takes a twentieth of a millisecond for each number, and a page has many that are alike.
@lru_cache(maxsize=1000)
def _whole(value: int, locale: Locale) -> str:
    return _typeset(format_decimal(value, format="0", locale=locale))


@lru_cache(maxsize=1000)
def _percentage(percent: int, locale: Locale) -> str:
    return _typeset(format_percent(percent / 100, locale=locale))


@lru_cache(maxsize=1000)
def _measure(value: float, unit: str, digits: int, per: str | None, locale: Locale) -> str:
    pattern = f"0.{'0' * digits}" if digits else "0"
    if per is None:
        return _typeset(format_unit(value, unit, "short", format=pattern, locale=locale))
    text = format_compound_unit(
        value, unit, denominator_unit=per, length="short", format=pattern, locale=locale
    )
    return _typeset(text or "")


def _typeset(text: str) -> str:
    """Return the text with a real minus sign, and in one line."""
    return NARROW_SPACE.join(text.replace("-", MINUS).split())
