import asyncio
import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from weather_operator.controller.workqueue import (
    LONGEST_BACKOFF_SECONDS,
    MOST_SET_ASIDE,
    RETRIES_PER_SECOND,
    Priority,
    Work,
    WorkQueue,
)
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


def key(name: str, namespace: str = "default") -> Key:
    return Key(namespace=namespace, name=name)


def work_on(name: str, priority: Priority = Priority.USER) -> Work:
    return Work(key=key(name), priority=priority, rank=0, due=0)


def queue(clock: Clock, *, workers: int = 100) -> WorkQueue:
    return WorkQueue(workers=workers, clock=clock, call_later=clock.call_later, jitter=lambda: 1.0)


async def take_work(queue: WorkQueue) -> Work | None:
    """What a worker gets now, None where it would wait."""
    taking = asyncio.ensure_future(queue.take())
    await asyncio.sleep(0)
    if taking.done():
        return taking.result()
    taking.cancel()
    return None


async def take(queue: WorkQueue) -> str | None:
    """The name of the key that a worker gets now, None where it would wait."""
    work = await take_work(queue)
    return work.key.name if work else None


async def take_all(queue: WorkQueue) -> list[str]:
    """The names of the keys that workers get now, one after the other, each done at once."""
    names = []
    while work := await take_work(queue):
        names.append(work.key.name)
        queue.done(work.key)
    return names


async def test_the_urgent_go_first_and_equals_in_order() -> None:
    work = queue(Clock())
    for name in ("RESYNC", "RELEASE", "NEW", "CHILD", "USER"):
        work.add(key(name), Priority[name])
    work.add(key("USER-2"), Priority.USER)
    assert await take_all(work) == ["USER", "USER-2", "CHILD", "NEW", "RELEASE", "RESYNC"]


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


async def test_failures_in_a_row_wait_longer_and_longer_up_to_some_seconds_until_forgotten() -> (
    None
):
    clock = Clock()
    work = queue(clock)
    delays = []
    for _ in range(16):
        delays.append(work.add_rate_limited(work_on("a")))
        clock.pass_time(delays[-1])
        assert await take(work) == "a"
        work.done(key("a"))
    assert delays[:4] == [0.1, 0.2, 0.4, 0.8]
    assert delays[-1] == LONGEST_BACKOFF_SECONDS
    work.forget_failures(key("a"))
    assert work.add_rate_limited(work_on("a")) == 0.1


def test_of_many_keys_that_fail_each_is_tried_the_more_seldom() -> None:
    work = queue(Clock())
    keys = [work_on(f"a{number}") for number in range(1000)]
    for _ in range(12):
        delays = [work.add_rate_limited(each) for each in keys]
    assert max(delays) == 1000 / RETRIES_PER_SECOND


def test_the_jitter_shortens_a_wait_by_at_most_half() -> None:
    clock = Clock()
    work = WorkQueue(clock=clock, call_later=clock.call_later, jitter=lambda: 0.0)
    assert work.add_rate_limited(work_on("a")) == 0.05


def test_a_server_that_asks_for_patience_gets_it() -> None:
    assert queue(Clock()).add_rate_limited(work_on("a"), at_least=7) == 7


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
        self.queue = queue(self.clock, workers=8)
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

    @rule(name=st.sampled_from("abcd"), priority=st.sampled_from(Priority))
    def add_rate_limited(self, name: str, priority: Priority) -> None:
        self.queue.add_rate_limited(work_on(name, priority))
        self.owed.add(name)

    @rule(name=st.sampled_from("abcd"), delay=st.sampled_from([0, 0.15]))
    def add_next_step(self, name: str, delay: float) -> None:
        self.queue.add_next_step(work_on(name), delay=delay)
        self.owed.add(name)

    @rule(name=st.sampled_from("abcd"))
    def add_look(self, name: str) -> None:
        self.queue.add_look(key(name), delay=2)
        self.owed.add(name)

    @rule(name=st.sampled_from("abcd"))
    def set_aside(self, name: str) -> None:
        self.queue.set_aside(key(name))

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


# -- waves ----------------------------------------------------------------------------------------


async def test_of_many_that_begin_together_the_first_are_finished_first() -> None:
    clock = Clock()
    work = queue(clock, workers=2)
    for number in range(100):
        work.add(key(f"app-{number}"), Priority.NEW)
    finished = []
    for _ in range(200):
        if taken := await take_work(work):
            if taken.key.name in finished:
                work.forget(taken.key)
            else:
                finished.append(taken.key.name)
                work.add_next_step(taken, delay=0.15)
            work.done(taken.key)
        clock.pass_time(0.05)
        if len(finished) == 50:
            break
    waiting = len(work) - 50
    assert waiting <= 4, "the second passes are behind the first ones of the others"


