"""SI values and instants as text, in the units and notation that a reader is used to."""

from dataclasses import dataclass
from datetime import datetime

from weather_webapp.settings import Units

MINUS = "\N{MINUS SIGN}"
NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
METRES_PER_MILE = 1609.344
PASCALS_PER_INCH_OF_MERCURY = 3386.389


@dataclass(frozen=True, slots=True)
class Formatter:
    """Formats SI values in one system of units, with a language's decimal mark."""

    units: Units
    decimal: str = "."

    @property
    def _imperial(self) -> bool:
        return self.units == "imperial"

    def temperature(self, celsius: float) -> str:
        """Return whole degrees, such as 18°."""
        return f"{_whole(celsius * 9 / 5 + 32 if self._imperial else celsius)}°"

    @property
    def temperature_unit(self) -> str:
        """The letter after the degree sign."""
        return "F" if self._imperial else "C"

    def speed(self, metres_per_second: float) -> str:
        """Return km/h, or miles per hour."""
        if self._imperial:
            return _with_unit(_whole(metres_per_second * 3600 / METRES_PER_MILE), "mph")
        return _with_unit(_whole(metres_per_second * 3.6), "km/h")

    def pressure(self, pascals: float) -> str:
        """Return hPa, or inches of mercury."""
        if self._imperial:
            return _with_unit(self._fraction(pascals / PASCALS_PER_INCH_OF_MERCURY, 2), "inHg")
        return _with_unit(_whole(pascals / 100), "hPa")

    def distance(self, metres: float) -> str:
        """Return km, or miles."""
        if self._imperial:
            return _with_unit(self._fraction(metres / METRES_PER_MILE, 1), "mi")
        return _with_unit(self._fraction(metres / 1000, 1), "km")

    def rate(self, millimetres_per_hour: float) -> str:
        """Return mm/h, or inches per hour."""
        if self._imperial:
            return _with_unit(self._fraction(millimetres_per_hour / 25.4, 2), "in/h")
        return _with_unit(self._fraction(millimetres_per_hour, 1), "mm/h")

    def _fraction(self, value: float, digits: int) -> str:
        return f"{value:.{digits}f}".replace(".", self.decimal)


def timestamp(moment: datetime | None) -> str | None:
    """Return an instant (UTC) to the second in RFC 3339's format."""
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def percentage(value: float) -> str:
    """Return a share from 0 to 1 as a percentage."""
    return _with_unit(_whole(value * 100), "%")


def _with_unit(number: str, unit: str) -> str:
    return f"{number}{NARROW_SPACE}{unit}"


def _whole(value: float) -> str:
    rounded = round(value)
    return f"{MINUS if rounded < 0 else ''}{abs(rounded)}"
