"""What follows from how a pass ends, and what tells a stuck loop from a live one."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import cast

import pytest
from support.virtual_time import in_virtual_time, now
from weather_operator.controller.controller import Controller
from weather_operator.controller.reconciler import Outcome, Reconciler
from weather_operator.controller.workqueue import SETTLE_SECONDS, Priority, WorkQueue
from weather_operator.kube.errors import ConflictError, RefusedError, UnavailableError
from weather_operator.kube.resources import Key
from weather_operator.metrics import Metrics
from weather_operator.model.parsing import UnreadableError

LONDON, PARIS = (Key(namespace="default", name=name) for name in ("london", "paris"))


@dataclass
class Scripted:
    """A reconciler whose passes end one after the other as a test says, and then well."""

    endings: list[Outcome | Exception | Callable[[], Awaitable[Outcome]]]
    passes: list[tuple[float, str, Priority]] = field(default_factory=list)

    async def reconcile(self, key: Key, priority: Priority) -> Outcome:
        self.passes.append((round(now(), 3), key.name, priority))
        ending = self.endings.pop(0) if self.endings else Outcome()
        if isinstance(ending, Exception):
            raise ending
        return ending if isinstance(ending, Outcome) else await ending()


async def hang() -> Outcome:
    await asyncio.Event().wait()
    raise AssertionError


@dataclass
class Loop:
    """A controller that works on what a test adds to its queue."""

    script: Scripted
    workers: int = 1

    def __post_init__(self) -> None:
        self.metrics = Metrics()
        self.queue = WorkQueue(workers=self.workers, clock=now, jitter=lambda: 1.0)
        self.controller = Controller(
            self.queue, cast(Reconciler, self.script), self.metrics, clock=now
        )

    async def run(self, *keys: Key, seconds: float) -> None:
        for key in keys:
            self.queue.add(key, Priority.USER)
        running = asyncio.ensure_future(self.controller.run())
        await asyncio.sleep(seconds)
        running.cancel()

    def count(self, result: str) -> float:
        value = self.metrics.registry.get_sample_value(
            "weather_operator_reconciles_total", {"result": result}
        )
        return value or 0


def conflict() -> Exception:
    return ConflictError(409, "Conflict", "the object has been modified")


def unavailable(retry_after: float = 0) -> Exception:
    return UnavailableError(503, "ServiceUnavailable", "etcd is away", retry_after=retry_after)


@pytest.mark.parametrize(
    ("ending", "result", "next_pass", "logged"),
    [
        (Outcome(), "done", None, ""),
        (Outcome(requeue_after=7), "done", 7, ""),
        (Outcome(requeue_after=0), "done", 0, ""),
        (Outcome(failed=True), "done", 0.1, ""),
        (conflict(), "conflict", 0.1, ""),
        (unavailable(), "unavailable", 0.1, "the API server cannot now"),
        (unavailable(retry_after=5), "unavailable", 5, "the API server cannot now"),
        (UnavailableError(0, "Unreachable", "no answer"), "unavailable", 0.1, ""),
        (RefusedError(403, "Forbidden", "may not"), "error", 0.1, "reconcile failed"),
        (hang, "error", 60.1, "reconcile failed"),
        (UnreadableError("london"), "error", 0.1, "a WeatherApp cannot be read"),
        (KeyError("bug"), "bug", 0.1, "reconcile broke"),
    ],
)
@in_virtual_time
async def test_each_ending_has_its_sequel(
    ending: Outcome | Exception,
    result: str,
    next_pass: float | None,
    logged: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = Loop(Scripted([ending]))
    await loop.run(LONDON, seconds=100)
    times = [time for time, *_ in loop.script.passes]
    assert times == ([0] if next_pass is None else [0, next_pass])
    assert loop.count(result) == 1 + (result == "done" and next_pass is not None)
    assert [record.getMessage() for record in caplog.records] == [logged] * bool(logged)


@in_virtual_time
async def test_failures_in_a_row_come_later_and_later_until_one_pass_ends_well() -> None:
    loop = Loop(Scripted([conflict(), unavailable(), Outcome(failed=True), KeyError("bug")]))
    await loop.run(LONDON, seconds=10)
    assert [time for time, *_ in loop.script.passes] == [0, 0.1, 0.3, 0.7, 1.5]
    loop.script.endings = [conflict()]
    loop.script.passes.clear()
    began = now()
    await loop.run(LONDON, seconds=10)
    assert [round(time - began, 3) for time, *_ in loop.script.passes] == [0, 0.1]


@in_virtual_time
async def test_the_next_step_and_a_retry_keep_the_priority_and_a_later_look_does_not() -> None:
    loop = Loop(Scripted([Outcome(requeue_after=0.1), conflict(), Outcome(requeue_after=1)]))
    await loop.run(LONDON, seconds=10)
    assert [priority for *_, priority in loop.script.passes] == [
        Priority.USER,
        Priority.USER,
        Priority.USER,
        Priority.RESYNC,
    ]


def lasting(seconds: float) -> Callable[[], Awaitable[Outcome]]:
    """A pass that takes so long."""

    async def last() -> Outcome:
        await asyncio.sleep(seconds)
        return Outcome()

    return last


def some(namespace: str, number: int) -> list[Key]:
    return [Key(namespace=namespace, name=f"{namespace}-{n}") for n in range(number)]


@in_virtual_time
async def test_what_hangs_in_one_namespace_delays_nobody_elsewhere() -> None:
    loop = Loop(Scripted([lasting(10) for _ in range(60)]), workers=16)
    running = asyncio.ensure_future(loop.run(*some("hanging", 60), seconds=100))
    await asyncio.sleep(1)
    loop.script.endings.insert(0, Outcome())
    loop.queue.add(LONDON, Priority.RESYNC)
    await asyncio.sleep(0.1)
    assert loop.script.passes[-1] == (1, "london", Priority.RESYNC)
    await running


@in_virtual_time
async def test_what_others_overtake_holds_no_worker() -> None:
    loop = Loop(Scripted([lasting(50) for _ in range(60)]), workers=8)
    running = asyncio.ensure_future(loop.run(*some("hanging", 20), seconds=45))
    await asyncio.sleep(1)
    loop.script.endings.insert(0, Outcome())
    loop.queue.add(LONDON, Priority.RESYNC)
    await running
    begun = [time for time, name, _ in loop.script.passes if name != "london"]
    assert begun == [0] * 6 + [3] * 6


class ThreeSteps(Scripted):
    """A reconciler whose changes take three passes each, which take long but for one namespace."""

    async def reconcile(self, key: Key, priority: Priority) -> Outcome:
        self.passes.append((now(), key.name, priority))
        step = sum(name == key.name for _, name, _ in self.passes)
        await asyncio.sleep(0.1 if key.namespace == "other" else 10)
        return Outcome(requeue_after=SETTLE_SECONDS if step < 3 else None)


@pytest.mark.parametrize("namespaces", [2, 5, 12])
@in_virtual_time
async def test_what_takes_long_in_many_namespaces_delays_no_users_change_elsewhere(
    namespaces: int,
) -> None:
    loop = Loop(ThreeSteps([]), workers=20)
    slow = [each for number in range(namespaces) for each in some(f"slow{number}", 100)]
    running = asyncio.ensure_future(loop.run(*slow, seconds=120))
    for key in some("other", 8):
        await asyncio.sleep(11)
        loop.queue.add(key, Priority.USER)
        await asyncio.sleep(1)
        assert sum(name == key.name for _, name, _ in loop.script.passes) == 3
    await running


@in_virtual_time
async def test_where_every_pass_takes_long_no_more_of_them_go_on_at_a_time() -> None:
    loop = Loop(Scripted([lasting(4) for _ in range(200)]), workers=4)
    await loop.run(*some("a", 100), *some("b", 100), seconds=100)
    begun = [time for time, *_ in loop.script.passes]
    assert sum(20 <= time < 40 for time in begun) == 5 * 3, "the fourth worker is for others"


@in_virtual_time
async def test_a_bug_or_a_hang_with_one_app_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("CRITICAL")
    loop = Loop(Scripted([hang, KeyError("bug")]), workers=4)
    await loop.run(LONDON, PARIS, seconds=1)
    assert [(time, name) for time, name, _ in loop.script.passes] == [
        (0, "london"),
        (0, "paris"),
        (0.1, "paris"),
    ]


@in_virtual_time
async def test_workers_that_end_nothing_are_a_problem_and_an_empty_queue_is_not() -> None:
    time, release = [0.0], asyncio.Event()

    async def wait() -> Outcome:
        await release.wait()
        return Outcome()

    queue = WorkQueue(workers=1, clock=lambda: time[0])
    controller = Controller(
        queue, cast(Reconciler, Scripted([wait])), Metrics(), clock=lambda: time[0]
    )
    running = asyncio.ensure_future(controller.run())
    time[0] = 1000
    assert not controller.liveness_problem(), "nothing is due"
    queue.add(LONDON, Priority.USER)
    queue.add(PARIS, Priority.USER)
    await asyncio.sleep(0)
    time[0] += 100
    assert not controller.liveness_problem()
    time[0] += 100
    assert "no reconcile has ended for 1200 s" in controller.liveness_problem()
    release.set()
    await asyncio.sleep(0.1)
    assert not controller.liveness_problem()
    running.cancel()
