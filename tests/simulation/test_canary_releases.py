"""What happens to a release while its revision is tried: none of it ends the trial."""

import pytest
from support.simulation import Simulation
from support.trials import canary, in_trial, phase_is, rollout, serving, status, until
from weather_operator.kube.resources import Key, Manifest
from weather_operator.model import WEATHER_RELEASE

YELLOW, GREEN = Key(name="1.0.0"), Key(name="2.0.0")
ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
PHASES = ("Preparing", "Shifting", "Analysing", "Promoting")


def learn(simulation: Simulation, digest: str) -> None:
    """Play the releases' controller, which has asked the registry what green is."""
    body = simulation.server.body(WEATHER_RELEASE, GREEN) or {}
    learned = {"observedGeneration": body["metadata"]["generation"], "digest": digest}
    simulation.server.edit(WEATHER_RELEASE, GREEN, status=learned)


def make_anew(simulation: Simulation, key: Key) -> None:
    body = simulation.server.body(WEATHER_RELEASE, key) or {}
    simulation.server.remove(WEATHER_RELEASE, key)
    uid = f"{body['metadata']['uid']}-anew"
    anew: Manifest = {"metadata": {"name": key.name, "uid": uid}, "spec": body["spec"]}
    simulation.server.put(WEATHER_RELEASE, key, anew)


async def check_goes_on(simulation: Simulation, revision: str) -> None:
    """Fail unless the trial is the same one to its good end."""
    phases = []

    def has_ended() -> bool:
        now = rollout(simulation)
        if "strategy" in now:
            assert now["revision"] == revision
            phases.append(now["phase"])
        return "strategy" not in now

    await until(simulation, has_ended)
    assert "Aborting" not in phases
    assert status(simulation)["version"] == "2.0.0"
    assert [each["outcome"] for each in status(simulation)["history"]] == ["Succeeded"] * 2


@pytest.mark.parametrize("phase", PHASES)
async def test_a_digest_that_becomes_known_in_a_trial_does_not_end_it(phase: str) -> None:
    simulation = await in_trial(phase, **canary())
    revision = rollout(simulation)["revision"]
    learn(simulation, ONE)
    await check_goes_on(simulation, revision)


@pytest.mark.parametrize("phase", PHASES)
async def test_a_release_made_anew_for_a_moved_tag_does_not_end_a_trial(phase: str) -> None:
    simulation = await serving(**canary())
    learn(simulation, ONE)
    simulation.change(**canary())
    await until(simulation, phase_is(simulation, phase))
    revision = rollout(simulation)["revision"]
    assert rollout(simulation)["image"].endswith(ONE)
    make_anew(simulation, GREEN)
    await simulation.reconcile()
    learn(simulation, TWO)
    await check_goes_on(simulation, revision)


@pytest.mark.parametrize("phase", ["Preparing", "Shifting", "Analysing"])
async def test_a_release_that_is_deleted_holds_the_trial_of_its_new_image(phase: str) -> None:
    simulation = await serving(**canary())
    body = simulation.server.body(WEATHER_RELEASE, YELLOW) or {}
    spec = {**body["spec"], "image": "weather:1.0.1"}
    simulation.server.edit(WEATHER_RELEASE, YELLOW, spec=spec)
    await until(simulation, phase_is(simulation, phase))
    before = rollout(simulation)
    simulation.server.remove(WEATHER_RELEASE, YELLOW)
    for _ in range(5):
        await simulation.reconcile()
        simulation.turn()
        simulation.seconds += 60
        now = rollout(simulation)
        assert (now["revision"], now["step"], now["phase"]) == (
            before["revision"],
            before["step"],
            phase,
        )
    assert simulation.ready() == "UnknownVersion"
    simulation.server.put(WEATHER_RELEASE, YELLOW, {**body, "spec": spec})
    await simulation.converge()
    assert status(simulation)["image"] == "weather:1.0.1"
