"""A policy that rewrites images, to a mirror's or to digests, makes no revision of its own."""

from collections.abc import Callable

import pytest
from support.simulation import LONDON, Simulation
from support.trials import (
    canary,
    phase_is,
    rollout,
    run_passes,
    status,
    until,
)
from weather_operator.kube.resources import DEPLOYMENT, Key, Kind, Manifest
from weather_operator.model import WEATHER_RELEASE
from weather_operator.status.conditions import condition

YELLOW, GREEN = Key(name="1.0.0"), Key(name="2.0.0")
ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


Policy = Callable[[str], str]


def mirrored(image: str) -> str:
    return f"mirror.example/{image.removeprefix('mirror.example/')}"


def resolved(image: str) -> str:
    return image if "@" in image else f"{image}@sha256:{'f' * 64}"


async def serving(policy: Policy, *, digest: str = "", **spec: object) -> Simulation:
    """London in yellow, of which a policy has rewritten the image."""

    def admit(kind: Kind, body: Manifest) -> None:
        if kind is DEPLOYMENT:
            for each in body["spec"]["template"]["spec"]["containers"]:
                each["image"] = policy(each["image"])

    simulation = await Simulation.of(**{**spec, "colour": "yellow"})
    simulation.server.admission = admit
    if digest:
        learn(simulation, digest)
    await run_passes(simulation, 10, seconds=2)
    return simulation


def template(simulation: Simulation) -> Manifest:
    found: Manifest = simulation.body(DEPLOYMENT)["spec"]["template"]
    return found


def learn(simulation: Simulation, digest: str) -> None:
    body = simulation.server.body(WEATHER_RELEASE, YELLOW) or {}
    learned = {"observedGeneration": body["metadata"]["generation"], "digest": digest}
    simulation.server.edit(WEATHER_RELEASE, YELLOW, status=learned)


POLICIES = pytest.mark.parametrize("policy", [mirrored, resolved])


@POLICIES
@pytest.mark.parametrize("strategy", [{}, canary()], ids=["rolling update", "canary"])
async def test_what_serves_stays_when_its_release_is_deleted(
    policy: Policy, strategy: Manifest
) -> None:
    simulation = await serving(policy, **strategy)
    before = template(simulation)
    simulation.server.remove(WEATHER_RELEASE, YELLOW)
    await run_passes(simulation, 10, seconds=2)
    assert template(simulation) == before
    assert "rollout" not in status(simulation)
    simulation.change(**{**strategy, "colour": "yellow", "replicas": 3})
    await run_passes(simulation, 10, seconds=2)
    assert (template(simulation), simulation.body(DEPLOYMENT)["spec"]["replicas"]) == (before, 3)
    assert condition(status(simulation), "Ready")["reason"] == "UnknownVersion"


async def test_what_serves_stays_when_its_tag_moves() -> None:
    simulation = await serving(mirrored, digest=ONE)
    before = template(simulation)
    assert before["spec"]["containers"][0]["image"].endswith(ONE)
    learn(simulation, TWO)
    await run_passes(simulation, 10, seconds=2)
    assert template(simulation) == before


async def test_the_way_back_leads_to_what_served_though_its_tag_has_moved() -> None:
    simulation = await serving(mirrored, digest=ONE)
    before = template(simulation)
    simulation.change(colour="red")
    await run_passes(simulation, 3, seconds=2)
    assert template(simulation) != before
    learn(simulation, TWO)
    simulation.change(colour="yellow")
    await run_passes(simulation, 10, seconds=2)
    assert template(simulation) == before


@POLICIES
async def test_what_served_comes_again_where_its_deployment_is_deleted_in_a_pause(
    policy: Policy,
) -> None:
    simulation = await serving(policy)
    before = template(simulation)
    simulation.change(colour="green", rollout={"paused": True})
    await run_passes(simulation, 10, seconds=2)
    simulation.server.remove(DEPLOYMENT, LONDON)
    await run_passes(simulation, 10, seconds=2)
    assert template(simulation) == before


@POLICIES
@pytest.mark.parametrize("phase", ["Analysing", "Promoting", "Draining"])
async def test_a_trial_is_the_same_one_when_its_release_is_deleted(
    policy: Policy, phase: str
) -> None:
    simulation = await serving(policy, **canary())
    simulation.turns_of_rollout = 3
    simulation.change(**canary())
    await until(simulation, phase_is(simulation, phase))
    revision = rollout(simulation)["revision"]
    simulation.server.remove(WEATHER_RELEASE, GREEN)
    for _ in range(20):
        await run_passes(simulation, 1, seconds=2)
        assert rollout(simulation).get("revision") in (None, revision)
