"""The work queue: keys that wait for a worker, each once, the urgent first, none twice at a time.

A key goes round like this. `add` makes it wait: `_waiting` has it until a worker takes it, a timer
has it until it is due, and from then on it stands in a line of `_ready`. `take` hands it to a
worker, which gives it back with `done`. Adding a key that waits moves it forward: the entry in
`_waiting` is replaced, and an older one in a line is passed over when its turn comes. Adding a key
that a worker has leaves it in `_waiting` until `done`, so whatever happens during a pass leads to
another.

Who goes first of those that are due:

1. the more urgent (`Priority`);
2. of these, whose change is under way (`add_next_step`) before whose change is to begin, so that
   of many that begin together the first are finished soon, and not all of them at the end;
3. of these, the namespaces by turns, and in each of them whoever has been due the longest.

A quarter of the workers is spare: those take only keys of namespaces of which nobody is worked on.
So where some namespaces hold all the others for long, the rest find one free. A pass that takes
long is `set_aside`: another may begin in its place, so that workers are not held by what hangs.

After a pass that failed, `add_rate_limited` adds the key, as urgent as it was, with a delay that
doubles with each failure in a row; `forget_failures` ends the row.
"""

import asyncio
import random
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

from weather_operator.kube.resources import Key

SETTLE_SECONDS = 0.15
"""How long a key waits for the cluster's own controllers to react to what was just written."""

FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 10.0
"""So soon the end of what was in the way is noticed, while few keys fail."""

RETRIES_PER_SECOND = 10
"""How often all keys that fail are tried: the more there are, the more seldom each."""

MOST_SET_ASIDE = 16
"""How many passes may go on beside those that the workers do, because they take long."""


class Priority(IntEnum):
    """Why a key is added; the lower number goes first."""

    USER = 0
    """Somebody changed a WeatherApp that has a status."""
    CHILD = 1
    """A child changed: it may need a repair, or be what was waited for."""
    NEW = 2
    """A WeatherApp has no status yet."""
    RELEASE = 3
    """A release changed, which any number of apps may run."""
    RESYNC = 4
    """Nothing is known to have changed."""


class Timer(Protocol):
    """A scheduled call, as the event loop returns it."""

    def cancel(self) -> None:
        """Prevent the call."""


CallLater = Callable[..., Timer]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """A key that waits until `due` (seconds of the queue's clock), or that a worker has taken.

    `priority` is the most urgent reason why it was added, `rank` the line in which it stands: those
    of the lowest number go first.
    """

    key: Key
    priority: Priority
    rank: int
    due: float


