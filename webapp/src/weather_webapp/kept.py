"""Answers that are made once a second, however many ask."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime

MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """An answer's body and the headers that belong to it."""

    body: bytes
    headers: Mapping[str, str]


class Kept:
    """Holds what was composed in the current second, by what it was composed for."""

    def __init__(self) -> None:
        self._second: datetime | None = None
        self._answers: dict[Hashable, Composed] = {}

    def get(self, wanted: Hashable, now: datetime) -> Composed | None:
        """Return what was composed for this in the second of `now`."""
        self._turn(now)
        return self._answers.get(wanted)

    def put(self, wanted: Hashable, answer: Composed, now: datetime) -> None:
        """Keep this answer, composed at `now`, to the end of its second."""
        self._turn(now)
        if len(self._answers) < MOST:
            self._answers[wanted] = answer

    def _turn(self, now: datetime) -> None:
        second = now.replace(microsecond=0)
        if second != self._second:
            self._second = second
            self._answers.clear()
