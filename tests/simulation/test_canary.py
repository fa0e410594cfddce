"""Whole trials: a revision beside the one that serves, whatever happens in between."""

from collections import Counter

import pytest
from support.simulation import CANARY, LONDON, Simulation
from support.trials import (
    AUTOSCALED,
    BAD,
    DARK,
    GATEWAY,
    GOOD,
    Analyst,
    Watched,
    analysed,
    annotate,
    at_second_step,
    blue_green,
    canary,
    in_trial,
    nothing_left,
    phase_is,
    revision_of,
    rollout,
    serving,
    status,
    until,
    weight_in,
    without_none,
)
from weather_operator.kube.resources import (
    AUTOSCALER,
    DEPLOYMENT,
    EVENT,
    HTTP_ROUTE,
    SERVICE,
    Kind,
    Manifest,
)
from weather_operator.metrics import Metrics, WeatherAppCollector
from weather_operator.model import (
    ABORT_ANNOTATION,
    APPROVE_ANNOTATION,
    PROMOTE_ANNOTATION,
    WEATHER_APP,
)
from weather_operator.rollout.state import seconds_between
from weather_operator.status.conditions import condition


async def test_a_good_revision_goes_step_by_step_and_then_replaces_what_served() -> None:
    simulation = await serving(**canary())
    watched = Watched(simulation)
    before = revision_of(simulation)
    simulation.change(**canary())
    await until(simulation, phase_is(simulation, "Promoting"))
    assert revision_of(simulation) == before, "the pods that serve were touched in the trial"
    await simulation.converge()
    assert watched.weights == [0, 10, 50, 0]
    assert watched.phases == [
        "Preparing",
        *("Shifting", "Analysing") * 2,
        "Promoting",
        "Draining",
    ]
    assert status(simulation)["version"] == "2.0.0"
    assert status(simulation)["history"][0]["outcome"] == "Succeeded"
    assert "rollout" not in status(simulation)
    assert nothing_left(simulation)


async def test_a_trial_writes_what_says_something_new() -> None:
    simulation = await serving(**canary())
    simulation.change(**canary())
    simulation.server.writes.clear()
    await simulation.converge()
    written = Counter((each.kind.name, each.part) for each in simulation.server.writes)
    assert written["HTTPRoute", "weather-operator"] == 3, "two weights, and out of it"
    # Each phase once, that the last weight is taken up, and that nothing is left.
    assert written["WeatherApp", "status"] <= 10
    assert written["Event", "weather-operator"] <= 6
    assert {"Preparing", "Analysing", "Promoting"} <= {*simulation.events()}
    assert not {"Shifting", "Draining"} & {*simulation.events()}


async def test_the_canary_has_pods_for_its_share_alone_and_a_selector_of_its_own() -> None:
    simulation = await at_second_step()
    tried = simulation.server.body(DEPLOYMENT, CANARY) or {}
    service = simulation.server.body(SERVICE, CANARY) or {}
    assert tried["spec"]["replicas"] == 2
    track = "weather.quantspark.io/track"
    assert tried["spec"]["selector"]["matchLabels"][track] == "canary"
    assert service["spec"]["selector"][track] == "canary"
    assert simulation.body(DEPLOYMENT)["spec"]["selector"]["matchLabels"][track] == "stable"
    assert revision_of(simulation, CANARY) == rollout(simulation)["revision"]


async def test_a_bad_revision_never_gets_visitors_and_is_remembered() -> None:
    simulation = await serving(**canary())
    watched = Watched(simulation)
    before = revision_of(simulation)
    simulation.change(**canary(colour="red"))
    await simulation.converge()
    assert watched.weights == [0]
    assert revision_of(simulation) == before
    assert simulation.ready() == "RolledBack"
    assert status(simulation)["failedRevisions"][0]["version"] == "3.0.0"
    assert "CrashLoopBackOff" in status(simulation)["failedRevisions"][0]["reason"]
    assert [each["outcome"] for each in status(simulation)["history"]] == [
        "RolledBack",
        "Succeeded",
    ]
    assert nothing_left(simulation)


