"""What a status tells beyond itself: events and metrics, once for each transition."""

import json
from contextlib import suppress

import pytest
from support.fake_api_server import Request
from support.simulation import LONDON, Simulation
from weather_operator.controller.workqueue import Priority
from weather_operator.kube.errors import ApiError, NotFoundError, RefusedError, error_of
from weather_operator.kube.resources import EVENT, Kind, Manifest
from weather_operator.model import CHILDREN, FIELD_MANAGER, WEATHER_APP

_UNTYPED = "failed to create typed patch object (default/london; v1, Kind=WeatherApp)"
AUTOSCALING = {
    "minReplicas": 3,
    "maxReplicas": 6,
    "targetCPUUtilizationPercentage": 70,
    "scaleDownStabilizationSeconds": 300,
}


def rollouts(simulation: Simulation, outcome: str) -> float:
    value = simulation.metrics.registry.get_sample_value(
        "weather_operator_rollouts_total", {"outcome": outcome}
    )
    return value or 0


async def test_a_transition_is_one_event_about_the_app() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    await simulation.converge()
    (event,) = (body for (kind, _), body in simulation.server.bodies().items() if kind is EVENT)
    uid = simulation.body(WEATHER_APP)["metadata"]["uid"]
    assert (event["involvedObject"]["uid"], event["reason"], event["type"], event["count"]) == (
        uid,
        "Serving",
        "Normal",
        1,
    )


async def test_a_failed_version_is_a_warning_and_counted_once() -> None:
    simulation = await Simulation.of(colour="yellow")
    await simulation.converge()
    assert (rollouts(simulation, "Succeeded"), rollouts(simulation, "RolledBack")) == (1, 0)
    simulation.change(colour="red")
    await simulation.converge()
    assert simulation.events() == ["Serving", "Blocked", "RollingBack", "RolledBack"]
    assert (rollouts(simulation, "Succeeded"), rollouts(simulation, "RolledBack")) == (1, 1)
    await simulation.converge()
    assert rollouts(simulation, "RolledBack") == 1


async def test_an_event_that_cannot_be_written_hinders_no_status() -> None:
    def refuse_events(request: Request) -> None:
        if request.kind is EVENT:
            raise RefusedError(403, "Forbidden", "events is forbidden")

    simulation = await Simulation.of()
    simulation.server.before = refuse_events
    await simulation.converge()
    assert (simulation.ready(), simulation.events()) == ("Serving", [])


async def test_a_status_that_somebody_changed_is_put_right() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    before = simulation.state()
    status = {**simulation.body(WEATHER_APP)["status"], "ready": "9/9"}
    simulation.server.edit(WEATHER_APP, LONDON, status=status)
    assert await simulation.converge() == 1
    assert simulation.state() == before


async def test_a_status_that_is_lost_is_written_again_and_no_pod_is_restarted() -> None:
    simulation = await Simulation.of(colour="green")
    await simulation.converge()
    simulation.server.edit(WEATHER_APP, LONDON, status={})
    await simulation.converge()
    assert simulation.ready() == "Serving"
    writes = [str(write) for write in simulation.server.writes]
    assert writes.count(f"apply Deployment default/london {FIELD_MANAGER}") == 1


@pytest.mark.parametrize("times", [1, 2])
async def test_a_scale_beside_autoscaling_is_told_once_for_each_number(times: int) -> None:
    simulation = await Simulation.of(autoscaling=AUTOSCALING)
    await simulation.converge()
    app = simulation.body(WEATHER_APP)
    scale = {
        "manager": "kubectl",
        "operation": "Update",
        "subresource": "scale",
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
    }
    managed = [*app["metadata"]["managedFields"], scale]
    for number in (7, 8)[:times]:
        metadata = {**simulation.body(WEATHER_APP)["metadata"], "managedFields": managed}
        spec = {**app["spec"], "replicas": number}
        simulation.server.put(WEATHER_APP, LONDON, {**app, "metadata": metadata, "spec": spec})
        await simulation.converge()
        await simulation.converge()
    assert simulation.events().count("ScaleIgnored") == times


async def test_an_app_whose_status_is_not_found_is_gone_though_no_watch_told() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    simulation.server.edit(WEATHER_APP, LONDON, status={})
    simulation.cache.put(WEATHER_APP, simulation.body(WEATHER_APP))
    simulation.server.remove(WEATHER_APP, LONDON)
    with suppress(ApiError):
        await simulation.reconciler.reconcile(LONDON, Priority.RESYNC)
    for kind in CHILDREN:
        if simulation.server.body(kind, LONDON):
            simulation.server.remove(kind, LONDON)
        simulation.cache.forget(kind, LONDON)
    simulation.server.writes.clear()
    await simulation.reconciler.reconcile(LONDON, Priority.CHILD)
    assert simulation.log() == [], "children of the dead were made again"
    assert "StatusRefused" not in simulation.events()


@pytest.mark.parametrize(
    "error",
    [
        RefusedError(404, "NotFound", "the server could not find the requested resource"),
        NotFoundError(404, "NotFound", "weatherapps london not found"),
    ],
    ids=["the kind is not served", "the definition has no status"],
)
async def test_an_app_that_is_there_is_kept_though_its_status_is_not_found(
    error: RefusedError,
) -> None:
    def misroute(request: Request) -> None:
        if request.part == "status":
            raise error
        if request.kind is WEATHER_APP and type(error) is RefusedError:
            raise error

    simulation = await Simulation.of()
    await simulation.sync()
    simulation.server.before = misroute
    for _ in range(3):
        with suppress(RefusedError):
            await simulation.reconciler.reconcile(LONDON, Priority.RESYNC)
    assert simulation.cache.get(WEATHER_APP, LONDON)
    simulation.server.before = lambda _: None
    await simulation.converge()
    assert simulation.ready() == "Serving"


async def test_what_an_older_definition_does_not_declare_is_left_out_of_the_status() -> None:
    def refuse_images(_: Kind, body: Manifest) -> None:
        status = body.get("status", {})
        failed = status.get("failedRevisions", ())
        fields = [
            *(["ready"] if "ready" in status else []),
            *(f"failedRevisions[{n}].image" for n, each in enumerate(failed) if "image" in each),
        ]
        if fields:
            said = "".join(f"\n  .status.{field}: field not declared in schema" for field in fields)
            raise error_of(500, json.dumps({"message": f"{_UNTYPED}: errors:{said}"}).encode())

    simulation = await Simulation.of(colour="yellow")
    simulation.server.admission = refuse_images
    await simulation.converge()
    simulation.change(colour="red")
    await simulation.converge()
    status = simulation.body(WEATHER_APP)["status"]
    (failed,) = status["failedRevisions"]
    assert (simulation.ready(), failed["version"]) == ("RolledBack", "3.0.0")
    assert "image" not in failed
    assert "ready" not in status
    assert "StatusRefused" in simulation.events()
    assert rollouts(simulation, "RolledBack") == 1
    assert await simulation.converge() == 0
    simulation.server.admission = lambda _kind, _body: None
    simulation.change(colour="yellow")
    await simulation.converge()
    status = simulation.body(WEATHER_APP)["status"]
    assert status["ready"] == "2/2"
    assert await simulation.converge() == 0
