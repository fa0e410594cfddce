"""What of a trial the API refuses, as a quota or a policy does, hinders nothing but itself."""

from collections.abc import Callable

import pytest
from support.fake_api_server import Request
from support.simulation import CANARY, LONDON, Simulation
from support.trials import (
    ALB,
    BAD,
    CHECKS,
    GOOD,
    Analyst,
    Watched,
    canary,
    in_trial,
    rollout,
    run_passes,
    serving,
    status,
    until,
    weight_in,
    without_none,
)
from weather_operator.kube.errors import RefusedError
from weather_operator.kube.resources import (
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    HTTP_ROUTE,
    INGRESS,
    SERVICE,
    Key,
    Kind,
    Manifest,
)
from weather_operator.rollout.interval import Verdict
from weather_operator.status.conditions import condition

QUOTA = "exceeded quota: objects"


def refuse(simulation: Simulation, kind: Kind, key: Key) -> Callable[[], None]:
    """Refuse every write of an object; return how to end that."""
    server = simulation.server
    before = server.before

    def check(request: Request) -> None:
        before(request)
        if request.is_write and (request.kind, request.key) == (kind, key):
            raise RefusedError(403, "Forbidden", QUOTA)

    def end() -> None:
        server.before = before

    server.before = check
    return end


@pytest.mark.parametrize(("spec", "route"), [({}, HTTP_ROUTE), (ALB, INGRESS)])
async def test_no_route_names_a_canarys_service_that_is_not_there(
    spec: Manifest, route: Kind
) -> None:
    """A Gateway answers with 500 for it, and a load balancer's controller takes no rule with it."""
    spec = without_none(canary(**spec))
    simulation = await serving(**spec)
    watched = Watched(simulation)
    end = refuse(simulation, SERVICE, CANARY)
    simulation.change(**spec)
    await run_passes(simulation, 20, seconds=10)
    assert watched.weights == [0]
    assert CANARY.name not in str(simulation.server.body(route, LONDON))
    assert condition(status(simulation), "Ready")["reason"] == "QuotaExceeded"
    end()
    await until(simulation, lambda: "rollout" not in status(simulation))
    assert status(simulation)["version"] == "2.0.0"


async def test_a_canary_loses_its_visitors_with_its_service() -> None:
    simulation = await in_trial("Analysing", **canary({"weight": 50, "durationSeconds": 6000}))
    refuse(simulation, SERVICE, CANARY)
    simulation.server.remove(SERVICE, CANARY)
    await run_passes(simulation, 4, seconds=10)
    assert weight_in(simulation.server.body(HTTP_ROUTE, LONDON)) == 0
    assert rollout(simulation)["phase"] == "Shifting"


@pytest.mark.parametrize(
    ("verdict", "version", "outcome"),
    [(GOOD, "2.0.0", "Succeeded"), (BAD, "1.0.0", "RolledBack")],
    ids=["good", "bad"],
)
async def test_a_revision_is_judged_though_something_beside_it_is_refused(
    verdict: Verdict, version: str, outcome: str
) -> None:
    analyst = Analyst(*[verdict] * 40)
    steps = {"weight": 10, "durationSeconds": 30}
    spec = canary(steps, rollout={"analysis": CHECKS})
    simulation = await Simulation.of(**{**spec, "colour": "yellow"})
    simulation.analyst = lambda _: analyst
    simulation.restart()
    await simulation.converge()
    refuse(simulation, DISRUPTION_BUDGET, CANARY)
    simulation.change(**spec)
    await run_passes(simulation, 40, seconds=10)
    assert status(simulation)["version"] == version
    assert status(simulation)["history"][0]["outcome"] == outcome
    assert simulation.server.body(DEPLOYMENT, CANARY) is None
