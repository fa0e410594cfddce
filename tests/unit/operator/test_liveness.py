"""What tells a stuck loop from a live one."""

import asyncio
from dataclasses import dataclass
from typing import cast

from weather_operator.controller.controller import Workers
from weather_operator.controller.reconciler import Outcome, Reconciler
from weather_operator.controller.workqueue import Priority, WorkQueue
from weather_operator.kube.client import Client
from weather_operator.kube.leader_election import DURATION_SECONDS, RENEW_DEADLINE_SECONDS, Lease
from weather_operator.kube.resources import Key
from weather_operator.metrics import Metrics


@dataclass
class Clock:
    now: float = 0

    def __call__(self) -> float:
        return self.now


@dataclass
class Stuck:
    """A reconciler that ends only when it is told to."""

    release: asyncio.Event

    async def reconcile(self, key: Key, priority: Priority) -> Outcome:
        await self.release.wait()
        return Outcome()


async def test_workers_that_end_nothing_are_trouble_and_an_empty_queue_is_not() -> None:
    clock, release = Clock(), asyncio.Event()
    queue = WorkQueue(clock=clock)
    stuck = cast(Reconciler, Stuck(release))
    workers = Workers(queue, stuck, Metrics(), number=1, clock=clock)
    running = asyncio.ensure_future(workers.run())
    clock.now = 1000
    assert not workers.liveness_problem(), "nothing is due"
    for name in ("taken", "waiting"):
        queue.add(Key(namespace="default", name=name), Priority.USER)
    await asyncio.sleep(0)
    clock.now += 100
    assert not workers.liveness_problem()
    clock.now += 100
    assert "no reconcile has ended for 1200 s" in workers.liveness_problem()
    release.set()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not workers.liveness_problem()
    running.cancel()


async def test_a_lease_that_ran_out_unnoticed_is_trouble() -> None:
    clock = Clock()
    lease = Lease(cast(Client, None), Key(namespace="default", name="lease"), "me", clock=clock)
    clock.now = 1000
    assert not lease.liveness_problem(), "it leads nobody yet"
    keeping = asyncio.ensure_future(lease.keep())
    await asyncio.sleep(0)
    clock.now += RENEW_DEADLINE_SECONDS
    assert not lease.liveness_problem()
    clock.now += DURATION_SECONDS - RENEW_DEADLINE_SECONDS
    assert "ran out" in lease.liveness_problem()
    keeping.cancel()
