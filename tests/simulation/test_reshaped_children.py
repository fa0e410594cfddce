"""Children that others gave a shape which is valid and not ours, as people do in maintenance."""

import pytest
from support.simulation import LONDON, ROUTED, Simulation
from support.trials import (
    ALB,
    GATEWAY,
    canary,
    in_trial,
    run_passes,
    status,
    without_none,
)
from weather_operator.kube.resources import HTTP_ROUTE, INGRESS, SERVICE, Kind, Manifest
from weather_operator.rollout.routes import path_of
from weather_operator.status.conditions import condition

SORRY = {"service": {"name": "sorry", "port": {"number": 80}}}
DEFAULT_BACKEND = {"ingressClassName": "nginx", "defaultBackend": SORRY}
HOST_ALONE = {"ingressClassName": "nginx", "rules": [{"host": "london.example"}]}
NO_MATCH = {"parentRefs": [{"name": "public"}], "rules": [{"matches": []}]}
ELSEWHERE = {"type": "ExternalName", "externalName": "sorry.example"}
SOLVER = {"service": {"name": "cm-acme-http-solver-x7k2p", "port": {"number": 8089}}}


@pytest.mark.parametrize(
    ("route", "kind", "shape"),
    [
        (ROUTED, INGRESS, DEFAULT_BACKEND),
        (ROUTED, INGRESS, HOST_ALONE),
        (GATEWAY, HTTP_ROUTE, NO_MATCH),
        ({}, SERVICE, ELSEWHERE),
    ],
    ids=["default backend", "host alone", "no match", "external name"],
)
async def test_a_suspended_site_is_told_of_whatever_a_person_made_of_its_way_in(
    route: Manifest, kind: Kind, shape: Manifest
) -> None:
    simulation = await Simulation.of(**route)
    await run_passes(simulation, 4)
    before = simulation.body(kind)["spec"]
    simulation.change(suspend=True, **route)
    await run_passes(simulation, 4)
    simulation.server.edit(kind, LONDON, spec=shape)
    await run_passes(simulation, 4)
    assert simulation.body(kind)["spec"] == shape
    assert condition(status(simulation), "Ready")["reason"] == "Suspended"
    assert "url" not in status(simulation)
    simulation.change(**route)
    await run_passes(simulation, 4)
    assert {**simulation.body(kind)["spec"], **before} == simulation.body(kind)["spec"]


@pytest.mark.parametrize("shape", [DEFAULT_BACKEND, HOST_ALONE])
async def test_an_ingress_that_leads_nowhere_is_put_back_in_mid_rollout(shape: Manifest) -> None:
    simulation = await Simulation.of(**ROUTED)
    await simulation.converge()
    simulation.turns_of_rollout = 5
    simulation.change(colour="green", **ROUTED)
    await run_passes(simulation, 3)
    assert "rollout" in status(simulation)
    simulation.server.edit(INGRESS, LONDON, spec=shape)
    await simulation.converge()
    assert path_of(simulation.body(INGRESS)) == "/"
    assert status(simulation)["version"] == "2.0.0"


async def test_an_ingress_that_leads_nowhere_is_put_back_in_a_trial() -> None:
    simulation = await in_trial("Analysing", **without_none(canary(**ALB)))
    shape = {**DEFAULT_BACKEND, "ingressClassName": "alb"}
    simulation.server.edit(INGRESS, LONDON, spec=shape)
    await run_passes(simulation, 4)
    assert path_of(simulation.body(INGRESS)) == "/"


@pytest.mark.parametrize("missing", ["ingressClassName", "rules"])
async def test_a_previous_ingress_that_others_took_apart_goes(missing: str) -> None:
    simulation = await Simulation.of(**ROUTED)
    await simulation.converge()
    simulation.server.edit(
        INGRESS, LONDON, status={"loadBalancer": {"ingress": [{"ip": "203.0.113.5"}]}}
    )
    simulation.gateway_is_away = True
    simulation.change(**GATEWAY)
    await run_passes(simulation, 4)
    spec = simulation.body(INGRESS)["spec"]
    del spec[missing]
    simulation.server.edit(INGRESS, LONDON, spec={**spec, "defaultBackend": SORRY})
    await run_passes(simulation, 4)
    assert simulation.server.body(INGRESS, LONDON) is None
    simulation.gateway_is_away = False
    await simulation.converge()
    assert condition(status(simulation), "Ready")["observedGeneration"] == 2


async def test_the_path_of_a_challenge_is_not_the_sites() -> None:
    """cert-manager puts its solver's path first while it edits an Ingress in place."""
    simulation = await Simulation.of(**ROUTED)
    await simulation.converge()
    given = {"loadBalancer": {"ingress": [{"ip": "203.0.113.5"}]}}
    simulation.server.edit(INGRESS, LONDON, status=given)
    await simulation.converge()
    for _ in range(12):
        body = simulation.body(INGRESS)
        paths = body["spec"]["rules"][0]["http"]["paths"]
        challenge = {"path": "/.well-known/acme-challenge/x", "pathType": "Exact"}
        if len(paths) == 1:
            paths.insert(0, {**challenge, "backend": SOLVER})
            simulation.server.edit(INGRESS, LONDON, spec=body["spec"])
        await run_passes(simulation, 1)
        assert status(simulation)["url"] == "http://london.example/"


async def test_a_port_that_somebody_adds_is_not_the_sites() -> None:
    simulation = await Simulation.of(service={"type": "ClusterIP", "port": 81})
    await simulation.converge()
    spec = simulation.body(SERVICE)["spec"]
    added = {"name": "metrics", "port": 9090, "targetPort": "metrics", "protocol": "TCP"}
    simulation.server.edit(SERVICE, LONDON, spec={**spec, "ports": [added, *spec["ports"]]})
    await simulation.converge()
    assert len(simulation.body(SERVICE)["spec"]["ports"]) == 2
    assert status(simulation)["url"] == "http://london.default.svc:81/"


async def test_a_parent_that_says_nothing_of_the_route_is_waited_for() -> None:
    simulation = await Simulation.of(**GATEWAY)
    simulation.gateway_is_away = True
    await run_passes(simulation, 4)
    parent = {"parentRef": {"name": "public"}, "controllerName": "example.com/gateway"}
    simulation.server.edit(HTTP_ROUTE, LONDON, status={"parents": [parent]})
    await run_passes(simulation, 4)
    assert simulation.ready() == "AddressPending"
