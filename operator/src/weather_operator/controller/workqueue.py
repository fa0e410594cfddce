"""The work queue: keys that wait for a worker, each once, the urgent first, none twice at a time.

A key goes round like this. `add` makes it wait: `_waiting` has it until a worker takes it, a timer
has it until it is due, and the priority queue `_ready` from then on. `take` hands it to a worker,
which gives it back with `done`. Adding a key that waits moves it forward: the entry in `_waiting`
is replaced, and an older one in `_ready` is passed over when its turn comes. Adding a key that a
worker has leaves it in `_waiting` until `done`, so whatever happens during a pass leads to another.

After a pass that failed, `add_rate_limited` adds the key with a delay that doubles with each
failure in a row; `forget` ends the row.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

from weather_operator.kube.resources import Key

SETTLE_SECONDS = 0.15
"""How long a key waits for the cluster's own controllers to react to what was just written."""

FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 300.0


class Priority(IntEnum):
    """Why a key is added; the lower number goes first."""

    USER = 0
    CHILD = 1
    RESYNC = 2


class Timer(Protocol):
    """A scheduled call, as the event loop returns it."""

    def cancel(self) -> None:
        """Prevent the call."""


CallLater = Callable[..., Timer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A key that waits until `due` (seconds of the queue's clock), or that a worker has taken."""

    key: Key
    priority: Priority
    due: float


class WorkQueue:
    """A queue in which a key waits at most once and is worked on by at most one worker.

    Adding a waiting key makes it as urgent and as early as the more urgent and the earlier of both.
    A key added while it is worked on waits until that work is done, and then is worked on again.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        call_later: CallLater | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._call_later = call_later
        self._jitter = jitter
        self._waiting: dict[Key, Work] = {}
        self._timers: dict[Key, Timer] = {}
        self._active: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._ready: asyncio.PriorityQueue[tuple[Priority, int, Work]] = asyncio.PriorityQueue()
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: Key, priority: Priority, *, delay: float = 0) -> None:
        """Let the key be worked on once more, `delay` seconds from now at the latest."""
        work = Work(key=key, priority=priority, due=self._clock() + delay)
        if before := self._waiting.get(key):
            sooner, urgent = min(before.due, work.due), min(before.priority, work.priority)
            if (sooner, urgent) == (before.due, before.priority):
                return
            work = Work(key=key, priority=urgent, due=sooner)
        self._waiting[key] = work
        if key not in self._active:
            self._schedule(work)

    async def take(self) -> Work:
        """Wait for the most urgent key that is due and take it; give it back with `done`."""
        while True:
            _, _, work = await self._ready.get()
            # An entry that was made more urgent, or taken already, left this one behind.
            if self._waiting.get(work.key) is work:
                del self._waiting[work.key]
                self._active.add(work.key)
                return work

    def done(self, key: Key) -> None:
        """Give back a key that was taken."""
        self._active.discard(key)
        if work := self._waiting.get(key):
            self._schedule(work)

    def add_rate_limited(self, key: Key, *, at_least: float = 0) -> float:
        """Add a key that failed, for later than the last time; return in how many seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        longest = min(FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 30), LONGEST_BACKOFF_SECONDS)
        delay = max(longest * (0.5 + self._jitter() / 2), at_least)
        self.add(key, Priority.RESYNC, delay=delay)
        return delay

    def forget(self, key: Key) -> None:
        """End the row of failures: the next one of the key is its first again."""
        self._failures.pop(key, None)

    def oldest_age(self) -> float:
        """Return for how many seconds the key waits that has been due the longest."""
        now = self._clock()
        waiting = (now - work.due for work in self._waiting.values())
        return max((age for age in waiting if age > 0), default=0.0)

    def _schedule(self, work: Work) -> None:
        if timer := self._timers.pop(work.key, None):
            timer.cancel()
        if (delay := work.due - self._clock()) > 0:
            self._timers[work.key] = self._schedule_call(delay, self._make_ready, work)
        else:
            self._make_ready(work)

    def _make_ready(self, work: Work) -> None:
        self._timers.pop(work.key, None)
        self._ready.put_nowait((work.priority, next(self._order), work))

    def _schedule_call(self, delay: float, call: Callable[..., None], *arguments: Any) -> Timer:
        schedule = self._call_later or asyncio.get_running_loop().call_later
        return schedule(delay, call, *arguments)
