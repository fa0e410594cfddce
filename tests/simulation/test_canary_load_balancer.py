"""A canary behind an Application Load Balancer, whose rule divides the visitors."""

import json

from support.manifests import disruptions_allowed
from support.simulation import CANARY, LONDON, Simulation
from support.trials import (
    ALB,
    Watched,
    canary,
    in_trial,
    nothing_left,
    phase_is,
    revision_of,
    rollout,
    serving,
    status,
    until,
    weight_in,
    without_none,
)
from weather_operator.kube.resources import (
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    INGRESS,
    SERVICE,
    Manifest,
)
from weather_operator.rollout.state import seconds_between

SPEC = without_none(canary(**ALB))
ACTION = "alb.ingress.kubernetes.io/actions.london"


def backend(simulation: Simulation) -> Manifest:
    (path,) = simulation.body(INGRESS)["spec"]["rules"][0]["http"]["paths"]
    found: Manifest = path["backend"]["service"]
    return found


async def in_analysis() -> Simulation:
    simulation = await in_trial("Analysing", **SPEC)
    return simulation


async def test_the_rule_has_the_weights_and_afterwards_the_service_again() -> None:
    simulation = await serving(**SPEC)
    assert backend(simulation) == {"name": "london", "port": {"number": 80}}
    watched, before = Watched(simulation), revision_of(simulation)
    simulation.change(**SPEC)
    await until(simulation, phase_is(simulation, "Analysing"))
    assert backend(simulation) == {"name": "london", "port": {"name": "use-annotation"}}
    action = json.loads(simulation.body(INGRESS)["metadata"]["annotations"][ACTION])
    assert action["type"] == "forward"
    assert action["forwardConfig"]["targetGroups"] == [
        {"serviceName": "london", "servicePort": 80, "weight": 90},
        {"serviceName": "london-canary", "servicePort": 80, "weight": 10},
    ]
    assert rollout(simulation)["weight"]["possible"] == 10
    # The Service leads to the stable pods alone: the rule divides, not the number of pods.
    track = "weather.quantspark.io/track"
    assert simulation.body(SERVICE)["spec"]["selector"][track] == "stable"
    assert revision_of(simulation) == before
    await simulation.converge()
    assert watched.weights == [0, 10, 50, 0]
    assert backend(simulation) == {"name": "london", "port": {"number": 80}}
    assert ACTION not in simulation.body(INGRESS)["metadata"]["annotations"]
    assert status(simulation)["version"] == "2.0.0"
    assert nothing_left(simulation)


async def test_pods_come_when_the_rule_has_named_their_service_for_a_while() -> None:
    """Only then are they given readiness gates."""
    simulation = await serving(**SPEC)
    simulation.change(**SPEC)
    await until(simulation, lambda: ACTION in simulation.body(INGRESS)["metadata"]["annotations"])
    assert simulation.server.body(SERVICE, CANARY)
    assert weight_in(simulation.body(INGRESS)) == 0
    assert simulation.server.body(DEPLOYMENT, CANARY) is None
    await until(simulation, lambda: simulation.server.body(DEPLOYMENT, CANARY) is not None)
    assert seconds_between(rollout(simulation)["startedAt"], simulation.now()) >= 5


def may_be_evicted(simulation: Simulation) -> int:
    budget = simulation.server.body(DISRUPTION_BUDGET, CANARY)
    canary = simulation.server.body(DEPLOYMENT, CANARY)
    assert budget
    assert canary
    return disruptions_allowed(budget, canary)


async def test_there_are_two_pods_of_which_one_may_be_evicted_while_the_other_is_known() -> None:
    simulation = await in_analysis()
    canary = simulation.server.body(DEPLOYMENT, CANARY)
    assert canary
    assert weight_in(simulation.body(INGRESS)) == 10
    assert canary["spec"]["replicas"] == 2
    assert may_be_evicted(simulation) == 1
    # One was evicted, and its successor is ready for a short time alone.
    simulation.server.edit(
        DEPLOYMENT, CANARY, status={**canary["status"], "readyReplicas": 2, "availableReplicas": 1}
    )
    for _ in range(2):  # that the weight falls is said first
        await simulation.reconcile()
    assert may_be_evicted(simulation) == 0


async def test_before_its_visitors_a_canarys_pods_may_be_evicted() -> None:
    simulation = await serving(**SPEC)
    simulation.change(**SPEC)
    await until(simulation, lambda: simulation.server.body(DISRUPTION_BUDGET, CANARY) is not None)
    assert weight_in(simulation.body(INGRESS)) == 0
    assert may_be_evicted(simulation) == 1


async def test_a_weight_that_somebody_edits_in_the_rule_is_put_back() -> None:
    simulation = await in_analysis()
    metadata = simulation.body(INGRESS)["metadata"]
    for text in (metadata["annotations"][ACTION].replace("90", "0"), "{"):
        annotations = {**metadata["annotations"], ACTION: text}
        simulation.server.edit(INGRESS, LONDON, metadata={**metadata, "annotations": annotations})
        await simulation.reconcile()
        assert weight_in(simulation.body(INGRESS)) == rollout(simulation)["weight"]["desired"]


async def test_without_an_address_no_weight_counts_as_taken_up() -> None:
    simulation = await in_analysis()
    await until(simulation, phase_is(simulation, "Shifting"))
    simulation.server.edit(INGRESS, LONDON, status={})
    for _ in range(5):
        await simulation.reconcile()
        simulation.seconds += 30
    assert rollout(simulation)["phase"] == "Shifting"


async def test_a_clock_that_was_ahead_when_a_trial_began_does_not_hold_its_pods() -> None:
    simulation = await in_trial("Preparing", **SPEC)
    simulation.seconds -= 3600
    for _ in range(10):
        outcome = await simulation.reconcile()
        simulation.turn()
        simulation.wait(outcome)
    assert rollout(simulation)["startedAt"] <= simulation.now()
    assert simulation.server.body(DEPLOYMENT, CANARY)
