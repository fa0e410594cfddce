from typing import Any

import pytest
from kubectl_weather.explain import Evidence, Explanation, explain
from kubectl_weather.leadership import Leadership, leadership
from kubectl_weather.sites import site
from support import families
from weather_operator.status.blockers import Blocker

LEADS = Leadership(works=True)
UNKNOWN = Leadership(works=None)
AWAY = Leadership(works=False, said="the operator does not run")
CRASH = Blocker(reason="CrashLoopBackOff", message="back-off 40s", object="Pod/london-3-a")


def explained(
    app: dict[str, Any],
    *,
    found: tuple[Blocker, ...] = (),
    leads: Leadership = LEADS,
) -> Explanation:
    deployment = families.deployment(app, updated=1)
    new = families.replica_set(deployment, 2, "2.0.0", wanted=1, ready=0)
    pods = [families.pod(new, "a", ready=False, waiting="CrashLoopBackOff")]
    seen = site(app, [deployment], [new], pods)
    return explain(Evidence(app=app, site=seen, found=found, leadership=leads, now=families.NOW))


def test_an_app_that_serves_waits_for_nothing() -> None:
    status = families.status("Serving", "1.0.0 (yellow) serves with 2 pods", ready=True)
    told = explained(families.app(status={**status, "url": "http://london.default.svc/"}))
    assert not told.waits
    assert told.sentences == (
        "london waits for nothing: 1.0.0 (yellow) serves with 2 pods at http://london.default.svc/.",
    )
    assert told.next == ("kubectl weather open london",)


def test_a_blocked_rollout_is_told_with_cause_service_deadline_and_command() -> None:
    blocker = {
        "reason": "CrashLoopBackOff",
        "message": "back-off 40s",
        "object": "Pod/london-3-a",
        "since": families.ago(30),
    }
    status = families.status(
        "Blocked",
        "1.0.0 to 2.0.0 waits",
        blockers=[blocker],
        rollout={"phase": "RollingOut", "deadline": families.ago(-90)},
    )
    told = explained(families.app(status=status))
    assert told.waits
    assert told.sentences == (
        "london has not been ready for 60s, Blocked: 1.0.0 to 2.0.0 waits.",
        "CrashLoopBackOff at Pod/london-3-a, since 30s: back-off 40s.",
        "Visitors are served: 2 pods available, at least 2 wanted.",
        "The operator waits for progress 90s more, then it rolls back by itself.",
        "The operator goes on by itself.",
    )
    assert told.next == ("kubectl logs london-3-a --previous",)


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
    told = explained(families.app(status=families.status(reason, "words", stalled=True)))
    assert told.next[0] == command
    assert "The operator cannot go on by itself: a person must." in told.sentences


def test_a_first_rollout_has_nothing_to_go_back_to() -> None:
    rollout = {"phase": "RollingOut", "deadline": families.ago(-90)}
    status = families.status("RollingOut", "0 of 2 pods updated.", rollout=rollout, version="")
    told = explained(families.app(status=status)).sentences
    assert told[0] == "london has not been ready for 60s, RollingOut: 0 of 2 pods updated."
    assert told[2].endswith("90s more, then it gives up: nothing has served to go back to.")


def test_what_only_a_person_can_change_is_not_said_to_end_by_itself() -> None:
    rollout = {"phase": "RollingOut", "deadline": families.ago(-90)}
    status = families.status("Blocked", "quota", stalled=True, rollout=rollout)
    told = explained(families.app(status=status)).sentences
    assert not [each for each in told if "waits for progress" in each]
    assert told[-1] == "The operator cannot go on by itself: a person must."


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
    status = families.status(reason, "", stalled=True, version=served, desiredVersion=wanted)
    told = explained(families.app(status=status))
    assert told.next == (first, "kubectl weather retry london")


def test_an_app_that_serves_and_is_paused_says_both() -> None:
    status = families.status("Serving", "serves", ready=True)
    status["conditions"].append({"type": "Paused", "status": "True"})
    told = explained(families.app(status=status))
    assert told.sentences[1] == "The next change will wait: spec.rollout.paused is true."


def test_there_is_always_a_next_command() -> None:
    app = families.app(status=families.status("Serving", "serves", ready=True))
    app["metadata"]["generation"] = 2
    (command,) = explained(app, leads=UNKNOWN).next
    assert command.startswith("kubectl get pods --all-namespaces")


def test_commands_are_spelled_for_the_app_s_namespace() -> None:
    told = explained(families.app(status=families.status("Serving", "serves", ready=True)))
    assert told.spelled(lambda command, namespace: f"{command} -n {namespace}").next == (
        "kubectl weather open london -n default",
    )


def test_a_change_that_the_operator_has_not_seen_is_told_from_the_children() -> None:
    app = families.app(status=families.status("Serving", "serves", ready=True))
    app["metadata"]["generation"] = 2
    told = explained(app, found=(CRASH,), leads=UNKNOWN)
    assert told.waits
    assert told.sentences == (
        "london was changed and the operator has not said anything since: "
        "its status is of generation 1, the spec of 2.",
        "Seen now: the Deployment has 1 of 2 pods updated, 2 available, 1 in trouble.",
        "CrashLoopBackOff at Pod/london-3-a: back-off 40s.",
    )
    assert told.next == ("kubectl logs london-3-a --previous",)


def test_an_operator_that_does_not_run_comes_first_and_its_status_is_not_trusted() -> None:
    app = families.app(status=families.status("Serving", "serves", ready=True))
    told = explained(app, found=(CRASH,), leads=AWAY)
    assert told.waits
    assert told.sentences[0].startswith("The operator does not run, so nothing changes")
    assert "Its last status said Serving: serves." in told.sentences
    assert told.next[0].startswith("kubectl get pods --all-namespaces")
    assert "kubectl weather open london" not in told.next


def test_an_app_without_a_status() -> None:
    told = explained(families.app(), leads=Leadership(works=None, said="no operator holds a Lease"))
    assert told.sentences[:2] == (
        "No operator holds a Lease.",
        "london has no status yet: the operator has not seen it.",
    )


def lease(holder: str, renewed: float) -> dict[str, Any]:
    spec = {
        "holderIdentity": holder,
        "renewTime": families.ago(renewed),
        "leaseDurationSeconds": 15,
    }
    return {"metadata": {"namespace": "weather-system"}, "spec": spec}


@pytest.mark.parametrize(
    ("leases", "works"),
    [
        ([lease("one", 3)], True),
        ([lease("one", 16)], False),
        ([lease("", 3)], False),
        ([lease("one", 900), lease("two", 3)], True),
        ([], None),
    ],
)
def test_who_leads_is_read_from_the_lease(leases: list[dict[str, Any]], works: bool | None) -> None:
    assert leadership(leases, families.NOW).works is works
