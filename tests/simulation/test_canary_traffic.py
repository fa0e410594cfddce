"""The visitors of a canary: no more than its pods can take, and counted only at their weight."""

import pytest
from support.simulation import CANARY, LONDON, Simulation
from support.trials import (
    ALB,
    DARK,
    GATEWAY,
    GOOD,
    Analyst,
    Watched,
    analysed,
    annotate,
    blue_green,
    canary,
    in_trial,
    nothing_left,
    phase_is,
    rollout,
    run_passes_alone,
    serving,
    status,
    until,
    weight_in,
    without_none,
)
from weather_operator.kube.resources import (
    AUTOSCALER,
    DEPLOYMENT,
    HTTP_ROUTE,
    INGRESS,
    Key,
    Manifest,
)
from weather_operator.model import APPROVE_ANNOTATION, WEATHER_RELEASE
from weather_operator.status.conditions import condition

AWAITED = {"weight": 50, "approval": True}


def lose_pods(simulation: Simulation, key: Key, available: int) -> None:
    """Let a Deployment have so many available pods, until its controller's next turn."""
    body = simulation.server.body(DEPLOYMENT, key) or {}
    lost = {**body["status"], "availableReplicas": available, "readyReplicas": available}
    simulation.server.edit(DEPLOYMENT, key, status=lost)


def edit_weights(simulation: Simulation, stable: int, tried: int) -> None:
    route = simulation.body(HTTP_ROUTE)
    rule = route["spec"]["rules"][0]
    refs = [
        {**each, "weight": tried if each["name"] == CANARY.name else stable}
        for each in rule["backendRefs"]
    ]
    rules = [{**rule, "backendRefs": refs}]
    simulation.server.edit(HTTP_ROUTE, LONDON, spec={**route["spec"], "rules": rules})


def weight(simulation: Simulation) -> int:
    return weight_in(simulation.server.body(HTTP_ROUTE, LONDON))


async def in_phase(phase: str, *steps: Manifest, number: int = 8) -> Simulation:
    """London's canary in a phase of its last step."""
    spec = canary(*steps, replicas=number)
    simulation = await serving(**spec)
    simulation.change(**spec)
    await until(simulation, lambda: rollout(simulation).get("step") == len(steps))
    await until(simulation, phase_is(simulation, phase))
    await simulation.reconcile()
    return simulation


LASTING = {"weight": 50, "durationSeconds": 600}


@pytest.mark.parametrize(
    ("phase", "last"),
    [("Analysing", LASTING), ("AwaitingApproval", AWAITED), ("Promoting", {"weight": 50})],
)
async def test_the_weight_falls_to_what_the_pods_that_are_left_can_take(
    phase: str, last: Manifest
) -> None:
    simulation = await in_phase(phase, {"weight": 10}, last)
    assert weight(simulation) == 50
    lose_pods(simulation, CANARY, 3)
    await run_passes_alone(simulation, 4)
    assert weight(simulation) == 50, "one pod of four is missing whenever a node is drained"
    lose_pods(simulation, CANARY, 2)
    await run_passes_alone(simulation, 4)
    assert weight(simulation) == 10
    lose_pods(simulation, CANARY, 0)
    await run_passes_alone(simulation, 4)
    assert weight(simulation) == 0


async def test_the_pods_that_come_back_get_their_visitors_again() -> None:
    simulation = await in_phase("AwaitingApproval", {"weight": 10}, AWAITED)
    lose_pods(simulation, CANARY, 2)
    watched = Watched(simulation)
    watched.weights = [50]
    await run_passes_alone(simulation, 4)
    assert phase_is(simulation, "Shifting")()
    await until(simulation, phase_is(simulation, "AwaitingApproval"))
    assert watched.weights == [50, 10, 50]


def scale(simulation: Simulation, key: Key, number: int) -> None:
    """Do as kubectl scale does, and let the pods go."""
    body = simulation.server.body(DEPLOYMENT, key) or {}
    simulation.server.edit(DEPLOYMENT, key, spec={**body["spec"], "replicas": number})
    simulation.turn()


async def test_a_canary_that_is_scaled_to_none_loses_its_visitors_and_comes_again() -> None:
    simulation = await in_phase("AwaitingApproval", {"weight": 10}, AWAITED)
    scale(simulation, CANARY, 0)
    await run_passes_alone(simulation, 4)
    assert weight(simulation) == 0
    await until(simulation, phase_is(simulation, "AwaitingApproval"))
    assert weight(simulation) == 50


