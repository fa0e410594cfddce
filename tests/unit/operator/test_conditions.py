from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from support.manifests import app_body, deployment, owned
from weather_operator.kube.resources import DEPLOYMENT, SERVICE
from weather_operator.model import Blocker, WeatherApp
from weather_operator.model.parsing import parse_app
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.plan import Plan, current_rollout
from weather_operator.rollout.revisions import Revision
from weather_operator.rollout.strategies import Action, Decision
from weather_operator.status import conditions
from weather_operator.status.columns import short_image, summary
from weather_operator.status.conditions import condition

NOW, LATER = "2026-01-01T10:00:00Z", "2026-01-01T10:01:00Z"
YELLOW = Revision(revision="r1", version="1.0.0", colour="yellow", image="weather:1.0.0")
GREEN = Revision(revision="r2", version="2.0.0", colour="green", image="weather:2.0.0")
RED = Revision(revision="r3", version="3.0.0", colour="red", image="weather:3.0.0")
DONE = {"at": "2026-01-01T09:00:00Z", "outcome": "Succeeded", "seconds": 3}
SERVED = {
    "observedGeneration": 1,
    "version": "1.0.0",
    "colour": "yellow",
    "image": "weather:1.0.0",
    "replicas": 2,
    "history": [{**YELLOW.manifest(), **DONE}],
}
CLUSTER_IP: Any = {"type": "ClusterIP", "ports": [{"port": 80}]}


