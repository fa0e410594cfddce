from typing import Any

import pytest
from kubectl_weather.diagnostics import Diagnostics
from kubectl_weather.explanation import Explanation, explain
from kubectl_weather.lease import LeaseState, lease_state
from kubectl_weather.model import site
from support import objects
from weather_operator.model import Blocker
from weather_operator.rollout.revisions import Revision
from weather_operator.rollout.strategies import Action, Decision

HELD = LeaseState(is_held=True)
UNKNOWN = LeaseState(is_held=None)
EXPIRED = LeaseState(is_held=False, message="the operator does not run")
ROLLS_BACK = Decision(
    action=Action.MARK_FAILED,
    rollback_to=Revision(revision="r1", version="1.0.0", colour="yellow", image="weather:1.0.0"),
)
CRASH = Blocker(reason="CrashLoopBackOff", message="back-off 40s", object="Pod/london-3-a")


def explained(
    app: dict[str, Any],
    *,
    pod_blockers: tuple[Blocker, ...] = (),
    lease: LeaseState = HELD,
    at_deadline: Decision | None = None,
) -> Explanation:
    deployment = objects.deployment(app, updated=1)
    new = objects.replica_set(deployment, 2, "2.0.0", desired=1, ready=0)
    pods = [objects.pod(new, "a", ready=False, waiting="CrashLoopBackOff")]
    return explain(
        Diagnostics(
            app=app,
            site=site(app, [deployment], [new], pods),
            pod_blockers=pod_blockers,
            lease=lease,
            now=objects.NOW,
            at_deadline=at_deadline,
        )
    )


def test_an_app_that_serves_waits_for_nothing() -> None:
    status = objects.status("Serving", "1.0.0 (yellow) serves with 2 pods", ready=True)
    explanation = explained(objects.app(status={**status, "url": "http://london.default.svc/"}))
    assert not explanation.waits
    assert explanation.sentences == (
        "london waits for nothing: 1.0.0 (yellow) serves with 2 pods at http://london.default.svc/.",
    )
    assert explanation.next == ("kubectl weather open london",)


def test_a_blocked_rollout_is_explained_with_cause_service_deadline_and_command() -> None:
    blocker = {
        "reason": "CrashLoopBackOff",
        "message": "back-off 40s",
        "object": "Pod/london-3-a",
        "since": objects.ago(30),
    }
    status = objects.status(
        "Blocked",
        "1.0.0 to 2.0.0 waits",
        blockers=[blocker],
        rollout={"phase": "RollingOut", "deadline": objects.ago(-90)},
    )
    explanation = explained(objects.app(status=status), at_deadline=ROLLS_BACK)
    assert explanation.waits
    assert explanation.sentences == (
        "london has not been ready for 60s, Blocked: 1.0.0 to 2.0.0 waits.",
        "CrashLoopBackOff at Pod/london-3-a, since 30s: back-off 40s.",
        "Visitors are served: 2 pods available, at least 2 wanted.",
        "The operator waits for progress 90s more, then it rolls back by itself to 1.0.0 (yellow).",
        "The operator goes on by itself.",
    )
    assert explanation.next == ("kubectl logs london-3-a --previous",)


@pytest.mark.parametrize(
    ("reason", "command"),
    [
        ("Paused", "kubectl weather resume london"),
        ("RolledBack", "kubectl weather rollback london"),
        ("UnknownVersion", "kubectl get weatherreleases"),
        ("AddressPending", "kubectl describe service london"),
        ("GatewayAPINotInstalled", "kubectl get crd httproutes.gateway.networking.k8s.io"),
        (
            "Suspended",
            """kubectl patch weatherapp london --type=merge --patch='{"spec":{"suspend":false}}'""",
        ),
    ],
)
def test_the_first_command_fits_the_reason(reason: str, command: str) -> None:
    explanation = explained(objects.app(status=objects.status(reason, "message", stalled=True)))
    assert explanation.next[0] == command
    assert "The operator cannot go on by itself: a person must." in explanation.sentences


@pytest.mark.parametrize(
    ("at_deadline", "ending"),
    [
        (
            Decision(rollback_blocked="nothing has served"),
            ", then it gives up: nothing has served.",
        ),
        (Decision(), ", then it gives up."),
        (None, "."),
    ],
)
def test_what_comes_at_the_deadline_is_what_the_operator_decides(
    at_deadline: Decision | None, ending: str
) -> None:
    rollout = {"phase": "RollingOut", "deadline": objects.ago(-90)}
    status = objects.status("RollingOut", "0 of 2 pods updated.", rollout=rollout, version="")
    sentences = explained(objects.app(status=status), at_deadline=at_deadline).sentences
    assert sentences[0] == "london has not been ready for 60s, RollingOut: 0 of 2 pods updated."
    assert sentences[2] == f"The operator waits for progress 90s more{ending}"