async def test_a_lost_status_lowers_the_weight_and_begins_anew() -> None:
    simulation = await at_second_step()
    simulation.server.edit(WEATHER_APP, LONDON, status={"observedGeneration": -1})
    watched = Watched(simulation)
    watched.weights = [50]
    await simulation.converge()
    assert watched.weights[:2] == [50, 0]
    assert nothing_left(simulation)
    assert status(simulation)["version"] == "2.0.0"


@pytest.mark.parametrize("field", ["phase", "to", "revision", "image", "startedAt", "strategy"])
async def test_a_trial_in_a_status_that_lacks_a_field_begins_anew(field: str) -> None:
    spec = canary({"weight": 10, "approval": True}, {"weight": 50})
    simulation = await in_trial("AwaitingApproval", **spec)
    body = status(simulation)
    left = {name: value for name, value in body["rollout"].items() if name != field}
    simulation.server.edit(WEATHER_APP, LONDON, status={**body, "rollout": left})
    await until(simulation, phase_is(simulation, "AwaitingApproval"))
    assert status(simulation)["version"] == "1.0.0"


async def test_a_canary_that_is_well_keeps_its_visitors_though_the_stable_pods_are_lost() -> None:
    spec = canary({"weight": 10, "approval": True}, {"weight": 50})
    simulation = await in_trial("AwaitingApproval", **spec)
    lost = {**simulation.body(DEPLOYMENT)["status"], "availableReplicas": 0, "readyReplicas": 0}
    simulation.server.edit(DEPLOYMENT, LONDON, status=lost)
    for _ in range(3):
        await simulation.reconcile()
        assert phase_is(simulation, "AwaitingApproval")()
        assert weight_in(simulation.server.body(HTTP_ROUTE, LONDON)) == 10
    annotate(simulation, **{APPROVE_ANNOTATION: f"{rollout(simulation)['revision']}/1"})
    await simulation.converge()
    assert status(simulation)["version"] == "2.0.0"


async def test_an_approval_counts_for_its_own_revision_and_step_alone() -> None:
    spec = canary({"weight": 10, "approval": True}, {"weight": 50})
    simulation = await in_trial("AwaitingApproval", **spec)
    assert simulation.ready() == "AwaitingApproval"
    assert "deadline" not in rollout(simulation), "a person has all the time"
    revision = rollout(simulation)["revision"]
    for wrong in (f"{revision}/2", "0123/1", revision):
        annotate(simulation, **{APPROVE_ANNOTATION: wrong})
        await simulation.converge()
        assert rollout(simulation)["step"] == 1
    annotate(simulation, **{APPROVE_ANNOTATION: f"{revision}/1"})
    await simulation.converge()
    assert status(simulation)["version"] == "2.0.0"


async def test_a_person_aborts_and_promotes_the_revision_that_they_saw() -> None:
    spec = canary({"weight": 10, "approval": True}, {"weight": 50, "approval": True})
    for annotation, version in ((ABORT_ANNOTATION, "1.0.0"), (PROMOTE_ANNOTATION, "2.0.0")):
        simulation = await serving(**spec)
        simulation.change(**spec)
        await until(simulation, phase_is(simulation, "AwaitingApproval"))
        annotate(simulation, **{annotation: "another"})
        await simulation.converge()
        assert rollout(simulation)["phase"] == "AwaitingApproval"
        annotate(simulation, **{annotation: rollout(simulation)["revision"]})
        await simulation.converge()
        assert status(simulation)["version"] == version
        assert nothing_left(simulation)


async def test_what_was_said_of_a_trial_says_nothing_of_the_next_one_of_the_same_revision() -> None:
    spec = canary({"weight": 10, "approval": True})
    simulation = await in_trial("AwaitingApproval", **spec)
    tried = rollout(simulation)["revision"]
    said = {ABORT_ANNOTATION: tried, APPROVE_ANNOTATION: f"{tried}/1", PROMOTE_ANNOTATION: tried}
    annotate(simulation, **said)
    await simulation.converge()
    assert simulation.ready() == "RolledBack"
    simulation.change(**canary({"weight": 10, "approval": True}, rollout={"attempt": 1}))
    await simulation.converge()
    assert simulation.ready() == "AwaitingApproval"
    annotate(simulation, **said | {APPROVE_ANNOTATION: f"{tried}/1@again"})
    await simulation.converge()
    assert status(simulation)["version"] == "2.0.0"