class WorkQueue:
    """A queue in which a key waits at most once and is worked on by at most one worker.

    Adding a waiting key makes it as urgent and as early as the more urgent and the earlier of both.
    A key added while it is worked on waits until that work is done, and then is worked on again.
    """

    def __init__(
        self,
        *,
        workers: int = 20,
        clock: Callable[[], float] = time.monotonic,
        call_later: CallLater | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._spare = workers // 4
        self._workers = workers - self._spare
        self._clock = clock
        self._call_later = call_later
        self._jitter = jitter
        self._waiting: dict[Key, Work] = {}
        self._timers: dict[Key, Timer] = {}
        self._active: set[Key] = set()
        self._on_spare: set[Key] = set()
        self._set_aside: set[Key] = set()
        self._busy: Counter[str] = Counter()
        self._failures: dict[Key, int] = {}
        self._under_way: dict[Key, Priority] = {}
        self._ready: dict[int, OrderedDict[str, deque[Work]]] = {}
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: Key, priority: Priority, *, delay: float = 0) -> None:
        """Let the key be worked on once more, `delay` seconds from now at the latest."""
        rank = _rank(priority)
        if (begun := self._under_way.get(key)) is not None:
            rank = min(rank, _rank(begun, under_way=True))
        self._add(key, priority, rank, delay)

    def add_next_step(self, work: Work, *, delay: float) -> None:
        """Let the change that this work is about go on, before others of its priority begin."""
        begun = self._under_way.get(work.key, work.priority)
        self._under_way[work.key] = min(begun, work.priority)
        self.add(work.key, work.priority, delay=delay)

    def add_look(self, key: Key, *, delay: float) -> None:
        """Let somebody look how far a change is: that is never as urgent as what began it."""
        self._add(key, Priority.RESYNC, _rank(Priority.CHILD), delay)

    def add_rate_limited(self, work: Work, *, at_least: float = 0) -> float:
        """Add a key that failed, for later than the last time; return in how many seconds."""
        failures = self._failures.get(work.key, 0)
        self._failures[work.key] = failures + 1
        longest = max(LONGEST_BACKOFF_SECONDS, len(self._failures) / RETRIES_PER_SECOND)
        longest = min(FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 30), longest)
        delay = max(longest * (0.5 + self._jitter() / 2), at_least)
        self._add(work.key, work.priority, work.rank, delay)
        return delay

    def forget_failures(self, key: Key) -> None:
        """End the row of failures: the next one of the key is its first again."""
        self._failures.pop(key, None)

    def forget(self, key: Key) -> None:
        """End the row of failures and the change that was under way: what follows is a new one."""
        self.forget_failures(key)
        self._under_way.pop(key, None)

    async def take(self) -> Work:
        """Wait for a free worker and the key whose turn it is, and take it; end with `done`."""
        while (work := self._next()) is None:
            self._changed.clear()
            await self._changed.wait()
        del self._waiting[work.key]
        self._active.add(work.key)
        if not self._has_worker():
            self._on_spare.add(work.key)
        self._busy[work.key.namespace] += 1
        return work

    def set_aside(self, key: Key) -> None:
        """Count a key that was taken no longer: its work takes long, and others would wait."""
        if key in self._active - self._set_aside and len(self._set_aside) < MOST_SET_ASIDE:
            self._free(key)
            self._set_aside.add(key)

    def done(self, key: Key) -> None:
        """Give back a key that was taken."""
        self._active.discard(key)
        if key in self._set_aside:
            self._set_aside.discard(key)
        else:
            self._free(key)
        if work := self._waiting.get(key):
            self._schedule(work)

    def is_under_way(self, key: Key) -> bool:
        """Tell whether a key is worked on, or a change of it goes on that no failure keeps."""
        return key in self._active or (key in self._under_way and key not in self._failures)

    def oldest_age(self) -> float:
        """Return for how many seconds the key waits that has been due the longest."""
        now = self._clock()
        waiting = (now - work.due for work in self._waiting.values())
        return max((age for age in waiting if age > 0), default=0.0)

    def _add(self, key: Key, priority: Priority, rank: int, delay: float) -> None:
        work = Work(key=key, priority=priority, rank=rank, due=self._clock() + delay)
        if before := self._waiting.get(key):
            work = Work(
                key=key,
                priority=min(before.priority, priority),
                rank=min(before.rank, rank),
                due=min(before.due, work.due),
            )
            if (work.priority, work.rank, work.due) == (before.priority, before.rank, before.due):
                return
        self._waiting[key] = work
        if key not in self._active:
            self._schedule(work)

    def _schedule(self, work: Work) -> None:
        if timer := self._timers.pop(work.key, None):
            timer.cancel()
        if (delay := work.due - self._clock()) > 0:
            self._timers[work.key] = self._schedule_call(delay, self._make_ready, work)
        else:
            self._make_ready(work)

    def _make_ready(self, work: Work) -> None:
        self._timers.pop(work.key, None)
        lines = self._ready.setdefault(work.rank, OrderedDict())
        lines.setdefault(work.key.namespace, deque()).append(work)
        self._changed.set()

    def _next(self) -> Work | None:
        """Return what is to be taken now, None where nothing is due or no worker free."""
        spare_alone = not self._has_worker()
        if spare_alone and len(self._on_spare) >= self._spare:
            return None
        for rank in sorted(self._ready):
            lines = self._ready[rank]
            for namespace in list(lines):
                if spare_alone and self._busy[namespace]:
                    continue
                if work := self._first_in(lines, namespace):
                    return work
            if not lines:
                del self._ready[rank]
        return None

    def _first_in(self, lines: OrderedDict[str, deque[Work]], namespace: str) -> Work | None:
        """Take the first out of a namespace's line, which then is the last to have its turn."""
        line = lines[namespace]
        lines.move_to_end(namespace)
        while line:
            work = line.popleft()
            if not line:
                del lines[namespace]
            # An entry that was made more urgent, or taken already, left this one behind.
            if self._waiting.get(work.key) is work:
                return work
        return None

    def _has_worker(self) -> bool:
        """Tell whether a worker is free that takes any key."""
        return self._busy.total() - len(self._on_spare) < self._workers

    def _free(self, key: Key) -> None:
        self._on_spare.discard(key)
        self._busy[key.namespace] -= 1
        if not self._busy[key.namespace]:
            del self._busy[key.namespace]
        self._changed.set()

    def _schedule_call(self, delay: float, call: Callable[..., None], *arguments: Any) -> Timer:
        schedule = self._call_later or asyncio.get_running_loop().call_later
        return schedule(delay, call, *arguments)


def _rank(priority: Priority, *, under_way: bool = False) -> int:
    return 2 * priority + (0 if under_way else 1)
