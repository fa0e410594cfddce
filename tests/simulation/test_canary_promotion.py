"""A revision that turns bad while it replaces what served: its way back, and who may ask for it."""

import pytest
from support.fake_api_server import Request
from support.simulation import CATALOGUE, LONDON, Simulation, check_kills
from support.trials import (
    BAD,
    CHECKS,
    DARK,
    GOOD,
    Analyst,
    Watched,
    annotate,
    canary,
    nothing_left,
    phase_is,
    revision_of,
    rollout,
    status,
    until,
    weight_in,
)
from weather_operator.kube.errors import RefusedError
from weather_operator.kube.resources import DEPLOYMENT, HTTP_ROUTE, Manifest
from weather_operator.model import ABORT_ANNOTATION, PROMOTE_ANNOTATION
from weather_operator.rollout.interval import AnalysisTarget, Verdict
from weather_operator.status.conditions import condition

WHOLE = {"weight": 100, "durationSeconds": 10}


class Turning(Analyst):
    """Finds a revision good in its steps, and otherwise while it replaces what served."""

    def __init__(self, simulation: Simulation, then: Verdict) -> None:
        super().__init__(share=None)
        self.simulation, self.then = simulation, then

    def next_verdict(self, trial: AnalysisTarget) -> Verdict | None:
        return self.then if phase_is(self.simulation, "Promoting")() else GOOD


async def promoting(
    then: Verdict = BAD, *steps: Manifest, rollout: Manifest | None = None
) -> Simulation:
    """London, whose rollout to green is half-way after all steps."""
    fields = {"analysis": CHECKS, **(rollout or {})}
    wish = canary(*(steps or (WHOLE,)), rollout=fields)
    simulation = await Simulation.of(**{**wish, "colour": "yellow"})
    analyst = Turning(simulation, then)
    simulation.analyst = lambda _: analyst
    simulation.restart()
    await simulation.converge()
    simulation.turns_of_rollout = 12
    simulation.change(**wish)
    await until(simulation, phase_is(simulation, "Promoting"))
    return simulation


def weight(simulation: Simulation) -> int:
    return weight_in(simulation.server.body(HTTP_ROUTE, LONDON))


def lose_pods(simulation: Simulation) -> None:
    """Have no stable pod available."""
    lost = {**simulation.body(DEPLOYMENT)["status"], "availableReplicas": 0, "readyReplicas": 0}
    simulation.server.edit(DEPLOYMENT, LONDON, status=lost)


async def test_checks_that_fail_take_a_revision_back_and_its_visitors_first() -> None:
    simulation = await promoting()
    before = revision_of(simulation)
    await simulation.reconcile()
    assert revision_of(simulation) != before
    weights: list[tuple[int, bool]] = []

    def note(_: Request) -> None:
        weights.append((weight(simulation), revision_of(simulation) == before))

    simulation.server.after = note
    await simulation.converge()
    assert revision_of(simulation) == before
    assert weights[0] == (100, False)
    failed = status(simulation)["failedRevisions"][0]
    assert failed["version"] == "2.0.0"
    assert "success came out Failed at 1, the bound is 2" in failed["reason"]
    assert simulation.ready() == "RolledBack"
    message = condition(status(simulation), "Ready")["message"]
    assert "success came out Failed" in message
    assert [each["outcome"] for each in status(simulation)["history"]] == [
        "RolledBack",
        "Succeeded",
    ]
    assert nothing_left(simulation)


async def test_the_status_names_the_failure_before_anything_goes_back() -> None:
    simulation = await promoting()
    before = revision_of(simulation)
    await until(simulation, lambda: "failedRevisions" in status(simulation))
    assert (rollout(simulation)["phase"], weight(simulation)) == ("RollingBack", 100)
    assert revision_of(simulation) != before
    await simulation.reconcile()
    assert (revision_of(simulation), weight(simulation)) == (before, 0)


async def test_what_is_taken_back_has_not_succeeded_though_a_refusal_let_it_complete() -> None:
    simulation = await promoting()
    before = revision_of(simulation)
    await until(simulation, lambda: "failedRevisions" in status(simulation))
    simulation.turns_of_rollout = 0
    check = simulation.server.before

    def refuse(request: Request) -> None:
        check(request)
        if request.verb == "apply" and request.kind is DEPLOYMENT and request.key == LONDON:
            raise RefusedError(500, "InternalError", "failed calling webhook: refused")

    simulation.server.before = refuse
    for _ in range(8):
        simulation.turn()
        simulation.wait(await simulation.reconcile())
    assert revision_of(simulation) != before
    assert simulation.body(DEPLOYMENT)["status"]["updatedReplicas"] == 4
    simulation.server.before = check
    await simulation.converge()
    assert revision_of(simulation) == before
    assert simulation.ready() == "RolledBack"
    outcomes = [each["outcome"] for each in status(simulation)["history"]]
    assert outcomes == ["RolledBack", "Succeeded"]


async def test_a_revision_that_has_replaced_the_rest_meanwhile_goes_back_all_the_same() -> None:
    simulation = await promoting()
    before = revision_of(simulation)
    await until(simulation, lambda: "failedRevisions" in status(simulation))
    simulation.turns_of_rollout = 0
    simulation.turn()
    await simulation.converge()
    assert (revision_of(simulation), status(simulation)["version"]) == (before, "1.0.0")
    assert simulation.ready() == "RolledBack"