@pytest.mark.parametrize("passes", range(6))
async def test_a_site_that_is_tried_again_while_its_trial_ends_is_not_called_ready(
    passes: int,
) -> None:
    spec = without_none(canary({"weight": 10, "approval": True}) | {"gateway": None})
    simulation = await in_trial("AwaitingApproval", **spec)
    annotate(simulation, **{ABORT_ANNOTATION: rollout(simulation)["revision"]})
    for _ in range(passes):
        await simulation.reconcile()
    simulation.change(**spec | {"rollout": {**spec["rollout"], "attempt": 1}})
    await until(simulation, phase_is(simulation, "AwaitingApproval"))
    assert status(simulation)["version"] == "1.0.0"


async def test_an_abort_of_the_trial_before_is_no_promotion_of_this_one_and_hides_none() -> None:
    spec = canary({"weight": 10, "approval": True})
    simulation = await in_trial("AwaitingApproval", **spec)
    said = {ABORT_ANNOTATION: rollout(simulation)["revision"]}
    annotate(simulation, **said)
    await simulation.converge()
    simulation.change(**canary({"weight": 10, "approval": True}, rollout={"attempt": 1}))
    await until(simulation, phase_is(simulation, "AwaitingApproval"))
    annotate(simulation, **said | {PROMOTE_ANNOTATION: said[ABORT_ANNOTATION]})
    await simulation.converge()
    assert status(simulation)["version"] == "2.0.0"


async def test_what_was_taken_away_may_be_said_again() -> None:
    spec = canary({"weight": 10, "approval": True})
    simulation = await in_trial("AwaitingApproval", **spec)
    approval = {APPROVE_ANNOTATION: f"{rollout(simulation)['revision']}/1"}
    simulation.server.edit(WEATHER_APP, LONDON, status={"observedGeneration": -1})
    annotate(simulation, **approval)
    await simulation.converge()
    assert simulation.ready() == "AwaitingApproval", "it was said before the trial began anew"
    annotate(simulation)
    await simulation.converge()
    annotate(simulation, **approval)
    await simulation.converge()
    assert status(simulation)["version"] == "2.0.0"


STEPS_NOW: dict[str, tuple[list[Manifest], list[int]]] = {
    "lower": ([{"weight": 5}, {"weight": 20, "durationSeconds": 60}], [50, 20, 0]),
    "higher": ([{"weight": 10}, {"weight": 75, "durationSeconds": 60}], [50, 10, 75, 0]),
    "fewer": ([{"weight": 30}], [50, 30, 0]),
    "more": ([{"weight": 10}, {"weight": 50}, {"weight": 80}], [50, 80, 0]),
}


@pytest.mark.parametrize(("steps", "weights"), STEPS_NOW.values(), ids=STEPS_NOW)
async def test_steps_that_are_edited_meanwhile_count_at_once(
    steps: list[Manifest], weights: list[int]
) -> None:
    simulation = await at_second_step()
    watched = Watched(simulation)
    watched.weights = [50]
    simulation.change(**canary(*steps))
    await simulation.reconcile()
    assert rollout(simulation)["steps"] == len(steps)
    await simulation.converge()
    assert watched.weights == weights
    assert status(simulation)["version"] == "2.0.0"


async def test_another_strategy_begins_the_trial_anew() -> None:
    simulation = await at_second_step()
    watched = Watched(simulation)
    watched.weights = [50]
    simulation.change(**blue_green())
    await simulation.converge()
    assert watched.weights == [50, 0, 100, 0]
    assert status(simulation)["version"] == "2.0.0"


async def test_a_strategy_that_is_taken_away_while_it_promotes_is_missed_by_nobody() -> None:
    simulation = await in_trial("Promoting", **canary())
    simulation.change(**canary(rollout={"strategy": {"type": "RollingUpdate"}}))
    await simulation.converge()
    assert (status(simulation)["version"], nothing_left(simulation)) == ("2.0.0", True)


