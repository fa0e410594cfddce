"""An API server that was away: what it says of pods then is as old as its outage."""

from collections.abc import Awaitable, Callable

import pytest
from support.simulation import CANARY, LONDON, Simulation
from support.trials import (
    canary,
    phase_is,
    rollout,
    run_passes_alone,
    serving,
    status,
    until,
)
from weather_operator.kube.resources import DEPLOYMENT, POD, REPLICA_SET, Key
from weather_operator.model import WEATHER_APP

NEW_POD = Key(namespace="default", name="new")
OUTAGE = 600


def start_pod(simulation: Simulation, key: Key) -> None:
    """A pod of a Deployment's new template begins to run, and is not ready yet."""
    deployment = simulation.server.body(DEPLOYMENT, key)
    assert deployment
    template, generation = deployment["spec"]["template"], deployment["metadata"]["generation"]
    before = deployment.get("status", {})
    available = before.get("availableReplicas", 0)
    so_far = {"observedGeneration": generation, "replicas": available + 1, "updatedReplicas": 1}
    simulation.server.edit(DEPLOYMENT, key, status={**before, **so_far})
    owner = {"kind": REPLICA_SET.name, "name": f"{key.name}-1a2b", "controller": True}
    metadata = {"name": NEW_POD.name, "namespace": NEW_POD.namespace, "uid": "new"}
    running = {"name": "web", "ready": False, "state": {"running": {"startedAt": simulation.now()}}}
    body = {
        "metadata": {**template["metadata"], **metadata, "ownerReferences": [owner]},
        "spec": template["spec"],
        "status": {"containerStatuses": [running]},
    }
    simulation.server.put(POD, NEW_POD, body)


async def in_mid_rollout() -> Simulation:
    simulation = await serving(colour="yellow")
    simulation.change(colour="green")
    await simulation.reconcile()
    start_pod(simulation, LONDON)
    await run_passes_alone(simulation, 5)
    assert rollout(simulation)["phase"] == "RollingOut"
    return simulation


async def in_trial() -> Simulation:
    simulation = await serving(**canary())
    simulation.change(**canary())
    await until(simulation, lambda: simulation.server.body(DEPLOYMENT, CANARY) is not None)
    simulation.server.edit(DEPLOYMENT, CANARY, status={})
    start_pod(simulation, CANARY)
    await run_passes_alone(simulation, 5)
    assert phase_is(simulation, "Preparing")()
    return simulation


@pytest.mark.parametrize("begin", [in_mid_rollout, in_trial])
async def test_no_version_is_condemned_for_what_pods_were_before_an_outage(
    begin: Callable[[], Awaitable[Simulation]],
) -> None:
    simulation = await begin()
    simulation.seconds += OUTAGE
    simulation.restart()
    await run_passes_alone(simulation, 10)
    simulation.server.remove(POD, NEW_POD)  # which is ready by now, as its node says at last
    await simulation.converge()
    assert status(simulation)["version"] == "2.0.0"
    assert "failedRevisions" not in simulation.body(WEATHER_APP)["status"]


@pytest.mark.parametrize("begin", [in_mid_rollout, in_trial])
async def test_a_version_that_fails_is_condemned_soon_after_an_outage(
    begin: Callable[[], Awaitable[Simulation]],
) -> None:
    simulation = await begin()
    simulation.seconds += OUTAGE
    simulation.restart()
    await run_passes_alone(simulation, 25)
    (failed,) = status(simulation)["failedRevisions"]
    assert failed["version"] == "2.0.0"
