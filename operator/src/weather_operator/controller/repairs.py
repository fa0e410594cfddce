"""How soon a field of a child may be put back: what others keep changing is left alone for longer.

A field that an apply did not change, or that somebody changed again after it was put back, is
*contested*. Each further attempt at the same value waits twice as long as the one before; what the
API server itself changed during the apply (admission does) waits long at once, since nothing else
will come of it. A newly declared value is tried at once, and with it all others of that object.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from weather_operator.kube.apply import Cause, Difference, Field
from weather_operator.kube.resources import Key

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 300.0
OVERRIDDEN_SECONDS = 600.0
QUIET_SECONDS = 1200.0

_Fields = dict[tuple[str, ...], "_Attempt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """The last apply of one declared value, what the field was after it, how often, and when."""

    declared: Any
    result: Any
    count: int
    at: float

    def wait(self, live: Any) -> float:
        """Return for how long after the attempt the field is left as it is now."""
        if self.result != self.declared and live == self.result:
            return OVERRIDDEN_SECONDS
        return min(FIRST_SECONDS * 2.0 ** (self.count - 1), LONGEST_SECONDS)


class Repairs:
    """What was tried of each app's children. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._attempts: dict[Key, dict[tuple[str, str], _Fields]] = {}

    def wait(self, app: Key, child: tuple[str, str], found: Difference) -> float:
        """Return for how many seconds a child stays as it is; 0 where it is to be applied now.

        `child` is its kind's name and the field manager.
        """
        attempts = self._attempts.get(app, {}).get(child, {})
        return min((self._wait(attempts, field) for field in found.fields), default=0.0)

    def record(
        self, app: Key, child: tuple[str, str], found: Difference, remaining: Difference
    ) -> None:
        """Note an apply because of the fields found, and which of them still differ after it."""
        left = {field.keys: field.live for field in remaining.fields}
        tried = {field.keys: field for field in (*found.fields, *remaining.fields)}
        contested = {
            keys: field
            for keys, field in tried.items()
            if keys in left or field.cause is not Cause.OUTDATED
        }
        if not contested:
            return
        attempts = self._attempts.setdefault(app, {}).setdefault(child, {})
        for keys, field in contested.items():
            before = attempts.get(keys)
            attempts[keys] = _Attempt(
                declared=field.declared,
                result=left.get(keys, field.declared),
                count=before.count + 1 if before and self._continues(before, field) else 1,
                at=self._clock(),
            )

    def forget(self, app: Key) -> None:
        """Drop what is known of an app that is gone."""
        self._attempts.pop(app, None)

    def _wait(self, attempts: _Fields, field: Field) -> float:
        attempt = attempts.get(field.keys)
        if attempt is None or not self._continues(attempt, field):
            return 0.0
        return max(attempt.at + attempt.wait(field.live) - self._clock(), 0.0)

    def _continues(self, attempt: _Attempt, field: Field) -> bool:
        """Tell whether it is the same dispute: after a quiet while it is a new one."""
        is_recent = self._clock() - attempt.at < QUIET_SECONDS
        return is_recent and attempt.declared == field.declared