@pytest.mark.parametrize("phase", ["Preparing", "Shifting", "Analysing", "Promoting"])
@pytest.mark.parametrize("now", [[{"weight": 5}], []], ids=["fewer steps", "no strategy"])
async def test_a_scrape_bears_a_spec_that_no_pass_has_seen(phase: str, now: list[Manifest]) -> None:
    simulation = await in_trial(phase, **canary())
    strategy: Manifest = {"strategy": {"type": "Canary", "canary": {"steps": now}}}
    simulation.change(**canary(rollout=strategy if now else {"strategy": {}}))
    await simulation.sync()
    assert exposition(simulation)


def exposition(simulation: Simulation) -> bytes:
    metrics = Metrics()
    metrics.registry.register(WeatherAppCollector(simulation.cache))
    return metrics.exposition()


async def test_a_pause_freezes_a_trial() -> None:
    simulation = await in_trial("Analysing", **canary())
    simulation.change(**canary(rollout={"paused": True}))
    await simulation.converge()
    assert (rollout(simulation)["step"], simulation.ready()) == (1, "Paused")
    assert weight_in(simulation.body(HTTP_ROUTE)) == 10
    simulation.change(**canary())
    await simulation.converge()
    assert status(simulation)["version"] == "2.0.0"


async def test_a_closed_window_holds_the_step() -> None:
    simulation = await in_trial("Analysing", **canary())
    windows = [{"start": "02:00", "end": "03:00"}]
    simulation.change(**canary(rollout={"windows": windows}))
    for _ in range(5):
        await simulation.reconcile()
        simulation.seconds += 60
    assert (rollout(simulation)["step"], simulation.ready()) == (1, "WaitingForWindow")
    assert weight_in(simulation.body(HTTP_ROUTE)) == 10


async def test_a_gateway_that_does_not_take_up_a_weight_holds_the_step() -> None:
    simulation = await in_trial("Preparing", **canary())
    simulation.gateway_is_away = True
    for _ in range(12):
        await simulation.reconcile()
        simulation.turn()
        simulation.seconds += 100
    assert (rollout(simulation)["phase"], rollout(simulation)["step"]) == ("Shifting", 1)
    simulation.gateway_is_away = False
    await simulation.converge()
    assert status(simulation)["version"] == "2.0.0"


async def test_a_canary_that_somebody_deletes_loses_its_visitors_and_comes_again() -> None:
    simulation = await at_second_step()
    simulation.server.remove(DEPLOYMENT, CANARY)
    watched = Watched(simulation)
    watched.weights = [50]
    await simulation.converge()
    assert watched.weights == [50, 0, 10, 50, 0]
    assert status(simulation)["version"] == "2.0.0"


async def test_an_app_that_has_the_canarys_name_is_never_fought() -> None:
    simulation = await serving(**canary())
    theirs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": CANARY.name,
            "namespace": CANARY.namespace,
            "uid": "theirs",
            "ownerReferences": [
                {"kind": "WeatherApp", "name": CANARY.name, "uid": "other", "controller": True}
            ],
        },
        "spec": {
            "replicas": 1,
            "template": {
                "metadata": {"labels": {}},
                "spec": {"containers": [{"name": "web", "image": "other:1"}]},
            },
        },
    }
    simulation.server.put(DEPLOYMENT, CANARY, theirs)
    simulation.change(**canary())
    for _ in range(5):
        await simulation.reconcile()
        simulation.turn()
    assert not [each for each in simulation.log() if "Deployment default/london-canary" in each]
    assert any(
        each["object"] == "Deployment/london-canary" for each in status(simulation)["blockers"]
    )
    assert weight_in(simulation.body(HTTP_ROUTE)) == 0
    assert status(simulation)["version"] == "1.0.0"


async def test_the_stable_pods_are_held_while_a_canary_has_visitors() -> None:
    simulation = await serving(**canary(**AUTOSCALED))
    deployment = simulation.body(DEPLOYMENT)
    simulation.server.edit(DEPLOYMENT, LONDON, spec={**deployment["spec"], "replicas": 8})
    await simulation.converge()
    simulation.change(**canary(**AUTOSCALED))
    await until(simulation, phase_is(simulation, "Analysing"))
    await until(simulation, lambda: rollout(simulation).get("step") == 2)
    assert simulation.body(AUTOSCALER)["spec"]["minReplicas"] == 8
    tried = simulation.server.body(AUTOSCALER, CANARY) or {}
    assert tried["spec"]["scaleTargetRef"]["name"] == CANARY.name
    await until(simulation, phase_is(simulation, "Draining"))
    taken_off = simulation.seconds
    await until(simulation, lambda: nothing_left(simulation))
    assert simulation.body(AUTOSCALER)["spec"]["minReplicas"] == 8, "it has yet to see the load"
    await simulation.converge()
    assert simulation.seconds - taken_off >= 60
    assert simulation.body(AUTOSCALER)["spec"]["minReplicas"] == 4


