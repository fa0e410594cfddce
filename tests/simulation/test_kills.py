"""A site is changed, and the operator killed or a request of its refused at each point: one end."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from support.fake_api_server import Request
from support.simulation import AUTOSCALED, ROUTED, Simulation, check_kills
from weather_operator.controller.reconciler import Outcome
from weather_operator.controller.workqueue import Priority
from weather_operator.kube.errors import UnavailableError

CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "an upgrade": ({"colour": "yellow"}, {"colour": "green"}, "Serving"),
    "a version that fails": ({"colour": "yellow"}, {"colour": "red"}, "RolledBack"),
    "a scaling": ({}, {"replicas": 5}, "Serving"),
    "a scaling to 0": ({}, {"replicas": 0}, "ScaledToZero"),
    "autoscaling switched on": ({}, AUTOSCALED, "Serving"),
    "autoscaling switched off": (AUTOSCALED, {"replicas": 4}, "Serving"),
    "autoscaling and an upgrade at once": ({}, {"colour": "green", **AUTOSCALED}, "Serving"),
    "a route that comes": ({}, ROUTED, "AddressPending"),
    "a route that goes": (ROUTED, {}, "Serving"),
    "a suspension": ({}, {"suspend": True, "colour": "green"}, "Suspended"),
}
changes = pytest.mark.parametrize(("before", "after", "reason"), CHANGES.values(), ids=CHANGES)


@changes
async def test_converged_means_silent_also_to_a_new_process(
    before: dict[str, Any], after: dict[str, Any], reason: str
) -> None:
    simulation = await Simulation.of(**before)
    await simulation.converge()
    simulation.change(**after)
    await simulation.converge()
    assert simulation.ready() == reason
    simulation.server.writes.clear()
    for restart in (False, True):
        if restart:
            simulation.restart()
        for priority in Priority:
            simulation.priority = priority
            simulation.seconds += 1000
            outcome = await simulation.reconcile()
            assert outcome == Outcome() or (reason == "AddressPending" and not outcome.failed)
    assert simulation.log() == []


@changes
async def test_a_kill_between_any_two_writes_leads_to_the_same_state(
    before: dict[str, Any], after: dict[str, Any], reason: str
) -> None:
    async def begin() -> Simulation:
        simulation = await Simulation.of(**before)
        await simulation.converge()
        simulation.change(**after)
        return simulation

    undisturbed = await begin()
    writes = await undisturbed.converge()
    assert writes
    assert undisturbed.ready() == reason
    await check_kills(begin, undisturbed, writes)


async def test_a_kill_during_the_installation_leads_to_the_same_state() -> None:
    begin = partial(Simulation.of, **AUTOSCALED)
    undisturbed = await begin()
    await check_kills(begin, undisturbed, await undisturbed.converge())


async def test_a_request_that_fails_at_any_time_leads_to_the_same_state() -> None:
    async def begin() -> Simulation:
        simulation = await Simulation.of(colour="yellow")
        await simulation.converge()
        simulation.change(colour="red")
        return simulation

    requests: list[Request] = []
    undisturbed = await begin()
    undisturbed.server.before = requests.append
    await undisturbed.converge()
    reconciles = [each for each in requests if each.verb != "list" or each.key.namespace]
    for number in range(len(reconciles)):
        simulation = await begin()
        left = iter(range(number + 1))

        def fail(request: Request, left: Iterator[int] = left) -> None:
            if request.verb == "list" and not request.key.namespace:
                return  # the informers' own
            if next(left, None) == number:  # noqa: B023 (used up in this turn)
                raise UnavailableError(503, "ServiceUnavailable", "etcd is away")

        simulation.server.before = fail
        try:
            await simulation.converge()
        except UnavailableError:
            await simulation.converge()
        assert simulation.state() == undisturbed.state(), f"{reconciles[number]} failed"