@pytest.mark.parametrize(
    ("then", "rollout_fields"),
    [(GOOD, {}), (DARK, {}), (BAD, {"autoRollback": False})],
    ids=["good", "unknown", "without rollback"],
)
async def test_it_is_promoted_where_nothing_speaks_against_it(
    then: Verdict, rollout_fields: Manifest
) -> None:
    simulation = await promoting(then, rollout=rollout_fields)
    await simulation.converge()
    assert status(simulation)["version"] == "2.0.0"
    assert nothing_left(simulation)


async def test_a_person_who_promotes_is_not_overruled_by_checks_but_may_abort() -> None:
    simulation = await promoting()
    tried = rollout(simulation)["revision"]
    annotate(simulation, **{PROMOTE_ANNOTATION: tried})
    for _ in range(6):
        await simulation.reconcile()
        simulation.seconds += 10
    assert phase_is(simulation, "Promoting")()
    annotate(simulation, **{PROMOTE_ANNOTATION: tried, ABORT_ANNOTATION: tried})
    await simulation.converge()
    assert status(simulation)["version"] == "1.0.0"
    assert "a person has aborted it" in status(simulation)["failedRevisions"][0]["reason"]


async def test_an_abort_before_the_first_pod_is_replaced_touches_none() -> None:
    simulation = await promoting(GOOD)
    before = simulation.body(DEPLOYMENT)["spec"]
    annotate(simulation, **{ABORT_ANNOTATION: rollout(simulation)["revision"]})
    await simulation.converge()
    assert simulation.body(DEPLOYMENT)["spec"] == before
    assert simulation.ready() == "RolledBack"


async def test_the_wish_for_what_served_takes_the_visitors_off_at_once() -> None:
    simulation = await promoting(GOOD)
    for _ in range(2):
        await simulation.reconcile()
        simulation.turn()
    analysis: Manifest = {"analysis": CHECKS}
    simulation.change(**canary(WHOLE, colour="yellow", rollout=analysis))
    await simulation.reconcile()
    assert weight(simulation) == 0
    await simulation.converge()
    assert status(simulation)["version"] == "1.0.0"
    assert status(simulation)["history"][0]["outcome"] == "Superseded"
    assert "failedRevisions" not in status(simulation)


async def test_visitors_stay_with_the_canary_while_no_other_pod_serves() -> None:
    simulation = await promoting()
    await simulation.reconcile()
    simulation.turn()
    lose_pods(simulation)
    await until(simulation, lambda: "failedRevisions" in status(simulation))
    lose_pods(simulation)
    await simulation.reconcile()
    assert weight(simulation) == 100
    await simulation.converge()
    assert (status(simulation)["version"], weight(simulation)) == ("1.0.0", 0)


async def test_a_kill_at_any_write_of_a_promotion_that_fails_leads_to_the_same_state() -> None:
    undisturbed = await promoting()
    writes = await undisturbed.converge()
    assert status(undisturbed)["version"] == "1.0.0"

    def watch(simulation: Simulation) -> None:
        Watched(simulation).weights = [100]

    await check_kills(promoting, undisturbed, writes, watch=watch)


@pytest.mark.parametrize(("passes", "phase"), [(0, "Aborting"), (2, "Draining")])
async def test_another_wish_meanwhile_is_tried_as_any_other(passes: int, phase: str) -> None:
    simulation = await promoting(GOOD)
    for _ in range(passes):
        await simulation.reconcile()
        simulation.turn()
    images, watched = watch_images(simulation), Watched(simulation)
    watched.weights = [100]
    simulation.change(**canary(WHOLE, colour="red", rollout={"analysis": CHECKS}))
    await simulation.converge()
    assert CATALOGUE["red"] not in images
    assert watched.phases[:2] == [phase, "Preparing"]
    assert watched.weights == [100, 0]
    assert simulation.ready() == "RolledBack"
    assert status(simulation)["failedRevisions"][0]["version"] == "3.0.0"
    assert status(simulation)["version"] == ("2.0.0" if passes else "1.0.0")
    assert nothing_left(simulation)


async def test_another_wish_on_the_way_back_is_tried_as_any_other() -> None:
    simulation = await promoting(BAD)
    await until(simulation, phase_is(simulation, "RollingBack"))
    await simulation.reconcile()
    simulation.turn()
    images = watch_images(simulation)
    simulation.change(**canary(WHOLE, colour="red", rollout={"analysis": CHECKS}))
    await simulation.converge()
    assert images == {CATALOGUE["yellow"]}
    failed = [each["version"] for each in status(simulation)["failedRevisions"]]
    assert failed == ["3.0.0", "2.0.0"]
    assert simulation.ready() == "RolledBack"


def watch_images(simulation: Simulation) -> set[str]:
    """Which images the pods that serve are given from now on."""
    images: set[str] = set()

    def note(_: Request) -> None:
        template = simulation.body(DEPLOYMENT)["spec"]["template"]
        images.add(template["spec"]["containers"][0]["image"])

    simulation.server.after = note
    return images