def app(**spec: Any) -> WeatherApp:
    return parse_app(app_body(**spec))


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a status is made from, without its app: the live objects, and what was decided."""

    desired: Revision | None = GREEN
    decision: Decision | None = field(default_factory=Decision)
    deployment: dict[str, Any] | None = field(default_factory=deployment)
    service: dict[str, Any] | None = field(default_factory=CLUSTER_IP.copy)
    node: str | None = None
    apply_errors: tuple[Blocker, ...] = ()
    pod_blockers: tuple[Blocker, ...] | None = None


def status(app: WeatherApp, seen: Seen, *, now: str) -> dict[str, Any]:
    service = {"metadata": owned(), "spec": seen.service} if seen.service else None
    children = {(DEPLOYMENT, "london"): seen.deployment, (SERVICE, "london"): service}
    observed = Observed(
        app=app,
        now=now,
        children={key: child for key, child in children.items() if child},
        node_address=seen.node,
        apply_errors=seen.apply_errors,
        pod_blockers=seen.pod_blockers,
    )
    rollout = current_rollout(observed, seen.desired, seen.decision)
    planned = Plan(desired=seen.desired, decision=seen.decision, rollout=rollout)
    return conditions.status(observed, planned)


def ready(shown: dict[str, Any]) -> tuple[str, str]:
    found = condition(shown, "Ready")
    return found["status"], found["reason"]


def flags(shown: dict[str, Any]) -> str:
    """The abnormal conditions that hold."""
    names = ("Reconciling", "Stalled")
    return " ".join(name for name in names if condition(shown, name)["status"] == "True")


PAST: dict[str, Any] = {
    **SERVED,
    "updatedReplicas": 1,
    "replicas": 3,
    "availableReplicas": 2,
    "rollout": {
        "phase": "RollingOut",
        "from": "1.0.0",
        "to": "2.0.0",
        "revision": "r2",
        "colour": "green",
        "image": "weather:2.0.0",
        "floor": 2,
        "attempt": 0,
        "reached": {"desired": 2, "updated": 1, "available": 2, "old": 2},
        "startedAt": "2026-01-01T09:58:00Z",
        "progressedAt": "2026-01-01T09:58:00Z",
        "deadline": NOW,
    },
}
HALF = deployment(replicas=3, updated=1, available=2)
REFUSED = (Blocker(reason="NameConflict", message="there is a Service london"),)
HINDERED = (Blocker(reason="Unschedulable", message="no node", object="Pod/london-1"),)
CONDEMNED = (Blocker(reason="CrashLoopBackOff", message="back-off", condemns=True), *HINDERED)
NODE_PORT = {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}


@pytest.mark.parametrize(
    ("spec", "changes", "expected", "abnormal"),
    [
        ({}, {}, ("True", "Serving"), ""),
        ({"replicas": 0}, {"deployment": deployment(desired=0, replicas=0, updated=0, available=0)},
         ("True", "ScaledToZero"), ""),
        ({}, {"deployment": HALF}, ("False", "RollingOut"), "Reconciling"),
        ({}, {"deployment": HALF, "pod_blockers": HINDERED}, ("False", "Blocked"), "Reconciling"),
        ({"status": PAST}, {"deployment": HALF, "pod_blockers": CONDEMNED},
         ("False", "ProgressDeadlineExceeded"), "Stalled"),
        ({"status": PAST}, {"deployment": HALF, "pod_blockers": HINDERED},
         ("False", "Blocked"), "Reconciling"),
        ({}, {"deployment": None, "service": None},
         ("False", "RollingOut"), "Reconciling"),
        ({}, {"apply_errors": REFUSED}, ("False", "NameConflict"), "Stalled"),
        ({}, {"apply_errors": REFUSED, "deployment": HALF}, ("False", "NameConflict"), "Stalled"),
        ({"suspend": True}, {"deployment": HALF}, ("False", "Suspended"), ""),
        ({"suspend": True}, {"apply_errors": REFUSED}, ("False", "Suspended"), ""),
        ({}, {"service": NODE_PORT}, ("False", "AddressPending"), "Reconciling"),
        ({}, {"service": NODE_PORT, "node": "10.0.0.1"}, ("True", "Serving"), ""),
        ({}, {"deployment": deployment(observed=False)}, ("False", "RollingOut"), "Reconciling"),
    ],
)  # fmt: skip
def test_ready_sums_up(
    spec: dict[str, Any], changes: dict[str, Any], expected: tuple[str, str], abnormal: str
) -> None:
    shown = status(app(**spec), Seen(**changes), now=NOW)
    assert ready(shown) == expected
    assert flags(shown) == abnormal


counts = st.integers(0, 4)
observations = st.builds(
    Seen,
    deployment=st.one_of(
        st.none(),
        st.builds(
            deployment,
            desired=counts,
            replicas=counts,
            updated=counts,
            available=counts,
            observed=st.booleans(),
            version=st.sampled_from(["1.0.0", "2.0.0", "3.0.0"]),
        ),
    ),
    service=st.sampled_from([None, CLUSTER_IP, NODE_PORT]),
    node=st.sampled_from([None, "10.0.0.1"]),
    desired=st.sampled_from([None, GREEN]),
    decision=st.sampled_from(
        [
            None,
            Decision(),
            Decision(paused=True),
            Decision(rollback_blocked="it would be worse"),
            Decision(action=Action.HOLD),
            Decision(action=Action.HOLD, rollback_to=YELLOW),
            Decision(action=Action.ROLL_BACK, rollback_to=YELLOW),
            Decision(action=Action.MARK_FAILED, rollback_to=YELLOW),
        ]
    ),
    apply_errors=st.sampled_from([(), REFUSED]),
    pod_blockers=st.sampled_from([None, (), HINDERED, CONDEMNED]),
)
apps = st.builds(
    app,
    suspend=st.booleans(),
    replicas=counts,
    status=st.sampled_from([{}, SERVED, PAST]),
    rollout=st.fixed_dictionaries({"paused": st.booleans()}),
)


NO_PODS = deployment(desired=0, replicas=0, updated=0, available=0)


@given(apps, observations)
@example(
    app(replicas=0),
    Seen(
        deployment=NO_PODS,
        desired=GREEN,
        decision=Decision(action=Action.ROLL_BACK, rollback_to=YELLOW),
    ),
)
def test_in_whatever_state_the_status_is_whole_and_no_contradiction(
    app: WeatherApp, seen: Seen
) -> None:
    shown = status(app, seen, now=NOW)
    types = [each["type"] for each in shown["conditions"]]
    assert types == ["Ready", "Available", "Reconciling", "Stalled", "Paused"]
    assert flags(shown) != "Reconciling Stalled"
    if ready(shown)[0] == "True":
        assert flags(shown) == ""
        assert "rollout" not in shown
    assert all(value is not None for value in shown.values())
    assert all(each["message"] and each["reason"] for each in shown["conditions"])
    assert shown["observedGeneration"] == app.generation


@given(apps, observations)
def test_the_status_of_the_same_world_does_not_change_with_time(
    app: WeatherApp, seen: Seen
) -> None:
    assume(seen.decision is None or seen.decision.action is not Action.MARK_FAILED)
    first = status(app, seen, now=NOW)
    second = status(replace(app, status=first), seen, now=LATER)
    third = status(replace(app, status=second), seen, now="2026-01-01T10:01:30Z")
    assert third == second


def test_what_the_cluster_lacks_is_named_with_its_object_also_after_the_deadline() -> None:
    seen = Seen(deployment=HALF, pod_blockers=HINDERED)
    message = condition(status(app(status=PAST), seen, now=LATER), "Ready")["message"]
    assert message == "1.0.0 to 2.0.0 waits, Unschedulable: no node (Pod/london-1)"


def test_a_failure_is_told_by_what_condemns_alone() -> None:
    failed = Decision(action=Action.MARK_FAILED, rollback_to=YELLOW)
    seen = Seen(deployment=HALF, pod_blockers=CONDEMNED, decision=failed)
    shown = status(app(status=PAST), seen, now=LATER)
    assert shown["failedRevisions"][0]["reason"] == "CrashLoopBackOff: back-off"


def test_a_return_that_the_cluster_holds_up_goes_on_by_itself() -> None:
    back = Decision(action=Action.HOLD, rollback_to=YELLOW)
    rollout = {**PAST["rollout"], "phase": "RollingBack", "revision": "r1", "to": "1.0.0"}
    coming = deployment(replicas=3, updated=1, available=2, version="1.0.0")
    for pod_blockers, expected in ((HINDERED, "Blocked"), (CONDEMNED, "ProgressDeadlineExceeded")):
        seen = Seen(deployment=coming, pod_blockers=pod_blockers, decision=back)
        shown = status(app(status={**PAST, "rollout": rollout}), seen, now=LATER)
        assert ready(shown) == ("False", expected)


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    first = status(app(), Seen(deployment=HALF), now=NOW)
    london = replace(app(), status=first)
    blocked = status(london, Seen(deployment=HALF, pod_blockers=HINDERED), now=LATER)
    assert condition(blocked, "Ready")["lastTransitionTime"] == NOW
    serving = status(london, Seen(), now=LATER)
    assert condition(serving, "Ready")["lastTransitionTime"] == LATER


def test_the_version_changes_only_when_its_rollout_is_complete() -> None:
    london = app(status=SERVED)
    for changes in (
        {"deployment": HALF},
        {"deployment": deployment(version="1.0.0"), "apply_errors": REFUSED},
        {"deployment": deployment(observed=False)},
    ):
        assert status(london, Seen(**changes), now=NOW)["version"] == "1.0.0"
    done = status(london, Seen(), now=NOW)
    assert (done["version"], done["colour"], done["image"]) == ("2.0.0", "green", "weather:2.0.0")


def test_the_wish_is_shown_although_the_catalogue_does_not_know_it() -> None:
    asked = app(version="9.0.0", colour=None, status=SERVED)
    shown = status(
        asked,
        Seen(desired=None, deployment=deployment(version="1.0.0"), apply_errors=REFUSED),
        now=NOW,
    )
    assert (shown["desiredVersion"], shown["version"]) == ("9.0.0", "1.0.0")


@pytest.mark.parametrize(
    ("previous", "wanted", "unavailable", "floor"),
    [
        ({}, 2, 0, 2),
        (SERVED, 5, 0, 2),
        ({**SERVED, "replicas": 5}, 2, 0, 2),
        ({**SERVED, "replicas": 0}, 3, 0, 3),
        ({**SERVED, "replicas": 9, "rollout": {**PAST["rollout"], "floor": 1}}, 4, 0, 1),
        ({**SERVED, "replicas": 5}, 4, 1, 3),
        ({**SERVED, "replicas": 5}, 5, "50%", 3),
        ({**SERVED, "replicas": 2}, 1, 1, 1),
    ],
)
def test_the_floor_is_the_smaller_of_the_old_and_the_new_number_less_what_may_miss(
    previous: dict[str, Any], wanted: int, unavailable: int | str, floor: int
) -> None:
    london = app(status=previous, rollout={"maxUnavailable": unavailable})
    shown = status(london, Seen(deployment=deployment(desired=wanted, available=0)), now=NOW)
    assert shown["rollout"]["floor"] == floor


@pytest.mark.parametrize(("available", "holds"), [(1, "False"), (2, "True"), (4, "True")])
def test_available_means_at_or_above_the_floor(available: int, holds: str) -> None:
    scaling = deployment(desired=5, replicas=5, updated=5, available=available)
    shown = status(app(status=SERVED, replicas=5), Seen(deployment=scaling), now=NOW)
    assert condition(shown, "Available")["status"] == holds


def test_a_changed_number_is_scaling_and_a_changed_template_a_rollout() -> None:
    same = {**SERVED, "version": "2.0.0", "history": [{**GREEN.manifest(), **DONE}]}
    scaling = deployment(desired=5, replicas=5, updated=5, available=2)
    assert ready(status(app(status=same), Seen(deployment=scaling), now=NOW))[1] == "Scaling"
    other = deployment(desired=2, replicas=3, updated=1, available=2)
    assert ready(status(app(status=same), Seen(deployment=other), now=NOW))[1] == "RollingOut"


def test_a_pause_says_that_the_new_version_waits_while_the_old_one_is_scaled() -> None:
    scaling = deployment(desired=3, replicas=2, updated=2, available=2, version="1.0.0")
    held = Decision(action=Action.HOLD)
    shown = status(app(status=SERVED), Seen(deployment=scaling, decision=held), now=NOW)
    assert shown["rollout"]["phase"] == "Scaling"
    message = condition(shown, "Ready")["message"]
    assert message == "1.0.0 to 2.0.0 waits until spec.rollout.paused is false"


@pytest.mark.parametrize(
    ("failed", "words"),
    [
        (YELLOW, "; 1.0.0 (yellow) with its former settings serves on. "),
        (GREEN, "1.0.0 (yellow) s"),
    ],
)
def test_what_serves_is_told_from_what_failed_with_the_same_version(
    failed: Revision, words: str
) -> None:
    back = Decision(action=Action.HOLD, rollback_to=YELLOW)
    serves = deployment(version="1.0.0")
    seen = Seen(deployment=serves, desired=replace(failed, revision="r9"), decision=back)
    message = condition(status(app(status=SERVED), seen, now=NOW), "Ready")["message"]
    assert words in message


@pytest.mark.parametrize(
    ("live", "words"),
    [
        (HALF, "1.0.0 to 2.0.0: 1 of 2 pods updated, 2 available"),
        (
            deployment(replicas=3),
            "1.0.0 to 2.0.0: 2 of 2 pods updated, 2 available, 1 pod of before left",
        ),
    ],
)
def test_a_rollout_says_what_it_waits_for(live: Any, words: str) -> None:
    shown = status(app(status=SERVED), Seen(deployment=live), now=NOW)
    assert condition(shown, "Ready")["message"] == words


def test_nothing_is_called_updated_before_its_controller_has_seen_the_change() -> None:
    stale = deployment(observed=False)
    shown = status(app(status=SERVED), Seen(deployment=stale), now=NOW)
    assert shown["updatedReplicas"] == 0
    message = condition(shown, "Ready")["message"]
    assert message == "1.0.0 to 2.0.0: 0 of 2 pods updated, 2 available"
    seen = status(app(status=shown), Seen(deployment=HALF), now=NOW)
    then = status(app(status=seen, replicas=3), Seen(deployment=stale), now=LATER)
    assert then["updatedReplicas"] == 2


def test_more_pods_than_wanted_are_not_counted_as_ready() -> None:
    surge = deployment(desired=2, replicas=3, updated=1, available=3)
    shown = status(app(status=SERVED), Seen(deployment=surge), now=NOW)
    assert (shown["ready"], shown["readyReplicas"]) == ("2/2", 3)


def test_a_reason_is_not_said_twice() -> None:
    for spec, seen in (
        ({"suspend": True}, Seen()),
        ({}, Seen(deployment=HALF, decision=Decision(paused=True))),
    ):
        found = condition(status(app(status=SERVED, **spec), seen, now=NOW), "Ready")
        assert found["reason"].lower() not in found["message"].split()[0].lower()


def test_a_rollout_stays_one_until_its_end_and_keeps_its_start() -> None:
    first = status(app(status=SERVED), Seen(deployment=HALF), now=NOW)
    last_pod = deployment(replicas=2, updated=2, available=1)
    then = status(app(status=first), Seen(deployment=last_pod), now=LATER)
    assert then["rollout"]["phase"] == "RollingOut"
    assert then["rollout"]["startedAt"] == NOW
    assert then["rollout"]["from"] == "1.0.0"


def test_a_changed_mind_starts_a_rollout_of_its_own() -> None:
    first = status(app(status=SERVED), Seen(deployment=HALF), now=NOW)
    half_red = deployment(replicas=3, updated=1, available=2, version="3.0.0")
    then = status(app(status=first), Seen(deployment=half_red, desired=RED), now=LATER)
    assert (then["rollout"]["to"], then["rollout"]["startedAt"]) == ("3.0.0", LATER)
    newest = {**GREEN.manifest(), "at": LATER, "outcome": "Superseded", "seconds": 60}
    assert then["history"][0] == newest


AUTOSCALING = {
    "minReplicas": 2,
    "maxReplicas": 10,
    "targetCPUUtilizationPercentage": 70,
    "scaleDownStabilizationSeconds": 300,
}


def test_while_the_load_decides_the_deployment_says_how_many_pods_are_wanted() -> None:
    scaled = deployment(desired=7, replicas=7, updated=7, available=7)
    shown = status(app(replicas=3, autoscaling=AUTOSCALING), Seen(deployment=scaled), now=NOW)
    assert (shown["ready"], shown["autoscaling"]) == ("7/7", "2–10")
    assert ready(shown) == ("True", "Serving")
    assert "autoscaling" not in status(app(), Seen(), now=NOW)


@pytest.mark.parametrize(
    ("subresource", "spec", "ignored"),
    [
        ("scale", {"replicas": 7, "autoscaling": AUTOSCALING}, 7),
        ("scale", {"replicas": 7}, None),
        ("", {"replicas": 7, "autoscaling": AUTOSCALING}, None),
    ],
)
def test_what_kubectl_scale_asked_for_is_shown_where_it_is_not_used(
    subresource: str, spec: dict[str, Any], ignored: int | None
) -> None:
    body = app_body(**spec)
    entry = {"manager": "kubectl", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    body["metadata"]["managedFields"] = [{**entry, "subresource": subresource}]
    shown = status(parse_app(body), Seen(), now=NOW)
    assert shown.get("ignoredReplicas") == ignored


def test_a_line_of_a_table_has_room_for_the_image_and_for_why_it_waits() -> None:
    long = f"r.example:5000/team/weather:2.0.0@sha256:{'0123456789abcdef' * 4}"
    assert short_image(long) == "weather:2.0.0@sha256:0123456789ab"
    assert short_image("weather:2.0.0") == "weather:2.0.0"
    message = f"the registry has no image {long}"
    shown = summary("1.0.0 to 2.0.0 waits", [{"message": message}])
    assert shown == "the registry has no image r.example:5000/team/w…"
    assert summary("2.0.0 (green) serves with 2 pods", []) == "2.0.0 (green) serves with 2 pods"


def test_a_status_holds_the_whole_image_and_the_short_one_for_as_long() -> None:
    shown = status(app(), Seen(), now=NOW)
    assert (shown["image"], shown["shortImage"]) == ("weather:2.0.0", "weather:2.0.0")
    assert shown["summary"] == condition(shown, "Ready")["message"]
    rolling = status(app(status=shown), Seen(deployment=HALF), now=NOW)
    assert rolling["shortImage"] == rolling["image"]
