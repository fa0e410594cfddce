"""Whole trials whose operator is killed right after each of its writes: the same end, always."""

import pytest
from support.simulation import Simulation, check_kills
from support.trials import (
    ALB,
    AUTOSCALED,
    GATEWAY,
    Watched,
    at_second_step,
    blue_green,
    canary,
    nothing_left,
    serving,
    status,
    without_none,
)
from weather_operator.kube.resources import (
    Manifest,
)

SCENARIOS: dict[str, tuple[Manifest, Manifest]] = {
    "good": (canary(), canary()),
    "bad": (canary(), canary(colour="red")),
    "autoscaled": (canary(**AUTOSCALED), canary(**AUTOSCALED)),
    "load balancer": (canary(**ALB), canary(**ALB)),
    "without a router": (canary(gateway=None), canary(gateway=None)),
    "blue-green": (blue_green(), blue_green()),
    "blue-green, load balancer": (blue_green() | ALB, blue_green() | ALB),
}
scenarios = pytest.mark.parametrize(("before", "after"), SCENARIOS.values(), ids=SCENARIOS)


@scenarios
async def test_a_kill_between_any_two_writes_of_a_trial_leads_to_the_same_state(
    before: Manifest, after: Manifest
) -> None:
    async def begin() -> Simulation:
        simulation = await serving(**without_none(before))
        simulation.change(**without_none(after))
        return simulation

    undisturbed = await begin()
    writes = await undisturbed.converge()
    assert nothing_left(undisturbed)
    await check_kills(begin, undisturbed, writes, watch=Watched)


ENDS: dict[str, tuple[Manifest, str]] = {
    "what serves is wished again": (canary(colour="yellow"), "1.0.0"),
    "the strategy is taken away": (
        {"colour": "green", "replicas": 4, "rollout": {}, **GATEWAY},
        "2.0.0",
    ),
    "a newer wish fails": (canary(colour="red"), "1.0.0"),
}


@pytest.mark.parametrize(("wish", "version"), ENDS.values(), ids=ENDS)
async def test_a_changed_mind_ends_a_trial_without_blame_and_without_a_dip(
    wish: Manifest, version: str
) -> None:
    async def begin() -> Simulation:
        simulation = await at_second_step()
        simulation.change(**wish)
        return simulation

    undisturbed = await begin()
    writes = await undisturbed.converge()
    assert status(undisturbed)["version"] == version
    assert nothing_left(undisturbed)
    green = [each for each in status(undisturbed)["history"] if each["version"] == "2.0.0"]
    assert green[-1]["outcome"] == "Superseded"
    failed = status(undisturbed).get("failedRevisions", ())
    assert not any(each["version"] == "2.0.0" for each in failed)
    await check_kills(begin, undisturbed, writes, watch=Watched)
