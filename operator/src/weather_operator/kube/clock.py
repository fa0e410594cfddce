"""Time that can be trusted: the API server's for dates, the machine's since its boot for intervals.

Clocks of machines differ, so a date that is stored or compared with a stored one is the server's:
what its last answer said, and the seconds since then. Seconds are counted by a clock that goes on
while the machine is suspended, as everybody else's time does.

The server's clock may be set to another time, and of several servers each has its own. All that
waits for a deadline would find it over at once, or hours away. So a difference of more than a
moment is made up slowly: until then time passes half as fast again, or half as fast.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boot_seconds() -> float:
    """Return seconds since some moment; no change of the date and no suspension hides any."""
    return time.clock_gettime(_CLOCK)


_MOMENT = timedelta(seconds=3)
_PRECISION = timedelta(seconds=1)
_PACE = 0.5


class ServerClock:
    """The time of the API server; of this machine before the first answer. It never goes back."""

    def __init__(self, *, clock: Callable[[], float] = boot_seconds) -> None:
        self._clock = clock
        self._told = self._heard = datetime.now(UTC)
        self._at = clock()
        self._has_answered = False

    def set(self, date: str) -> None:
        """Take in the `Date` header of an answer that came just now; what is none is passed over.

        It says the second that has begun, so what is told from it is late by a second at most.
        """
        try:
            answered = parsedate_to_datetime(date).astimezone(UTC)
        except ValueError:
            return
        self._advance()
        self._heard = answered
        if not self._has_answered or timedelta() < self._heard - self._told <= _MOMENT:
            self._told = self._heard
        self._has_answered = True

    def now(self) -> str:
        """Return the time as the API writes it: RFC 3339, whole seconds."""
        self._advance()
        return f"{self._told:%Y-%m-%dT%H:%M:%SZ}"

    def _advance(self) -> None:
        """Let pass what has passed since the last time, faster or slower while they differ."""
        now = self._clock()
        passed = timedelta(seconds=now - self._at)
        behind = self._heard - self._told
        self._at, self._heard = now, self._heard + passed
        pace = 0.0 if -_PRECISION <= behind <= timedelta() else _PACE
        self._told += passed + max(min(behind, passed * pace), -passed * pace)
