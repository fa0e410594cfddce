"""What others have beside a canary: it is named, and nobody's visitors go there."""

import pytest
from support.simulation import CANARY, Simulation
from support.trials import Watched, canary, in_trial, serving, status
from weather_operator.kube.resources import DISRUPTION_BUDGET, HTTP_ROUTE, SERVICE, Key, Manifest
from weather_operator.render import Track
from weather_operator.status.conditions import condition

BUDGET = Key(namespace="default", name="generated")


def generate_budget(simulation: Simulation, track: Track) -> None:
    """Play a policy that makes one for each Deployment, of its selector, as Kyverno can."""
    labels = {"app.kubernetes.io/instance": "london", "weather.quantspark.io/track": track.value}
    body: Manifest = {
        "metadata": {"name": BUDGET.name, "namespace": BUDGET.namespace, "uid": "generated"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": labels}},
    }
    simulation.server.put(DISRUPTION_BUDGET, BUDGET, body)


def conflicts(simulation: Simulation) -> list[str]:
    reason = "DisruptionBudgetConflict"
    return [each["object"] for each in status(simulation)["blockers"] if each["reason"] == reason]


@pytest.mark.parametrize("track", Track)
async def test_a_second_budget_of_either_track_is_named(track: Track) -> None:
    simulation = await in_trial("AwaitingApproval", **canary({"weight": 50, "approval": True}))
    generate_budget(simulation, track)
    await simulation.converge()
    assert conflicts(simulation) == ["PodDisruptionBudget/generated"]


async def test_a_budget_of_a_canary_that_is_not_there_is_in_nobodys_way() -> None:
    simulation = await serving(**canary())
    generate_budget(simulation, Track.CANARY)
    await simulation.converge()
    assert "blockers" not in status(simulation)


async def test_no_visitor_is_sent_to_somebody_elses_service_of_the_canarys_name() -> None:
    """People who made canaries by hand called them so too."""
    simulation = await serving(**canary())
    watched = Watched(simulation)
    theirs: Manifest = {
        "metadata": {"name": CANARY.name, "namespace": CANARY.namespace, "uid": "theirs"},
        "spec": {"selector": {"app": "theirs"}, "ports": [{"port": 80}]},
    }
    simulation.server.put(SERVICE, CANARY, theirs)
    simulation.change(**canary())
    for _ in range(20):
        await simulation.reconcile()
        simulation.turn()
        simulation.seconds += 10
    assert watched.weights == [0]
    assert CANARY.name not in str(simulation.body(HTTP_ROUTE))
    assert condition(status(simulation), "Ready")["reason"] == "NameConflict"
    simulation.server.remove(SERVICE, CANARY)
    await simulation.converge()
    assert status(simulation)["version"] == "2.0.0"