async def test_stable_pods_that_are_scaled_to_none_end_no_trial() -> None:
    simulation = await in_phase("AwaitingApproval", {"weight": 10}, AWAITED)
    scale(simulation, LONDON, 0)
    for _ in range(4):
        await simulation.reconcile()
        assert (rollout(simulation)["phase"], weight(simulation)) == ("AwaitingApproval", 50)
    assert simulation.body(DEPLOYMENT)["spec"]["replicas"] == 8


async def test_nobodys_autoscaler_of_the_canary_is_fought_and_it_is_named() -> None:
    simulation = await in_phase("AwaitingApproval", {"weight": 10}, AWAITED)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": CANARY.name}
    body = {
        "metadata": {"name": "theirs", "namespace": CANARY.namespace, "uid": "theirs"},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 9},
    }
    simulation.server.put(AUTOSCALER, Key(namespace=CANARY.namespace, name="theirs"), body)
    scale(simulation, CANARY, 3)
    simulation.server.writes.clear()
    await run_passes_alone(simulation, 4)
    assert not [each for each in simulation.log() if "replicas" in each]
    assert status(simulation)["blockers"][0]["reason"] == "AutoscalerConflict"
    assert "theirs" in status(simulation)["blockers"][0]["object"]


async def test_stable_pods_that_come_with_the_load_take_no_visitors_off_the_canary() -> None:
    simulation = await in_phase("Analysing", {"weight": 10}, LASTING)
    deployment = simulation.body(DEPLOYMENT)
    simulation.server.edit(DEPLOYMENT, LONDON, spec={**deployment["spec"], "replicas": 16})
    simulation.change(**canary({"weight": 10}, LASTING, replicas=16))
    await simulation.reconcile()
    simulation._turn(LONDON)
    await run_passes_alone(simulation, 4)
    assert (weight(simulation), rollout(simulation)["phase"]) == (50, "Analysing")


async def test_a_switch_goes_back_with_its_pods() -> None:
    spec = blue_green(retainSeconds=600)
    simulation = await in_trial("Analysing", **spec)
    assert weight(simulation) == 100
    lose_pods(simulation, CANARY, 2)
    await run_passes_alone(simulation, 4)
    assert weight(simulation) == 0


async def test_a_pause_keeps_no_visitors_on_pods_that_are_lost() -> None:
    simulation = await in_phase("Analysing", {"weight": 10}, LASTING)
    simulation.change(**canary({"weight": 10}, LASTING, replicas=8, rollout={"paused": True}))
    lose_pods(simulation, CANARY, 2)
    await run_passes_alone(simulation, 4)
    assert (weight(simulation), simulation.ready()) == (10, "Paused")


FROZEN: dict[str, Manifest] = {
    "paused": {"paused": True},
    "outside its window": {"windows": [{"start": "02:00", "end": "03:00"}]},
}


@pytest.mark.parametrize("frozen", FROZEN.values(), ids=FROZEN)
async def test_no_weight_rises_while_a_trial_is_frozen(frozen: Manifest) -> None:
    steps = ({"weight": 10}, LASTING)
    simulation = await serving(**canary(*steps))
    simulation.change(**canary(*steps))
    await until(simulation, lambda: rollout(simulation).get("step") == 2)
    assert (rollout(simulation)["phase"], weight(simulation)) == ("Shifting", 10)
    simulation.change(**canary(*steps, rollout=frozen))
    for _ in range(6):
        await simulation.reconcile()
        simulation.turn()
    assert (rollout(simulation)["phase"], weight(simulation)) == ("Shifting", 10)
    simulation.change(**canary({"weight": 75}, {"weight": 80}, rollout=frozen))
    await run_passes_alone(simulation, 4)
    assert weight(simulation) <= 10
    simulation.change(**canary({"weight": 10}, {"weight": 50}))
    await simulation.converge()
    assert status(simulation)["version"] == "2.0.0"


@pytest.mark.parametrize(("stable", "tried"), [(50, 90), (0, 50), (100, 0)])
@pytest.mark.parametrize("phase", ["Analysing", "AwaitingApproval"])
async def test_a_hand_edited_weight_is_put_back_and_the_step_shifts_anew(
    phase: str, stable: int, tried: int
) -> None:
    last = LASTING if phase == "Analysing" else AWAITED
    simulation = await in_phase(phase, {"weight": 10}, last)
    edit_weights(simulation, stable, tried)
    simulation.seconds += 1000
    await simulation.reconcile()
    assert phase_is(simulation, "Shifting")()
    assert "set" not in rollout(simulation)["weight"]
    await until(simulation, phase_is(simulation, phase))
    assert (weight(simulation), rollout(simulation)["weight"]["set"]) == (50, 50)


