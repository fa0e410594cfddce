"""What is written of the children, in which order, and what is said of a repair."""

from typing import Any

import pytest
from support.simulation import LONDON, Simulation
from weather_operator.controller.workqueue import Priority
from weather_operator.kube.resources import AUTOSCALER, DEPLOYMENT, EVENT, SERVICE, Kind
from weather_operator.model import FIELD_MANAGER

AUTOSCALING = {
    "minReplicas": 3,
    "maxReplicas": 6,
    "targetCPUUtilizationPercentage": 70,
    "scaleDownStabilizationSeconds": 300,
}


def messages(simulation: Simulation) -> list[str]:
    """What the events of repairs say."""
    bodies = simulation.server.bodies().items()
    events = [body for (kind, _), body in bodies if kind is EVENT]
    return [event["message"] for event in events if event["reason"] == "DriftCorrected"]


def edited(simulation: Simulation, kind: Kind, **spec: Any) -> None:
    simulation.server.edit(kind, LONDON, spec={**simulation.body(kind)["spec"], **spec})


async def test_an_edited_field_is_put_back_and_named() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    before = simulation.state()
    edited(simulation, SERVICE, type="NodePort")
    simulation.priority = Priority.CHILD
    await simulation.converge()
    assert simulation.state() == before
    assert messages(simulation) == ["Service: spec.type put back"]


@pytest.mark.parametrize(
    ("priority", "expected"),
    [(Priority.CHILD, ["Service was deleted and is made again"]), (Priority.RESYNC, [])],
)
async def test_a_missing_child_is_made_and_said_only_where_it_was_taken_away(
    priority: Priority, expected: list[str]
) -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    before = simulation.state()
    simulation.server.remove(SERVICE, LONDON)
    simulation.priority = priority
    await simulation.converge()
    assert simulation.state() == before
    assert messages(simulation) == expected


async def test_what_others_add_stays() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    metadata = simulation.body(SERVICE)["metadata"]
    labels = {**metadata["labels"], "team": "clouds"}
    simulation.server.edit(SERVICE, LONDON, metadata={**metadata, "labels": labels})
    assert await simulation.converge() == 0
    assert simulation.body(SERVICE)["metadata"]["labels"]["team"] == "clouds"


async def test_an_orphan_that_we_once_applied_is_adopted() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    before = simulation.state()
    metadata = {**simulation.body(SERVICE)["metadata"], "ownerReferences": []}
    simulation.server.edit(SERVICE, LONDON, metadata=metadata)
    await simulation.converge()
    assert simulation.state() == before


async def test_an_autoscaler_goes_before_a_number_is_written_and_comes_after_it() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    simulation.server.writes.clear()
    simulation.change(autoscaling=AUTOSCALING)
    await simulation.converge()
    replicas = f"apply Deployment default/london {FIELD_MANAGER}-replicas"
    autoscaler = f"{AUTOSCALER.name} default/london"
    came = simulation.log()
    assert came.index(replicas) < came.index(f"apply {autoscaler} {FIELD_MANAGER}")
    simulation.server.writes.clear()
    simulation.change(replicas=5)
    await simulation.converge()
    went = simulation.log()
    assert went.index(f"delete {autoscaler}") < went.index(replicas)


async def test_an_autoscaler_that_the_cache_has_yet_to_hear_of_is_respected() -> None:
    simulation = await Simulation.of(autoscaling=AUTOSCALING)
    await simulation.converge()
    edited(simulation, DEPLOYMENT, replicas=1)
    await simulation.sync()
    simulation.cache.forget(AUTOSCALER, LONDON)
    await simulation.reconciler.reconcile(LONDON, Priority.RESYNC)
    assert simulation.body(DEPLOYMENT)["spec"]["replicas"] == 1


async def test_a_load_balancer_of_another_class_is_reached_without_one() -> None:
    def service(name: str) -> dict[str, Any]:
        return {"type": "LoadBalancer", "port": 80, "loadBalancerClass": name}

    simulation = await Simulation.of(service=service("example.com/one"))
    await simulation.reconcile()
    simulation.change(service=service("example.com/two"))
    simulation.server.writes.clear()
    types: list[str] = []
    simulation.server.after = lambda request: (
        types.append(simulation.body(SERVICE)["spec"]["type"]) if request.kind is SERVICE else None
    )
    await simulation.converge()
    assert types == ["ClusterIP", "LoadBalancer"]
    assert simulation.body(SERVICE)["spec"]["loadBalancerClass"] == "example.com/two"
