"""Change windows: when a rollout may begin, by the clocks of where people are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from weather_operator.model import Window

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """No window is open. `opens_at` is when the next one opens, in RFC 3339, None if none does."""

    opens_at: str | None
    message: str


def closed(windows: Sequence[Window], now: str) -> Closed | None:
    """Return what a rollout waits for at a time in RFC 3339, None where it may begin.

    A window that ends before it starts ends on the next day. One whose time zone is not known never
    opens.
    """
    if not windows:
        return None
    moment = datetime.fromisoformat(now)
    openings: list[datetime] = []
    for window in windows:
        for start, end in _around(window, moment):
            if start <= moment < end:
                return None
            openings.append(start)
    opens_at = min((each for each in openings if each > moment), default=None)
    if opens_at is None:
        zones = ", ".join(sorted({each.time_zone for each in windows}))
        message = f"no time zone is called {zones}: write for example Europe/London"
        return Closed(opens_at=None, message=message)
    text = opens_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Closed(opens_at=text, message=f"the next one opens at {text}")


def _around(window: Window, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield when the window is open, from the day before the moment to two weeks after it.

    By then every day of the week has come twice, and the clocks leave an hour out of one at most.
    """
    try:
        zone = ZoneInfo(window.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return
    today = moment.astimezone(zone).date()
    for offset in range(-1, 2 * len(_DAYS) + 1):
        day = today + timedelta(days=offset)
        if window.days and _DAYS[day.weekday()] not in window.days:
            continue
        clock = window.start
        if clock == "24:00":
            day, clock = day + timedelta(days=1), "00:00"
        start = _at(day, clock, zone)
        end = _at(day + timedelta(days=window.end <= clock), window.end, zone)
        # One that begins in an hour which the clocks leave out may have no time left on that day.
        if start < end:
            yield start, end


def _at(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """Return the moment of a day; 24:00 is the next day's beginning."""
    if clock == "24:00":
        day, clock = day + timedelta(days=1), "00:00"
    return datetime.combine(day, time.fromisoformat(clock), tzinfo=zone).astimezone(UTC)
