"""Routes follow what serves, and an old way in goes once the new one leads somewhere."""

from typing import Any

import pytest
from support.fake_api_server import Request
from support.simulation import LONDON, Simulation
from weather_operator.controller.workqueue import Priority
from weather_operator.kube.errors import ApiError, RefusedError, UnavailableError
from weather_operator.kube.resources import DEPLOYMENT, EVENT, HTTP_ROUTE, INGRESS, Kind, Manifest
from weather_operator.model import WEATHER_APP
from weather_operator.rollout.routes import path_of
from weather_operator.status.conditions import condition


def ingress(path: str) -> dict[str, Any]:
    return {"ingress": {"className": "nginx", "host": "w.example.com", "path": path}}


def gateway(path: str) -> dict[str, Any]:
    parents = [{"name": "public"}]
    return {"gateway": {"parentRefs": parents, "hostnames": ["w.example.com"], "path": path}}


def taken_up(kind: Kind) -> Manifest:
    """The status that a route's controller writes."""
    if kind is INGRESS:
        return {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}
    accepted = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": ""}
    parent = {"parentRef": {"name": "public"}, "controllerName": "x", "conditions": [accepted]}
    return {"parents": [parent]}


async def serving(spec: dict[str, Any], kind: Kind) -> Simulation:
    simulation = await Simulation.of(**spec)
    await simulation.converge()
    simulation.server.edit(kind, LONDON, status=taken_up(kind))
    await simulation.converge()
    return simulation


def served_path(simulation: Simulation) -> str:
    """The path at which the pods of the Deployment's template answer."""
    (web,) = simulation.body(DEPLOYMENT)["spec"]["template"]["spec"]["containers"]
    paths = [each["value"] for each in web["env"] if each["name"] == "BASE_PATH"]
    return paths[0] if paths else "/"


@pytest.mark.parametrize(("route", "kind"), [(ingress, INGRESS), (gateway, HTTP_ROUTE)])
async def test_a_route_leads_to_a_new_path_only_once_its_pods_serve(route: Any, kind: Kind) -> None:
    simulation = await serving(route("/old"), kind)
    simulation.change(**route("/new"))
    seen: list[tuple[str, str | None]] = []
    for _ in range(8):
        await simulation.reconcile()
        complete = not simulation.turn()
        simulation.seconds += 1
        seen.append((served_path(simulation), path_of(simulation.body(kind))))
        if complete and seen[-1] == ("/new", "/new"):
            break
    assert ("/new", "/old") in seen
    assert seen[-1] == ("/new", "/new")
    await simulation.converge()
    assert simulation.body(WEATHER_APP)["status"]["url"] == "http://w.example.com/new/"


@pytest.mark.parametrize(("route", "kind"), [(ingress, INGRESS), (gateway, HTTP_ROUTE)])
async def test_a_new_path_with_a_version_that_fails_never_moves_the_route(
    route: Any, kind: Kind
) -> None:
    simulation = await serving({"colour": "yellow", **route("/old")}, kind)
    simulation.change(colour="red", **route("/new"))
    for _ in range(60):
        await simulation.reconcile()
        simulation.turn()
        simulation.seconds += 30
        assert path_of(simulation.body(kind)) == "/old"
    assert simulation.ready() == "RolledBack"
    assert served_path(simulation) == "/old"


@pytest.mark.parametrize(
    ("before", "after", "old", "new"),
    [
        (ingress("/"), gateway("/"), INGRESS, HTTP_ROUTE),
        (gateway("/"), ingress("/"), HTTP_ROUTE, INGRESS),
    ],
)
async def test_another_kind_of_route_takes_over_before_the_old_one_goes(
    before: dict[str, Any], after: dict[str, Any], old: Kind, new: Kind
) -> None:
    simulation = await serving(before, old)
    simulation.gateway_is_away = True
    simulation.change(**after)
    await simulation.converge()
    assert simulation.ready() == "AddressPending"
    assert simulation.server.body(new, LONDON)
    assert simulation.server.body(old, LONDON), "the old way in is gone before the new one leads"
    simulation.server.edit(new, LONDON, status=taken_up(new))
    await simulation.converge()
    assert simulation.server.body(old, LONDON) is None