async def test_what_a_user_changes_waits_behind_no_wave_of_a_release_nor_of_new_apps() -> None:
    clock = Clock()
    work = queue(clock)
    for number in range(300):
        work.add(key(f"released-{number}"), Priority.RELEASE)
        work.add(key(f"new-{number}"), Priority.NEW)
        begun = await take_work(work)
        assert begun
        work.add_next_step(begun, delay=0)
        work.done(begun.key)
    work.add(key("user"), Priority.USER)
    assert await take(work) == "user"


async def test_an_event_of_a_child_finishes_what_a_user_began_before_the_next_user_is_served() -> (
    None
):
    work = queue(Clock())
    work.add(key("first"), Priority.USER)
    first = await take_work(work)
    assert first
    work.add_next_step(first, delay=60)
    work.done(first.key)
    work.add(key("second"), Priority.USER)
    work.add(key("first"), Priority.CHILD)
    work.add(key("third"), Priority.CHILD)
    assert await take_all(work) == ["first", "second", "third"]
    work.forget(key("first"))
    work.add(key("second"), Priority.USER)
    work.add(key("first"), Priority.CHILD)
    assert await take_all(work) == ["second", "first"]


async def test_a_later_look_at_what_a_user_changed_is_no_users_change() -> None:
    clock = Clock()
    work = queue(clock)
    work.add(key("slow"), Priority.USER)
    slow = await take_work(work)
    assert slow
    work.add_next_step(slow, delay=0)
    work.done(slow.key)
    assert await take(work) == "slow"
    work.add_look(slow.key, delay=1)
    work.done(slow.key)
    clock.pass_time(1)
    work.add(key("user"), Priority.USER)
    assert await take_all(work) == ["user", "slow"]


async def test_a_retry_is_as_urgent_as_what_failed() -> None:
    clock = Clock()
    work = queue(clock)
    work.add(key("failed"), Priority.USER)
    failed = await take_work(work)
    assert failed
    delay = work.add_rate_limited(failed)
    work.done(failed.key)
    work.add(key("wave"), Priority.RELEASE)
    clock.pass_time(delay)
    again = await take_work(work)
    assert again
    assert (again.key.name, again.priority) == ("failed", Priority.USER)


async def test_the_namespaces_take_turns() -> None:
    work = queue(Clock())
    for number in range(3):
        work.add(key(f"many-{number}", "a"), Priority.NEW)
    work.add(key("one", "b"), Priority.NEW)
    work.add(key("other", "c"), Priority.NEW)
    assert await take_all(work) == ["many-0", "one", "other", "many-1", "many-2"]


async def test_one_namespace_never_has_all_of_the_workers() -> None:
    work = queue(Clock(), workers=4)
    for number in range(5):
        work.add(key(f"a-{number}", "a"), Priority.USER)
    assert [await take(work) for _ in range(4)] == ["a-0", "a-1", "a-2", None]
    for namespace in ("b", "c"):
        work.add(key(namespace, namespace), Priority.RESYNC)
    assert [await take(work) for _ in range(2)] == ["b", None]
    work.done(key("a-1", "a"))
    assert await take(work) == "a-3"


async def test_the_only_worker_serves_every_namespace() -> None:
    work = queue(Clock(), workers=1)
    work.add(key("a", "a"), Priority.USER)
    work.add(key("b", "b"), Priority.USER)
    assert await take_all(work) == ["a", "b"]


async def test_what_takes_long_holds_no_worker_but_for_a_bound() -> None:
    work = queue(Clock(), workers=4)
    for number in range(200):
        work.add(key(f"slow-{number}"), Priority.USER)
    taken = []
    while name := await take(work):
        taken.append(name)
        work.set_aside(key(name))
        work.set_aside(key(name))
    assert len(taken) == MOST_SET_ASIDE + 3
    work.add(key("other", "other"), Priority.RESYNC)
    assert await take(work) == "other"
    work.done(key("slow-3"))
    assert await take(work) is None
    work.set_aside(key(taken[-1]))
    assert await take(work) == f"slow-{len(taken)}"


async def test_a_worker_waits_until_one_is_given_back() -> None:
    work = queue(Clock(), workers=1)
    work.add(key("a"), Priority.USER)
    work.add(key("b"), Priority.USER)
    assert await take(work) == "a"
    waiting = asyncio.ensure_future(work.take())
    await asyncio.sleep(0)
    assert not waiting.done()
    work.done(key("a"))
    assert (await waiting).key.name == "b"
