"""Time that can be trusted: the API server's for dates, the machine's since its boot for intervals.

Clocks of machines differ, so a date that is stored or compared with a stored one is the server's:
what its last answer said, and the seconds since then. Seconds are counted by a clock that goes on
while the machine is suspended, as everybody else's time does.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boot_seconds() -> float:
    """Return seconds since some moment; no change of the date and no suspension hides any."""
    return time.clock_gettime(_CLOCK)


class ServerClock:
    """The time of the API server; of this machine before the first answer."""

    def __init__(self, *, clock: Callable[[], float] = boot_seconds) -> None:
        self._clock = clock
        self._answered = datetime.now(UTC)
        self._answered_at = clock()

    def set(self, date: str) -> None:
        """Take in the `Date` header of an answer that came just now; what is none is passed over.

        It says the second that has begun, so what is told from it is late by a second at most,
        and never goes back.
        """
        try:
            answered = parsedate_to_datetime(date)
        except ValueError:
            return
        self._answered, self._answered_at = answered.astimezone(UTC), self._clock()

    def now(self) -> str:
        """Return the time as the API writes it: RFC 3339, whole seconds."""
        since = timedelta(seconds=self._clock() - self._answered_at)
        return f"{self._answered + since:%Y-%m-%dT%H:%M:%SZ}"
