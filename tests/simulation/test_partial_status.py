"""A status that lacks what its definition does not require: older, pruned, or half restored.

It costs at most what it lacks: no pass breaks, of this app or of another, and the end is the same.
"""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.simulation import LONDON, Simulation
from support.trials import (
    at_second_step,
    canary,
    nothing_left,
    revision_of,
    rollout,
    serving,
    status,
    weight_in,
)
from weather_operator.controller.fleet import fleet_state
from weather_operator.kube.resources import DEPLOYMENT, HTTP_ROUTE, Manifest
from weather_operator.model import WEATHER_APP

Steps = tuple[str | int, ...]

DEFINITION = yaml.safe_load(Path("crds/weatherapp.yaml").read_text())
SCHEMA = DEFINITION["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]


def optional(value: Any, schema: Manifest, path: Steps = ()) -> Iterator[Steps]:
    """The paths of all that is there and may be lacking, what is within another one first."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from optional(inner, schema["properties"][name], (*path, name))
            if name not in schema.get("required", ()):
                yield (*path, name)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from optional(inner, schema["items"], (*path, number))


def without(value: Any, path: Steps) -> Any:
    left = deepcopy(value)
    inner = left
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return left


async def lacking_each(simulation: Simulation) -> None:
    """Do a pass with a status that lacks something, for each that it may lack."""
    for path in [*optional(status(simulation), SCHEMA)]:
        try:
            left = without(status(simulation), path)
        except LookupError:
            continue  # the passes before have made it go
        simulation.server.edit(WEATHER_APP, LONDON, status=left)
        fleet_state([simulation.body(WEATHER_APP)])
        await simulation.reconcile()


@pytest.mark.parametrize("colour", ["green", "red"])
@pytest.mark.parametrize("strategy", [canary(), {"replicas": 4, "rollout": {}}])
async def test_a_status_may_lack_whatever_is_not_required(strategy: Manifest, colour: str) -> None:
    simulation = await serving(**strategy)
    simulation.change(**{**strategy, "colour": colour})
    for _ in range(6):
        await lacking_each(simulation)
        simulation.turn()
        simulation.seconds += 30
    await simulation.converge()
    await lacking_each(simulation)
    await simulation.converge()
    served = {"green": "2.0.0", "red": "1.0.0"}[colour]
    assert (status(simulation)["version"], nothing_left(simulation)) == (served, True)


def lose_a_pod(simulation: Simulation) -> None:
    said = simulation.body(DEPLOYMENT)["status"]
    left = said["availableReplicas"] - 1
    simulation.server.edit(DEPLOYMENT, LONDON, status={**said, "availableReplicas": left})


async def test_a_trial_in_a_phase_that_nobody_knows_promotes_nothing_and_begins_anew() -> None:
    simulation = await at_second_step()
    served = revision_of(simulation)
    lose_a_pod(simulation)
    said = status(simulation)
    strange = {**said, "rollout": {**said["rollout"], "phase": "Warming"}}
    simulation.server.edit(WEATHER_APP, LONDON, status=strange)
    for _ in range(4):
        simulation.wait(await simulation.reconcile())
        assert revision_of(simulation) == served
    assert weight_in(simulation.server.body(HTTP_ROUTE, LONDON)) == 0
    await simulation.converge()
    assert (status(simulation)["version"], nothing_left(simulation)) == ("2.0.0", True)


async def test_a_rollout_in_a_phase_that_nobody_knows_is_called_what_it_is() -> None:
    simulation = await serving(replicas=4)
    lose_a_pod(simulation)
    await simulation.reconcile()
    said = status(simulation)
    strange = {**said, "rollout": {**said["rollout"], "phase": "Warming"}}
    simulation.server.edit(WEATHER_APP, LONDON, status=strange)
    await simulation.reconcile()
    assert rollout(simulation)["phase"] == "Scaling"