@pytest.mark.parametrize("phase", ["Preparing", "Shifting", "Analysing"])
async def test_autoscaling_that_is_taken_away_in_a_trial_takes_the_canarys_autoscaler_along(
    phase: str,
) -> None:
    simulation = await serving(**canary(**AUTOSCALED))
    simulation.change(**canary(**AUTOSCALED))
    await until(simulation, lambda: simulation.server.body(AUTOSCALER, CANARY) is not None)
    await until(simulation, phase_is(simulation, phase))
    simulation.change(**canary())
    await until(simulation, phase_is(simulation, "Promoting"))
    assert simulation.server.body(AUTOSCALER, CANARY) is None
    tried = simulation.server.body(DEPLOYMENT, CANARY) or {}
    assert tried["spec"]["replicas"] == 2, "as its step of 50 % takes"


async def test_without_a_router_the_share_is_that_of_the_pods_and_is_said() -> None:
    spec = without_none(canary({"weight": 10, "approval": True}, gateway=None))
    simulation = await in_trial("AwaitingApproval", **spec)
    assert rollout(simulation)["weight"] == {"desired": 10, "possible": 20, "set": 10}
    assert "weather.quantspark.io/track" not in simulation.body(SERVICE)["spec"]["selector"]
    annotate(simulation, **{APPROVE_ANNOTATION: f"{rollout(simulation)['revision']}/1"})
    await simulation.converge()
    selector = simulation.body(SERVICE)["spec"]["selector"]
    assert selector["weather.quantspark.io/track"] == "stable"


async def test_a_step_takes_so_many_good_intervals() -> None:
    simulation = await analysed(Analyst(*[GOOD] * 10))
    assert status(simulation)["version"] == "2.0.0"
    for few in ([GOOD, GOOD], [GOOD, DARK, GOOD, DARK]):
        simulation = await analysed(Analyst(*few))
        assert status(simulation)["version"] == "1.0.0"
        assert rollout(simulation)["phase"] == "Analysing"
        assert rollout(simulation)["weight"]["observed"] == 9.5


async def test_failed_intervals_in_a_row_end_the_trial_and_others_do_not() -> None:
    simulation = await analysed(Analyst(GOOD, BAD, GOOD, BAD, BAD, GOOD))
    failed = status(simulation)["failedRevisions"][0]
    assert "success came out Failed at 1, the bound is 2" in failed["reason"]
    assert nothing_left(simulation)
    simulation = await analysed(Analyst(GOOD, BAD, GOOD, BAD, GOOD, GOOD))
    assert status(simulation)["version"] == "2.0.0"


async def test_the_unknown_never_promotes_and_ends_a_trial_only_by_choice() -> None:
    simulation = await analysed(Analyst(*[DARK] * 30))
    assert (status(simulation)["version"], rollout(simulation)["step"]) == ("1.0.0", 1)
    simulation = await analysed(Analyst(*[DARK] * 30), onUnknown="Abort")
    assert status(simulation)["failedRevisions"]


async def test_an_interval_counts_once_whatever_ends_in_between() -> None:
    analyst = Analyst(GOOD, GOOD)
    simulation = await analysed(analyst)
    passed = rollout(simulation)["intervals"]["passed"]
    for _ in range(5):
        simulation.restart()
        await simulation.reconcile()
    assert rollout(simulation)["intervals"]["passed"] == passed
    another = Analyst(GOOD, epoch="two")
    simulation.analyst = lambda _: another
    simulation.restart()
    for _ in range(6):
        await simulation.reconcile()
        simulation.turn()
        simulation.seconds += 10
    assert rollout(simulation).get("phase") != "Analysing" or (
        rollout(simulation)["intervals"]["passed"] == passed + 1
    )


