"""Reads values of a provider's JSON, and accepts only what could be true on this planet."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

# What parsing an answer of an unexpected shape may raise.
UNREADABLE = (AttributeError, LookupError, TypeError, ValueError, OverflowError)

T = TypeVar("T")

Range = tuple[float, float]
TEMPERATURE: Range = (-100, 70)
PERCENT: Range = (0, 100)
CHANCE: Range = (0, 1)
HECTOPASCAL: Range = (800, 1100)
SPEED: Range = (0, 150)
DIRECTION: Range = (0, 360)
METRES: Range = (0, 1_000_000)
RATE: Range = (0, 1000)
LATITUDE: Range = (-90, 90)
LONGITUDE: Range = (-180, 180)
INSTANT: Range = (946_684_800, 4_102_444_800)  # the years 2000 to 2099
OFFSET: Range = (-16 * 3600, 16 * 3600)
MAX_NAME_LENGTH = 100


def number(value: object, within: Range) -> float:
    """Return the number. Raises ValueError when it is none, or out of its range."""
    low, high = within
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError("not a number in its range")
    return float(value)


def optional(value: object, within: Range, factor: float = 1) -> float | None:
    """Return the number times the factor, or None when it is missing or out of range."""
    try:
        return number(value, within) * factor
    except ValueError:
        return None


def instant(value: object) -> datetime:
    """Return the instant of a Unix time. Raises ValueError."""
    return datetime.fromtimestamp(number(value, INSTANT), UTC)


def optional_instant(value: object) -> datetime | None:
    """Return the instant of a Unix time, or None."""
    seconds = optional(value, INSTANT)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def offset(value: object) -> timedelta:
    """Return the difference to UTC of so many seconds. Raises ValueError."""
    return timedelta(seconds=number(value, OFFSET))


def zone(value: object, at: datetime, utc_offset: timedelta) -> ZoneInfo | None:
    """Return the time zone of this name, or None when it is none or its clocks differ by then."""
    try:
        found = ZoneInfo(str(value))
    except (OSError, ValueError, LookupError):
        return None
    return found if found.utcoffset(at.astimezone(found)) == utc_offset else None


def name(value: object) -> str:
    """Return the text. Raises ValueError when it is none, empty, or not fit to be printed."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError("not a name")
    return value[:MAX_NAME_LENGTH]


def country(value: object) -> str:
    """Return the ISO code in capitals, or "" when it is none."""
    is_code = isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalpha()
    return str(value).upper() if is_code else ""


def section(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the object under this key; an empty one when it was left out or is none."""
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def parsable(parse: Callable[[Any], T], items: Iterable[Any]) -> Iterator[T]:
    """Yield each item parsed, without those that cannot be."""
    for item in items:
        try:
            parsed = parse(item)
        except UNREADABLE:
            continue
        yield parsed