async def test_an_approval_does_nothing_while_the_weights_are_hand_edited() -> None:
    simulation = await in_phase("AwaitingApproval", {"weight": 10}, AWAITED)
    annotate(simulation, **{APPROVE_ANNOTATION: f"{rollout(simulation)['revision']}/2"})
    edit_weights(simulation, 0, 50)
    await simulation.reconcile()
    assert phase_is(simulation, "Shifting")()


async def test_intervals_count_for_a_step_only_once_its_weight_is_taken_up() -> None:
    simulation = await analysed(Analyst(*[GOOD] * 30), passes=1)
    simulation.gateway_is_away = True
    for _ in range(20):
        await simulation.reconcile()
        simulation.turn()
        simulation.seconds += 10
    assert rollout(simulation)["phase"] == "Shifting"
    assert rollout(simulation).get("intervals", {}).get("passed", 0) == 0


async def test_a_share_that_is_not_what_was_set_is_a_blocker_and_the_step_does_not_count() -> None:
    analyst = Analyst(*[GOOD] * 100, share=0)
    simulation = await analysed(analyst, passes=6)
    assert rollout(simulation)["phase"] == "Analysing"
    assert simulation.ready() == "Analysing", "a gateway may take a minute"
    for _ in range(10):
        await simulation.reconcile()
        simulation.seconds += 10
    assert rollout(simulation)["intervals"]["passed"] == 0
    assert simulation.ready() == "Blocked"
    blocker = status(simulation)["blockers"][0]
    assert blocker["reason"] == "WeightNotObserved"
    assert "10 % is set" in blocker["message"]
    assert "0 % of 1000 requests" in blocker["message"]
    assert blocker["object"] == "HTTPRoute/london"
    message = condition(status(simulation), "Ready")["message"]
    assert "WeightNotObserved" in message
    analyst.share = 9.5
    await simulation.converge()
    assert status(simulation)["version"] == "2.0.0"


async def test_a_share_of_few_requests_and_one_near_the_weight_are_no_blocker() -> None:
    for share, requests in ((0, 12), (8, 100_000), (12, 100_000)):
        simulation = await analysed(Analyst(*[GOOD] * 10, share=share, requests=requests))
        assert status(simulation)["version"] == "2.0.0"


async def test_few_requests_prove_a_share_over_several_intervals() -> None:
    simulation = await analysed(Analyst(*[GOOD] * 10, share=10, requests=45), passes=8)
    assert rollout(simulation)["weight"]["requests"] == 90
    simulation = await analysed(Analyst(*[GOOD] * 100, share=0, requests=45))
    assert simulation.ready() == "Blocked"
    assert rollout(simulation)["weight"]["requests"] > 900
    assert rollout(simulation)["intervals"]["passed"] == 2, "before they were enough"


async def test_an_interval_in_which_nothing_was_counted_takes_nothing_away() -> None:
    analyst = Analyst(*[GOOD] * 2, share=9)
    simulation = await analysed(analyst, passes=8)
    analyst.verdicts, analyst.share = [GOOD], None
    for _ in range(3):
        await simulation.reconcile()
    weight = rollout(simulation).get("weight", {"observed": 9, "requests": 800})
    assert (weight["observed"], weight["requests"]) == (9, 800)


async def test_the_share_of_the_step_before_is_not_held_against_a_step() -> None:
    spec = canary({"weight": 10}, LASTING, rollout={"analysis": ANALYSIS})
    simulation = await serving(**spec)
    analyst = Analyst(GOOD, share=10)
    simulation.analyst = lambda _: analyst
    simulation.restart()
    simulation.change(**spec)
    await until(simulation, lambda: rollout(simulation).get("step") == 2)
    for _ in range(20):
        await simulation.reconcile()
        simulation.turn()
        simulation.seconds += 10
    assert rollout(simulation)["phase"] == "Analysing"
    assert "observed" not in rollout(simulation)["weight"]
    assert simulation.ready() == "Analysing"


ANALYSIS = {
    "intervalSeconds": 10,
    "checks": [{"name": "success", "successRate": {"minPercent": 99}}],
}