@pytest.mark.parametrize(
    ("before", "after", "old"),
    [(ingress("/"), gateway("/new"), INGRESS), (gateway("/"), ingress("/new"), HTTP_ROUTE)],
)
async def test_an_old_way_in_follows_what_serves_until_the_new_one_leads(
    before: dict[str, Any], after: dict[str, Any], old: Kind
) -> None:
    simulation = await serving(before, old)
    simulation.gateway_is_away = True
    known = simulation.body(old)
    simulation.change(**after)
    await simulation.converge()
    assert path_of(simulation.body(old)) == "/new"
    changed = simulation.body(old)["spec"]
    assert {k: v for k, v in changed.items() if k != "rules"} == {
        k: v for k, v in known["spec"].items() if k != "rules"
    }
    assert simulation.body(old)["metadata"].get("annotations") == known["metadata"].get(
        "annotations"
    )


async def test_a_route_that_nothing_takes_the_place_of_goes_at_once() -> None:
    simulation = await serving(ingress("/"), INGRESS)
    simulation.change()
    await simulation.converge()
    assert simulation.server.body(INGRESS, LONDON) is None
    assert simulation.ready() == "Serving"


def unfollowed(simulation: Simulation, kind: Kind) -> None:
    """Somebody takes our label off a route: to a watch by label it is deleted."""
    before = simulation.body(kind)
    simulation.server.edit(kind, LONDON, metadata={**before["metadata"], "labels": {}})
    metadata = simulation.body(kind)["metadata"]
    told = {
        **before,
        "metadata": {**before["metadata"], "resourceVersion": metadata["resourceVersion"]},
    }
    assert simulation.cache.remove(kind, told)


@pytest.mark.parametrize(("route", "kind"), [(ingress, INGRESS), (gateway, HTTP_ROUTE)])
async def test_a_route_that_no_watch_shows_goes_when_it_is_asked_for_no_longer(
    route: Any, kind: Kind
) -> None:
    simulation = await serving(route("/"), kind)
    unfollowed(simulation, kind)
    simulation.change()
    simulation.cache.put(WEATHER_APP, simulation.body(WEATHER_APP))
    outcome = await simulation.reconciler.reconcile(LONDON, Priority.USER)
    assert outcome.requeue_after == 0
    await simulation.reconciler.reconcile(LONDON, Priority.USER)
    assert simulation.server.body(kind, LONDON) is None


@pytest.mark.parametrize(
    "error",
    [
        RefusedError(403, "Forbidden", "ingresses is forbidden"),
        UnavailableError(500, "InternalError", "conversion webhook failed"),
    ],
)
async def test_a_route_that_nobody_asks_for_and_that_cannot_be_read_harms_nothing(
    error: ApiError,
) -> None:
    simulation = await Simulation.of(**ingress("/"))
    await simulation.converge()
    simulation.change(colour="green")

    def refuse(request: Request) -> None:
        if request.verb == "get" and request.kind in (INGRESS, HTTP_ROUTE):
            raise error

    simulation.server.before = refuse
    await simulation.converge()
    assert simulation.ready() == "Serving"


async def test_routes_are_looked_for_only_when_the_way_in_is_new() -> None:
    simulation = await Simulation.of()
    asked: list[Request] = []
    simulation.server.before = asked.append
    await simulation.converge()
    simulation.server.edit(
        DEPLOYMENT, LONDON, metadata={**simulation.body(DEPLOYMENT)["metadata"], "labels": {}}
    )
    await simulation.converge()
    simulation.change(colour="green")
    await simulation.converge()
    assert not [each for each in asked if each.verb == "get" and each.kind in (INGRESS, HTTP_ROUTE)]


async def test_what_a_controller_warns_of_about_the_way_in_is_relayed() -> None:
    simulation = await Simulation.of(**ingress("/"))
    await simulation.converge()
    uid = simulation.body(INGRESS)["metadata"]["uid"]
    for number, message in enumerate(("an old one", "couldn't find certificate for w.example.com")):
        event = {
            "metadata": {"name": f"e{number}", "namespace": "default"},
            "involvedObject": {"uid": uid},
            "type": "Warning",
            "reason": "FailedBuildModel",
            "message": message,
            "lastTimestamp": f"2026-01-01T10:0{number}:00Z",
        }
        await simulation.server.create(EVENT, event)
    outcome = await simulation.reconcile()
    assert outcome.requeue_after
    status = simulation.body(WEATHER_APP)["status"]
    (blocker,) = status["blockers"]
    assert (blocker["reason"], blocker["object"]) == ("FailedBuildModel", "Ingress/london")
    assert "couldn't find certificate" in condition(status, "Ready")["message"]
    simulation.server.edit(INGRESS, LONDON, status=taken_up(INGRESS))
    await simulation.converge()
    assert "blockers" not in simulation.body(WEATHER_APP)["status"]
    assert simulation.ready() == "Serving"