def test_what_only_a_person_can_change_is_not_said_to_end_by_itself() -> None:
    rollout = {"phase": "RollingOut", "deadline": objects.ago(-90)}
    status = objects.status("Blocked", "quota", stalled=True, rollout=rollout)
    sentences = explained(objects.app(status=status)).sentences
    assert not [each for each in sentences if "waits for progress" in each]
    assert sentences[-1] == "The operator cannot go on by itself: a person must."


@pytest.mark.parametrize("reason", ["RolledBack", "ProgressDeadlineExceeded"])
@pytest.mark.parametrize(
    ("served", "wanted", "first"),
    [
        ("1.0.0", "2.0.0", "kubectl weather rollback london"),
        ("1.0.0", "1.0.0", "kubectl edit weatherapp london"),
        ("", "1.0.0", "kubectl edit weatherapp london"),
    ],
)
def test_after_a_failure_another_version_helps_only_where_one_served(
    reason: str, served: str, wanted: str, first: str
) -> None:
    status = objects.status(reason, "", stalled=True, version=served, desiredVersion=wanted)
    explanation = explained(objects.app(status=status))
    assert explanation.next == (first, "kubectl weather retry london")


def test_an_app_that_serves_and_is_paused_says_both() -> None:
    status = objects.status("Serving", "serves", ready=True)
    status["conditions"].append({"type": "Paused", "status": "True"})
    explanation = explained(objects.app(status=status))
    assert explanation.sentences[1] == "The next change will wait: spec.rollout.paused is true."


def test_there_is_always_a_next_command() -> None:
    app = objects.app(status=objects.status("Serving", "serves", ready=True))
    app["metadata"]["generation"] = 2
    (command,) = explained(app, lease=UNKNOWN).next
    assert command.startswith("kubectl get pods --all-namespaces")


def test_commands_are_given_flags_for_the_app_s_namespace() -> None:
    explanation = explained(objects.app(status=objects.status("Serving", "serves", ready=True)))
    assert explanation.with_flags(lambda command, namespace: f"{command} -n {namespace}").next == (
        "kubectl weather open london -n default",
    )


def test_a_change_that_the_operator_has_not_seen_is_explained_from_the_children() -> None:
    app = objects.app(status=objects.status("Serving", "serves", ready=True))
    app["metadata"]["generation"] = 2
    explanation = explained(app, pod_blockers=(CRASH,), lease=UNKNOWN)
    assert explanation.waits
    assert explanation.sentences == (
        "london was changed and the operator has not said anything since: "
        "its status is of generation 1, the spec of 2.",
        "Seen now: the Deployment has 1 of 2 pods updated, 2 available, 1 in trouble.",
        "CrashLoopBackOff at Pod/london-3-a: back-off 40s.",
    )
    assert explanation.next == ("kubectl logs london-3-a --previous",)


def test_an_operator_that_does_not_run_comes_first_and_its_status_is_not_trusted() -> None:
    app = objects.app(status=objects.status("Serving", "serves", ready=True))
    explanation = explained(app, pod_blockers=(CRASH,), lease=EXPIRED)
    assert explanation.waits
    assert explanation.sentences[0].startswith("The operator does not run, so nothing changes")
    assert "Its last status said Serving: serves." in explanation.sentences
    assert explanation.next[0].startswith("kubectl get pods --all-namespaces")
    assert "kubectl weather open london" not in explanation.next


def test_an_app_without_a_status() -> None:
    explanation = explained(
        objects.app(), lease=LeaseState(is_held=None, message="no operator holds a Lease")
    )
    assert explanation.sentences[:2] == (
        "No operator holds a Lease.",
        "london has no status yet: the operator has not seen it.",
    )


def test_an_app_that_is_deleted_before_it_has_a_status_waits_for_its_end() -> None:
    app = objects.app()
    app.pop("status", None)
    app["metadata"] |= {"deletionTimestamp": objects.ago(60), "finalizers": ["example.com/backup"]}
    explanation = explained(app)
    assert explanation.sentences == (
        "london has not been ready for 60s, Terminating: "
        "it is being deleted and waits for the finalizer example.com/backup.",
    )
    assert explanation.next == ("kubectl get weatherapp london --output=yaml",)


def lease_body(holder: str, renewed: float) -> dict[str, Any]:
    spec = {
        "holderIdentity": holder,
        "renewTime": objects.ago(renewed),
        "leaseDurationSeconds": 15,
    }
    return {"metadata": {"namespace": "weather-system"}, "spec": spec}


@pytest.mark.parametrize(
    ("leases", "is_held"),
    [
        ([lease_body("one", 3)], True),
        ([lease_body("one", 16)], False),
        ([lease_body("", 3)], False),
        ([lease_body("one", 900), lease_body("two", 3)], True),
        ([], None),
        ([{"metadata": {"namespace": "theirs"}}], None),
        ([{"metadata": {"namespace": "theirs"}, "spec": {"renewTime": None}}], None),
        ([{"metadata": {"namespace": "theirs"}, "spec": {}}, lease_body("one", 3)], True),
    ],
)
def test_the_lease_that_was_renewed_last_counts(
    leases: list[dict[str, Any]], is_held: bool | None
) -> None:
    assert lease_state(leases, objects.NOW).is_held is is_held
