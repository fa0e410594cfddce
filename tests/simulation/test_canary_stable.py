"""What serves while a revision is tried: it stays as it is, also where others change it."""

import pytest
from support.fake_api_server import Request
from support.simulation import LONDON, Simulation
from support.trials import (
    canary,
    in_trial,
    nothing_left,
    phase_is,
    rollout,
    serving,
    status,
    until,
    weight_in,
)
from weather_operator.kube.resources import DEPLOYMENT, HTTP_ROUTE, Manifest
from weather_operator.render import MANAGED_BY

AWAITED = canary({"weight": 50, "approval": True})


def edit_template(simulation: Simulation, image: str, **annotations: str) -> None:
    """Somebody changes the image that serves, and with it the annotations of its pods."""
    spec = simulation.body(DEPLOYMENT)["spec"]
    metadata, pod = spec["template"]["metadata"], spec["template"]["spec"]
    containers = [{**pod["containers"][0], "image": image}, *pod["containers"][1:]]
    template = {
        "metadata": {**metadata, "annotations": {**metadata["annotations"], **annotations}},
        "spec": {**pod, "containers": containers},
    }
    simulation.server.edit(DEPLOYMENT, LONDON, spec={**spec, "template": template})


def template(simulation: Simulation) -> Manifest:
    found: Manifest = simulation.body(DEPLOYMENT)["spec"]["template"]
    return found


@pytest.mark.parametrize("image", ["weather:another", "weather:2.0.0"])
@pytest.mark.parametrize(
    "annotations", [{}, {"weather.quantspark.io/revision": "of-before"}], ids=["edited", "undone"]
)
@pytest.mark.parametrize("paused", [False, True])
async def test_an_edit_of_what_serves_is_put_back_while_a_revision_is_tried(
    image: str, annotations: dict[str, str], paused: bool
) -> None:
    simulation = await in_trial("AwaitingApproval", **AWAITED)
    before, revision = template(simulation), rollout(simulation)["revision"]
    if paused:
        simulation.change(**{**AWAITED, "rollout": {**AWAITED["rollout"], "paused": True}})
        await simulation.reconcile()
    edit_template(simulation, image, **annotations)
    for _ in range(6):
        simulation.wait(await simulation.reconcile())
        simulation.turn()
    assert template(simulation) == before
    assert not simulation.body(DEPLOYMENT)["spec"]["paused"]
    assert phase_is(simulation, "AwaitingApproval")()
    assert rollout(simulation)["revision"] == revision
    assert (status(simulation)["image"], status(simulation)["version"]) == (
        "weather:1.0.0",
        "1.0.0",
    )
    assert await simulation.converge() == 0


async def test_what_others_add_to_what_serves_stays_while_a_revision_is_tried() -> None:
    simulation = await in_trial("AwaitingApproval", **AWAITED)
    annotation = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T10:00:00Z"}
    edit_template(simulation, "weather:1.0.0", **annotation)
    await simulation.converge()
    assert annotation.items() <= template(simulation)["metadata"]["annotations"].items()


async def test_what_somebody_takes_from_what_serves_is_put_back_while_a_revision_is_tried() -> None:
    simulation = await in_trial("AwaitingApproval", **AWAITED)
    before, spec = template(simulation), simulation.body(DEPLOYMENT)["spec"]
    (container,) = before["spec"]["containers"]
    probeless = {name: value for name, value in container.items() if name != "readinessProbe"}
    edited = {**before, "spec": {**before["spec"], "containers": [probeless]}}
    simulation.server.edit(DEPLOYMENT, LONDON, spec={**spec, "template": edited})
    await simulation.converge()
    assert template(simulation) == before


@pytest.mark.parametrize("kind", ["paused", "strategy", "ownerReferences", "labels"])
async def test_whatever_of_what_serves_is_edited_while_a_revision_is_tried_is_put_back(
    kind: str,
) -> None:
    simulation = await in_trial("AwaitingApproval", **AWAITED)
    before = simulation.body(DEPLOYMENT)
    spec, metadata = before["spec"], before["metadata"]
    edits: dict[str, Manifest] = {
        "paused": {"spec": {**spec, "paused": True}},
        "strategy": {"spec": {**spec, "strategy": {"type": "Recreate"}}},
        "ownerReferences": {"metadata": {**metadata, "ownerReferences": []}},
        "labels": {"metadata": {**metadata, "labels": MANAGED_BY}},
    }
    simulation.server.edit(DEPLOYMENT, LONDON, **edits[kind])
    await simulation.converge()
    after = simulation.body(DEPLOYMENT)
    assert after["spec"] == spec
    for each in ("ownerReferences", "labels"):
        assert after["metadata"][each] == metadata[each]
    assert phase_is(simulation, "AwaitingApproval")()
    assert await simulation.converge() == 0


async def test_what_a_tried_revision_has_beside_what_serves_writes_nothing_to_that() -> None:
    more = {**AWAITED, "pod": {"env": [{"name": "MORE", "value": "1"}]}}
    simulation = await serving(**AWAITED)
    before = simulation.body(DEPLOYMENT)
    simulation.change(**more)
    await until(simulation, phase_is(simulation, "AwaitingApproval"))
    after = simulation.body(DEPLOYMENT)
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert after["metadata"]["managedFields"] == before["metadata"]["managedFields"]


async def test_a_canary_keeps_the_visitors_where_what_serves_beside_it_is_deleted() -> None:
    simulation = await in_trial("AwaitingApproval", **AWAITED)
    simulation.server.remove(DEPLOYMENT, LONDON)
    weights = []

    def note(_: Request) -> None:
        live = simulation.server.body(DEPLOYMENT, LONDON) or {}
        if not live.get("status", {}).get("availableReplicas"):
            weights.append(weight_in(simulation.server.body(HTTP_ROUTE, LONDON)))

    simulation.server.after = note
    await simulation.converge()
    assert set(weights) == {50, 100}
    assert status(simulation)["version"] == "2.0.0"
    assert nothing_left(simulation)