async def test_blue_green_switches_once_and_keeps_the_old_pods_for_a_while() -> None:
    spec = blue_green(retainSeconds=60, approval=True)
    simulation = await serving(**spec)
    watched = Watched(simulation)
    simulation.change(**spec)
    await until(simulation, phase_is(simulation, "AwaitingApproval"))
    assert weight_in(simulation.body(HTTP_ROUTE)) == 0
    tried = simulation.server.body(DEPLOYMENT, CANARY) or {}
    assert tried["status"]["availableReplicas"] == 4
    annotate(simulation, **{APPROVE_ANNOTATION: f"{rollout(simulation)['revision']}/0"})
    await until(simulation, phase_is(simulation, "Analysing"))
    switched = simulation.seconds
    before = revision_of(simulation)
    await until(simulation, phase_is(simulation, "Promoting"))
    assert simulation.seconds - switched >= 55
    assert revision_of(simulation) == before
    await simulation.converge()
    assert watched.weights == [0, 100, 0]
    assert status(simulation)["version"] == "2.0.0"


async def test_a_changed_path_is_rolled_plainly_and_that_is_said() -> None:
    simulation = await serving(**canary())
    watched = Watched(simulation)
    gateway: Manifest = {"gateway": {**GATEWAY["gateway"], "path": "/london"}}
    simulation.change(**canary(**gateway))
    for _ in range(3):
        await simulation.reconcile()
    message = condition(status(simulation), "Ready")["message"]
    assert "not tried before: its path changes from / to /london" in message
    await simulation.converge()
    assert watched.weights == [0]
    assert status(simulation)["version"] == "2.0.0"


NLB: Manifest = {
    "type": "LoadBalancer",
    "port": 80,
    "annotations": {"service.beta.kubernetes.io/aws-load-balancer-nlb-target-type": "ip"},
}


@pytest.mark.parametrize(("service", "seconds"), [({}, 5), ({"service": NLB}, 90)])
async def test_the_canarys_pods_stay_until_nothing_leads_to_them(
    service: Manifest, seconds: int
) -> None:
    spec = canary({"weight": 10}, **service)
    simulation = await in_trial("Draining", **spec)
    await until(simulation, lambda: "setAt" in rollout(simulation))
    simulation.seconds -= seconds_between(rollout(simulation)["setAt"], simulation.now())
    simulation.seconds += seconds - 1
    for _ in range(3):
        await simulation.reconcile()
    assert not nothing_left(simulation)
    simulation.seconds += 1
    for _ in range(3):
        await simulation.reconcile()
    assert nothing_left(simulation)


@pytest.mark.parametrize(
    ("phase", "spec"),
    [
        ("Analysing", canary()),
        ("Draining", canary()),
        ("Draining", canary(**AUTOSCALED)),
        ("Aborting", canary()),
    ],
)
async def test_a_clock_that_was_ahead_holds_no_trial(phase: str, spec: Manifest) -> None:
    simulation = await in_trial("Shifting", **spec)
    if phase == "Aborting":
        simulation.change(**{**spec, "colour": "yellow"})
    simulation.seconds += 36_000
    await until(simulation, phase_is(simulation, phase))
    await until(simulation, lambda: "setAt" in rollout(simulation))
    simulation.seconds -= 36_000
    simulation.restart()
    began = simulation.seconds
    await until(simulation, lambda: rollout(simulation).get("phase") != phase)
    assert simulation.seconds - began < 180


async def test_a_canary_goes_though_what_is_wished_instead_waits_for_its_window() -> None:
    simulation = await in_trial("Analysing", **canary())
    windows = [{"start": "22:00", "end": "23:00"}]
    rolling = {"strategy": {"type": "RollingUpdate"}, "windows": windows}
    simulation.change(**canary(colour="red", rollout=rolling))
    began = simulation.seconds
    await until(simulation, lambda: nothing_left(simulation))
    assert simulation.seconds - began < 30
    outcome = await simulation.reconcile()
    while outcome.requeue_after is not None and outcome.requeue_after < 60:
        simulation.wait(outcome)
        outcome = await simulation.reconcile()
    assert simulation.ready() == "WaitingForWindow"
    assert outcome.requeue_after == 12 * 3600 - simulation.seconds