async def test_a_release_that_is_deleted_in_a_trial_holds_it_and_its_canary_is_kept_well() -> None:
    simulation = await in_phase("AwaitingApproval", {"weight": 10}, AWAITED)
    name = Key(namespace="", name="2.0.0")
    deleted = simulation.server.body(WEATHER_RELEASE, name)
    assert deleted
    simulation.server.remove(WEATHER_RELEASE, name)
    annotate(simulation, **{APPROVE_ANNOTATION: f"{rollout(simulation)['revision']}/2"})
    await run_passes_alone(simulation, 4)
    assert (rollout(simulation)["phase"], weight(simulation)) == ("AwaitingApproval", 50)
    assert simulation.ready() == "UnknownVersion"
    simulation.server.remove(DEPLOYMENT, CANARY)
    await run_passes_alone(simulation, 4)
    assert weight(simulation) == 0, "its visitors would meet nobody"
    simulation.turn()
    await run_passes_alone(simulation, 4)
    assert simulation.server.body(DEPLOYMENT, CANARY)
    assert weight(simulation) <= 10, "the step waits for its release"
    await simulation.server.create(WEATHER_RELEASE, deleted)
    await simulation.converge()
    assert rollout(simulation).get("step") == 2 or status(simulation)["version"] == "2.0.0"


def crash(simulation: Simulation) -> None:
    """Let all the stable pods crash, by their own fault."""
    lose_pods(simulation, LONDON, 0)
    simulation.crash(simulation.body(DEPLOYMENT)["spec"]["template"], "london-old")


async def test_a_stable_that_crashes_lets_a_good_canary_go_straight_on() -> None:
    simulation = await in_phase("Analysing", LASTING, {"weight": 60, "approval": True})
    crash(simulation)
    await simulation.reconcile()
    assert phase_is(simulation, "Promoting")()
    await simulation.reconcile()
    assert weight(simulation) == 100, "the canary's pods are all that serve"
    await simulation.converge()
    assert status(simulation)["version"] == "2.0.0"


async def test_pods_that_are_lost_with_their_nodes_promote_nothing() -> None:
    simulation = await in_phase("AwaitingApproval", AWAITED)
    lose_pods(simulation, LONDON, 0)
    await run_passes_alone(simulation, 4)
    assert (rollout(simulation)["phase"], weight(simulation)) == ("AwaitingApproval", 50)


async def test_a_stable_that_crashes_promotes_nothing_that_is_unknown() -> None:
    simulation = await analysed(Analyst(*[DARK] * 100), passes=8)
    crash(simulation)
    await run_passes_alone(simulation, 4)
    assert (rollout(simulation)["phase"], weight(simulation)) == ("Analysing", 10)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"path": "/london"}, "taken the HTTPRoute's last change"),
        ({"parentRefs": [{"name": "another"}]}, "taken the HTTPRoute and has an address"),
        ({"hostnames": ["b.example"]}, "taken the HTTPRoute's last change"),
    ],
)
async def test_a_site_is_ready_once_a_gateway_has_taken_the_route_as_it_is_now(
    change: Manifest, words: str
) -> None:
    gateway = {**GATEWAY["gateway"], "hostnames": ["a.example"]}
    simulation = await serving(gateway=gateway)
    assert simulation.ready() == "Serving"
    simulation.gateway_is_away = True
    simulation.change(gateway={**gateway, **change})
    await simulation.converge()
    assert simulation.ready() == "AddressPending"
    assert words in condition(status(simulation), "Ready")["message"]
    simulation.gateway_is_away = False
    await simulation.converge()
    assert simulation.ready() == "Serving"


NGINX: Manifest = {"gateway": None, "ingress": {"className": "nginx"}}


@pytest.mark.parametrize(("old", "new"), [(GATEWAY, NGINX), (ALB, GATEWAY)])
async def test_visitors_leave_a_canary_on_an_old_way_in_whose_successor_leads_nowhere(
    old: Manifest, new: Manifest
) -> None:
    simulation = await in_trial("Analysing", **without_none(canary(**old)))
    simulation.gateway_is_away = new is GATEWAY
    Watched(simulation)  # no pods go before their visitors
    way_in = HTTP_ROUTE if old is GATEWAY else INGRESS
    assert weight_in(simulation.server.body(way_in, LONDON)) == 10
    simulation.change(**without_none(canary(colour="yellow", **new)))
    await until(simulation, lambda: nothing_left(simulation))
    assert weight_in(simulation.server.body(way_in, LONDON)) == 0


async def test_a_trial_goes_on_while_the_way_in_becomes_one_that_divides_nothing() -> None:
    simulation = await in_trial("Analysing", **canary())
    simulation.change(**without_none(canary(**NGINX)))
    await until(simulation, lambda: status(simulation)["version"] == "2.0.0")
    await until(simulation, lambda: nothing_left(simulation))
    route = simulation.body(HTTP_ROUTE)
    assert [each["name"] for each in route["spec"]["rules"][0]["backendRefs"]] == ["london"]
