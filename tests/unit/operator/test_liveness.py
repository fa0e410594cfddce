"""What tells a stuck loop from a live one."""

import asyncio
from dataclasses import dataclass
from typing import Any, cast

from support.manifests import app_body
from weather_operator import settings
from weather_operator.api import Api
from weather_operator.controller import Controller
from weather_operator.kinds import WEATHER_APP, Key
from weather_operator.lease import DURATION_SECONDS, RENEW_DEADLINE_SECONDS, Lease
from weather_operator.metrics import Metrics
from weather_operator.queue import Priority
from weather_operator.reconcile import Outcome, Reconciler
from weather_operator.store import Store


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


def named(name: str) -> dict[str, Any]:
    body = app_body()
    body["metadata"] |= {"name": name, "uid": name}
    return body


async def test_workers_that_end_nothing_are_trouble_and_an_empty_queue_is_not() -> None:
    clock, store, release = Clock(), Store(), asyncio.Event()
    controller = Controller(
        cast(Api, None),
        store,
        cast(Reconciler, Stuck(release)),
        Metrics(),
        settings.from_environment({"WORKERS": "1"}),
        clock=clock,
    )
    running = asyncio.ensure_future(controller.run())
    clock.now = 1000
    assert not controller.trouble(), "nothing is due"
    for name in ("taken", "waiting"):
        controller.see(WEATHER_APP, "ADDED", named(name))
    await asyncio.sleep(0)
    clock.now += 100
    assert not controller.trouble()
    clock.now += 100
    assert "no reconcile has ended for 1200 s" in controller.trouble()
    release.set()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not controller.trouble()
    running.cancel()


async def test_a_lease_that_ran_out_unnoticed_is_trouble() -> None:
    clock = Clock()
    lease = Lease(cast(Api, None), Key(namespace="default", name="lease"), "me", clock=clock)
    clock.now = 1000
    assert not lease.trouble(), "it leads nobody yet"
    keeping = asyncio.ensure_future(lease.keep())
    await asyncio.sleep(0)
    clock.now += RENEW_DEADLINE_SECONDS
    assert not lease.trouble()
    clock.now += DURATION_SECONDS - RENEW_DEADLINE_SECONDS
    assert "ran out" in lease.trouble()
    keeping.cancel()