@pytest.mark.parametrize("kind", [DEPLOYMENT, SERVICE])
async def test_a_canary_that_the_cache_lacks_is_not_taken_for_a_deleted_one(kind: Kind) -> None:
    simulation = await in_trial("AwaitingApproval", **canary({"weight": 10, "approval": True}))
    await simulation.sync()
    simulation.cache.forget(kind, CANARY)
    await simulation.reconciler.reconcile(LONDON, simulation.priority)
    assert rollout(simulation)["phase"] == "AwaitingApproval"
    assert weight_in(simulation.body(HTTP_ROUTE)) == 10


async def test_a_suspended_app_keeps_its_trial_as_it_is() -> None:
    simulation = await in_trial("Analysing", **canary())
    simulation.change(**canary(suspend=True))
    simulation.server.writes.clear()
    await simulation.converge()
    assert all(each.kind in (WEATHER_APP, EVENT) for each in simulation.server.writes)
    assert weight_in(simulation.body(HTTP_ROUTE)) == 10
    simulation.change(**canary())
    await simulation.converge()
    assert (status(simulation)["version"], nothing_left(simulation)) == ("2.0.0", True)


async def test_a_retry_that_is_taken_back_leaves_its_revision_failed() -> None:
    spec = canary(colour="red")
    simulation = await serving(**spec)
    simulation.change(**spec)
    await simulation.converge()
    assert simulation.ready() == "RolledBack"
    simulation.change(**canary(colour="red", rollout={"attempt": 1}))
    await until(simulation, phase_is(simulation, "Preparing"))
    watched = Watched(simulation)
    simulation.change(**spec)
    await simulation.converge()
    assert simulation.ready() == "RolledBack"
    assert watched.phases == ["Aborting"], "it is tried again though no attempt asks for it"
    assert [each["attempt"] for each in status(simulation)["failedRevisions"]] == [0]


@pytest.mark.parametrize("phase", ["Aborting", "Draining"])
async def test_a_canary_that_hangs_in_its_deletion_is_named(phase: str) -> None:
    simulation = await in_trial("Analysing", **canary())
    if phase == "Aborting":
        simulation.change(**canary(colour="yellow"))
    await until(simulation, phase_is(simulation, phase))
    body = simulation.server.body(SERVICE, CANARY) or {}
    ending = {"deletionTimestamp": simulation.now(), "finalizers": ["example.com/balancer"]}
    simulation.server.edit(SERVICE, CANARY, metadata={**body["metadata"], **ending})
    for _ in range(10):
        simulation.wait(await simulation.reconcile())
        simulation.turn()
    (blocker,) = status(simulation)["blockers"]
    assert (blocker["reason"], blocker["object"]) == ("WaitingForDeletion", "Service/london-canary")
    assert "example.com/balancer" in blocker["message"]
    assert "example.com/balancer" in condition(status(simulation), "Ready")["message"]
    simulation.server.remove(SERVICE, CANARY)
    await simulation.converge()
    assert "rollout" not in status(simulation)


@pytest.mark.parametrize("left", [3, 0])
async def test_what_pods_that_serve_show_does_not_condemn_what_is_tried_beside_them(
    left: int,
) -> None:
    simulation = await serving(**canary())
    simulation.change(**canary())
    await until(simulation, lambda: simulation.server.body(DEPLOYMENT, CANARY) is not None)
    pending = {"observedGeneration": 9, "replicas": 1, "updatedReplicas": 1}
    tried = simulation.server.edit(DEPLOYMENT, CANARY, status=pending)
    stable = simulation.body(DEPLOYMENT)
    ill = {**stable["status"], "availableReplicas": left, "readyReplicas": left}
    simulation.server.edit(DEPLOYMENT, LONDON, status=ill)
    simulation.crash(stable["spec"]["template"], "london-serves")
    for _ in range(20):
        await simulation.reconcile()
        simulation.seconds += 30
    assert "failedRevisions" not in status(simulation)
    assert rollout(simulation)["phase"] == "Preparing"
    simulation.crash(tried["spec"]["template"], "london-tried")
    await simulation.reconcile()
    assert status(simulation)["failedRevisions"][0]["version"] == "2.0.0"
