"""When to leave a provider alone, and for how long."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

from weather_webapp.providers import Failure, ProviderError

OPENS_AFTER = 5
OPENS_AT_ONCE = {Failure.KEY_REFUSED, Failure.QUOTA_EXCEEDED}
MINUTE = timedelta(minutes=1)
# The first pause after a failure, and the longest when failures go on.
PAUSES = {
    Failure.NO_KEY: (timedelta(seconds=10), timedelta(seconds=10)),
    Failure.KEY_REFUSED: (10 * MINUTE, 10 * MINUTE),
    Failure.CITY_UNKNOWN: (60 * MINUTE, 60 * MINUTE),
    Failure.QUOTA_EXCEEDED: (MINUTE, 10 * MINUTE),
    Failure.BUDGET_SPENT: (timedelta(seconds=5), timedelta(seconds=5)),
    Failure.UNAVAILABLE: (timedelta(seconds=15), 5 * MINUTE),
    Failure.UNREADABLE: (MINUTE, 10 * MINUTE),
}
LONGEST_DOUBLING = 10


def pause_after(error: ProviderError, times: int, now: datetime, random: Random) -> timedelta:
    """Return how long to wait after this failure, the `times`-th in a row; never less than asked.

    Doubles with each failure. The end is spread over half as much again, so that many pods do not
    come back at once. A quota of the hour or the day is waited for until it is renewed (UTC).
    """
    first, longest = PAUSES[error.failure]
    pause = min(first * 2.0 ** min(times - 1, LONGEST_DOUBLING), longest)
    spread = pause * random.uniform(0, 0.5)
    return max(pause, _renewal(error, now)) + spread


def _renewal(error: ProviderError, now: datetime) -> timedelta:
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    match error.quota:
        case "hour":
            return hour + timedelta(hours=1) - now
        case "day":
            return hour.replace(hour=0) + timedelta(days=1) - now
        case _:
            return timedelta(0)


class Breaker:
    """Opens after five failures in a row, or at once when key or quota are the reason.

    While it is open nothing is asked; then one call may try, and its outcome decides.
    """

    def __init__(self, now: Callable[[], datetime], random: Random) -> None:
        self._now = now
        self._random = random
        self._failures = 0
        self._cause = Failure.UNAVAILABLE
        self._open_until: datetime | None = None
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether the provider is left alone, or is being tried after that."""
        return self._open_until is not None

    def refusal(self) -> tuple[Failure, datetime] | None:
        """Return why no call may be made now, and when to ask again; None when one may."""
        if self._open_until is None:
            return None
        now = self._now()
        if now < self._open_until:
            return self._cause, self._open_until
        if self._trying:
            return self._cause, now + PAUSES[Failure.BUDGET_SPENT][0]
        return None

    def enter(self) -> bool:
        """Take note that a call is made; return whether it is the one that tries after a pause."""
        self._trying = self.is_open
        return self._trying

    def leave(self, *, tried: bool) -> None:
        """Take note that a call has ended, whatever came of it."""
        if tried:
            self._trying = False

    def succeeded(self) -> None:
        """Close."""
        self._failures = 0
        self._open_until = None

    def failed(self, error: ProviderError) -> datetime:
        """Count the failure, open when it is due, and return when to ask again."""
        self._failures += 1
        now = self._now()
        again_at = now + pause_after(error, self._failures, now, self._random)
        if self.is_open or self._failures >= OPENS_AFTER or error.failure in OPENS_AT_ONCE:
            self._open_until = again_at
            self._cause = error.failure
        return again_at
