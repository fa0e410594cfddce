"""What follows from how a pass ends, and what tells a stuck loop from a live one."""

import asyncio
from dataclasses import dataclass
from typing import cast

from weather_operator.controller.controller import Controller
from weather_operator.controller.reconciler import Outcome, Reconciler
from weather_operator.controller.workqueue import Priority, WorkQueue
from weather_operator.kube.resources import Key
from weather_operator.metrics import Metrics


@dataclass
class Clock:
    now: float = 0

    def __call__(self) -> float:
        return self.now


@dataclass
class Stuck:
    """A reconciler that ends only when it is released."""

    release: asyncio.Event

    async def reconcile(self, key: Key, priority: Priority) -> Outcome:
        await self.release.wait()
        return Outcome()


async def test_workers_that_end_nothing_are_a_problem_and_an_empty_queue_is_not() -> None:
    clock, release = Clock(), asyncio.Event()
    queue = WorkQueue(clock=clock)
    stuck = cast(Reconciler, Stuck(release))
    controller = Controller(queue, stuck, Metrics(), workers=1, clock=clock)
    running = asyncio.ensure_future(controller.run())
    clock.now = 1000
    assert not controller.liveness_problem(), "nothing is due"
    for name in ("taken", "waiting"):
        queue.add(Key(namespace="default", name=name), Priority.USER)
    await asyncio.sleep(0)
    clock.now += 100
    assert not controller.liveness_problem()
    clock.now += 100
    assert "no reconcile has ended for 1200 s" in controller.liveness_problem()
    release.set()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not controller.liveness_problem()
    running.cancel()
