import asyncio
import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from weather_operator.controller.workqueue import LONGEST_BACKOFF_SECONDS, Priority, WorkQueue
from weather_operator.kube.resources import Key


@dataclass
class Call:
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Clock:
    """Time that passes when a test says so, and the calls that are due by then."""

    now: float = 0
    calls: list[tuple[float, int, Call, Callable[..., None], Any]] = field(default_factory=list)
    order: Iterator[int] = field(default_factory=itertools.count)

    def __call__(self) -> float:
        return self.now

    def call_later(self, delay: float, call: Callable[..., None], *arguments: Any) -> Call:
        handle = Call()
        heapq.heappush(self.calls, (self.now + delay, next(self.order), handle, call, arguments))
        return handle

    def pass_time(self, seconds: float) -> None:
        until = self.now + seconds
        while self.calls and self.calls[0][0] <= until:
            self.now, _, handle, call, arguments = heapq.heappop(self.calls)
            if not handle.cancelled:
                call(*arguments)
        self.now = until


def key(name: str) -> Key:
    return Key(namespace="default", name=name)


def queue(clock: Clock) -> WorkQueue:
    return WorkQueue(clock=clock, call_later=clock.call_later, jitter=lambda: 1.0)


async def take(queue: WorkQueue) -> str | None:
    """The name of the key that a worker gets now, None where it would wait."""
    taking = asyncio.ensure_future(queue.take())
    await asyncio.sleep(0)
    if taking.done():
        return taking.result().key.name
    taking.cancel()
    return None


async def test_the_urgent_go_first_and_equals_in_order() -> None:
    work = queue(Clock())
    work.add(key("resync"), Priority.RESYNC)
    work.add(key("child"), Priority.CHILD)
    work.add(key("user"), Priority.USER)
    work.add(key("user-2"), Priority.USER)
    assert [await take(work) for _ in range(5)] == ["user", "user-2", "child", "resync", None]


async def test_a_key_waits_once_and_as_urgent_as_the_most_urgent_reason() -> None:
    work = queue(Clock())
    work.add(key("late"), Priority.RESYNC)
    work.add(key("other"), Priority.CHILD)
    work.add(key("late"), Priority.USER)
    work.add(key("late"), Priority.RESYNC)
    assert [await take(work) for _ in range(3)] == ["late", "other", None]


async def test_a_delayed_key_waits_and_a_users_change_does_not_wait_with_it() -> None:
    clock = Clock()
    work = queue(clock)
    work.add(key("a"), Priority.CHILD, delay=1)
    assert await take(work) is None
    clock.pass_time(1)
    assert await take(work) == "a"
    work.done(key("a"))
    work.add(key("a"), Priority.CHILD, delay=1)
    work.add(key("a"), Priority.USER)
    assert await take(work) == "a"
    work.done(key("a"))
    clock.pass_time(2)
    assert await take(work) is None


async def test_more_delayed_reasons_do_not_put_it_off() -> None:
    clock = Clock()
    work = queue(clock)
    for _ in range(8):
        work.add(key("a"), Priority.CHILD, delay=1)
        clock.pass_time(0.125)
    assert await take(work) == "a"


async def test_a_key_that_is_worked_on_comes_again_only_when_it_is_done() -> None:
    work = queue(Clock())
    work.add(key("a"), Priority.USER)
    assert await take(work) == "a"
    work.add(key("a"), Priority.USER)
    assert await take(work) is None
    work.done(key("a"))
    assert await take(work) == "a"


async def test_failures_in_a_row_wait_longer_and_longer_up_to_five_minutes_until_forgotten() -> (
    None
):
    clock = Clock()
    work = queue(clock)
    delays = []
    for _ in range(16):
        delays.append(work.add_rate_limited(key("a")))
        clock.pass_time(delays[-1])
        assert await take(work) == "a"
        work.done(key("a"))
    assert delays[:4] == [0.1, 0.2, 0.4, 0.8]
    assert delays[-1] == LONGEST_BACKOFF_SECONDS
    work.forget(key("a"))
    assert work.add_rate_limited(key("a")) == 0.1


def test_the_jitter_shortens_a_wait_by_at_most_half() -> None:
    clock = Clock()
    work = WorkQueue(clock=clock, call_later=clock.call_later, jitter=lambda: 0.0)
    assert work.add_rate_limited(key("a")) == 0.05


def test_a_server_that_asks_for_patience_gets_it() -> None:
    assert queue(Clock()).add_rate_limited(key("a"), at_least=7) == 7


async def test_one_of_the_workers_that_wait_is_woken() -> None:
    work = WorkQueue()
    waiting = [asyncio.ensure_future(work.take()) for _ in range(3)]
    await asyncio.sleep(0)
    work.add(key("a"), Priority.USER, delay=0.001)
    done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result().key.name for task in done] == ["a"]
    for task in pending:
        task.cancel()


class QueueMachine(RuleBasedStateMachine):
    """Whatever happens, no key is worked on twice at a time, and none that was added is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.queue = queue(self.clock)
        self.owed: set[str] = set()
        self.active: set[str] = set()

    @rule(
        name=st.sampled_from("abcd"),
        priority=st.sampled_from(Priority),
        delay=st.sampled_from([0, 0.5, 3]),
    )
    def add(self, name: str, priority: Priority, delay: float) -> None:
        self.queue.add(key(name), priority, delay=delay)
        self.owed.add(name)

    @rule(name=st.sampled_from("abcd"))
    def add_rate_limited(self, name: str) -> None:
        self.queue.add_rate_limited(key(name))
        self.owed.add(name)

    @rule(seconds=st.sampled_from([0.1, 1, 400]))
    def pass_time(self, seconds: float) -> None:
        self.clock.pass_time(seconds)

    @rule()
    def take(self) -> None:
        name = self.runner.run(take(self.queue))
        if name is not None:
            assert name not in self.active
            assert name in self.owed
            self.active.add(name)
            self.owed.discard(name)

    @rule(name=st.sampled_from("abcd"))
    def done(self, name: str) -> None:
        if name in self.active:
            self.active.discard(name)
            self.queue.done(key(name))

    @invariant()
    def what_is_owed_waits(self) -> None:
        assert len(self.queue) == len(self.owed)

    def teardown(self) -> None:
        for name in sorted(self.active):
            self.queue.done(key(name))
        self.clock.pass_time(1000)
        left = {self.runner.run(take(self.queue)) for _ in range(len(self.owed))}
        self.runner.close()
        assert left == self.owed


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


async def test_the_oldest_age_is_of_the_key_that_is_due_the_longest() -> None:
    clock = Clock()
    waiting = queue(clock)
    assert waiting.oldest_age() == 0
    waiting.add(key("later"), Priority.USER, delay=100)
    waiting.add(key("soon"), Priority.RESYNC, delay=2)
    clock.pass_time(1)
    assert waiting.oldest_age() == 0
    clock.pass_time(4)
    assert waiting.oldest_age() == 3
    assert await take(waiting) == "soon"
    assert waiting.oldest_age() == 0
