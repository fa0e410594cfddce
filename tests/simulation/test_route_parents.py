"""A trial behind several Gateways, some of which left a word that nobody renews."""

from typing import Any

import pytest
from support.simulation import LONDON, Simulation
from support.trials import GATEWAY, Watched, canary, phase_is, rollout, serving, status, until
from weather_operator.kube.resources import HTTP_ROUTE, Manifest


def word(generation: int, **ref: Any) -> Manifest:
    """What a controller says that took up so old a route."""
    conditions = [
        {"type": each, "status": "True", "observedGeneration": generation}
        for each in ("Accepted", "ResolvedRefs")
    ]
    return {"parentRef": ref, "controllerName": "old.example/gateway", "conditions": conditions}


async def tried_beside(*others: Manifest, **spec: Any) -> Simulation:
    """London, which begins to try green, with these words beside that of its Gateway."""
    simulation = await serving(**canary(**spec))
    simulation.other_parents = list(others)
    simulation.change(**canary(**spec))
    await until(simulation, phase_is(simulation, "Shifting"))
    return simulation


@pytest.mark.parametrize(
    "left",
    [
        word(1, name="former"),
        word(1, name="former", sectionName="http"),
        word(1, name="public"),
        word(1, name="public", namespace="default"),
    ],
    ids=["of another Gateway", "of its listener", "of its controller before", "in full"],
)
async def test_what_a_controller_said_that_is_gone_holds_no_trial(left: Manifest) -> None:
    simulation = await tried_beside(left)
    watched = Watched(simulation)
    await until(simulation, lambda: "rollout" not in status(simulation))
    assert status(simulation)["version"] == "2.0.0"
    assert watched.weights == [0, 10, 50, 0]


async def test_each_gateway_that_the_site_names_is_waited_for() -> None:
    gateways = [{"name": "public"}, {"name": "internal", "namespace": "edge"}]
    internal = {"name": "internal", "namespace": "edge"}
    simulation = await tried_beside(
        word(1, **internal), gateway={**GATEWAY["gateway"], "parentRefs": gateways}
    )
    for _ in range(10):
        await simulation.reconcile()
        simulation.turn()
        simulation.seconds += 10
    assert (rollout(simulation)["phase"], rollout(simulation)["step"]) == ("Shifting", 1)
    generation = simulation.body(HTTP_ROUTE)["metadata"]["generation"]
    simulation.other_parents = [word(generation, **internal)]
    await until(simulation, phase_is(simulation, "Analysing"))
    assert simulation.server.body(HTTP_ROUTE, LONDON)
