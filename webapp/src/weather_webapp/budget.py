"""How many upstream calls we allow ourselves."""

from collections.abc import Callable
from datetime import datetime, timedelta


class Budget:
    """A bucket of calls that is full at first and fills evenly, `per_minute` calls a minute."""

    def __init__(self, per_minute: int, now: Callable[[], datetime]) -> None:
        self._size = float(per_minute)
        self._left = self._size
        self._now = now
        self._counted_at = now()

    @property
    def left(self) -> float:
        """How many calls may be made now."""
        now = self._now()
        minutes = max(0.0, (now - self._counted_at) / timedelta(minutes=1))
        self._left = min(self._size, self._left + minutes * self._size)
        self._counted_at = now
        return self._left

    def take(self, calls: int) -> bool:
        """Take so many calls, or none when fewer are left.

        What needs more than the bucket holds takes a full one, or it would never be allowed.
        """
        needed = min(float(calls), self._size)
        if self.left < needed:
            return False
        self._left -= needed
        return True

    def give_back(self, calls: int) -> None:
        """Return calls that were taken and not made."""
        self._left = min(self._size, self._left + calls)
