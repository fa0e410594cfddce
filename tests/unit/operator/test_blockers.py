from typing import Any

from weather_operator.model import Blocker
from weather_operator.status import blockers

NOW = "2026-01-01T10:00:00Z"


def pod(
    name: str = "london-1",
    *,
    ready: bool = False,
    waiting: dict[str, str] | None = None,
    last: dict[str, Any] | None = None,
    conditions: tuple[dict[str, str], ...] = (),
    going: bool = False,
) -> dict[str, Any]:
    state = {"waiting": waiting} if waiting else {"running": {}}
    container = {"name": "web", "state": state, "lastState": {"terminated": last} if last else {}}
    said = {"type": "Ready", "status": str(ready)}
    return {
        "metadata": {"name": name, **({"deletionTimestamp": NOW} if going else {})},
        "status": {"conditions": [said, *conditions], "containerStatuses": [container]},
    }


PULL = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}


def test_a_waiting_container_tells_its_cause() -> None:
    (found,) = blockers.of_pods([pod(waiting=PULL)])
    assert found == Blocker(
        reason="ImagePullBackOff", message="Back-off pulling image", object="Pod/london-1"
    )


def test_a_crash_tells_how_it_ended() -> None:
    crash = {"reason": "CrashLoopBackOff", "message": "back-off 40s"}
    ended = {"exitCode": 137, "reason": "OOMKilled"}
    (found,) = blockers.of_pods([pod(waiting=crash, last=ended)])
    assert found.message == "back-off 40s; it last ended with OOMKilled, exit code 137"


def test_a_pod_without_a_node_tells_the_schedulers_words() -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available",
    }
    (found,) = blockers.of_pods([pod(conditions=(condition,), waiting={"reason": ""})])
    assert (found.reason, found.message) == ("Unschedulable", "0/3 nodes are available")


def test_one_cause_of_many_pods_is_one_blocker_about_the_first_of_them() -> None:
    pods = [pod(f"london-{number}", waiting=PULL) for number in (3, 1, 2)]
    (found,) = blockers.of_pods(pods)
    assert found.object == "Pod/london-1"


def test_a_pod_on_its_way_is_no_blocker() -> None:
    assert not blockers.of_pods([pod(waiting={"reason": "ContainerCreating"}), pod()])


def test_the_pod_whose_events_may_tell_is_the_first_that_is_silent() -> None:
    silent, going = pod("b"), pod("a", going=True)
    pods = [pod("d"), silent, going, pod("0", ready=True), pod("1", waiting=PULL)]
    assert blockers.unexplained(pods) is silent
    assert blockers.unexplained([going, pod(ready=True)]) is None


def test_the_newest_warning_of_a_pod_is_its_blocker() -> None:
    events = [
        {"reason": "Old", "message": "a", "lastTimestamp": "2026-01-01T09:00:00Z"},
        {"reason": "Unhealthy", "message": "503", "lastTimestamp": "2026-01-01T10:00:00Z"},
        {"reason": "Older", "message": "b", "eventTime": "2026-01-01T08:00:00.000000Z"},
    ]
    (found,) = blockers.of_events(pod(), events)
    assert (found.reason, found.message, found.object) == ("Unhealthy", "503", "Pod/london-1")
    assert blockers.of_events(pod(), []) == ()


def test_a_pod_that_only_takes_its_time_to_start_is_no_blocker() -> None:
    refused = {"reason": "Unhealthy", "message": "Startup probe failed: connection refused"}
    assert blockers.of_events(pod(), [{**refused, "count": 9}]) == ()
    (found,) = blockers.of_events(pod(), [{**refused, "count": 10}])
    assert found.reason == "Unhealthy"


def test_who_runs_out_of_memory_is_told_what_to_raise() -> None:
    message = "back-off 40s; it last ended with OOMKilled, exit code 137"
    found = blockers.manifest(Blocker(reason="CrashLoopBackOff", message=message))
    assert found["message"] == f"{message}. Raise spec.resources.limits.memory."


def test_what_was_there_before_keeps_its_time() -> None:
    old = Blocker(reason="A", message="new words", object="Pod/1")
    new = Blocker(reason="B", message="x")
    previous = [{"reason": "A", "message": "old", "object": "Pod/1", "since": "before"}]
    assert [each.since for each in blockers.dated((old, new), previous, at=NOW)] == ["before", NOW]


def test_the_list_and_its_words_are_bounded() -> None:
    many = [Blocker(reason=f"R{number}", message="x" * 9999) for number in range(50)]
    dated = blockers.dated(many, (), at=NOW)
    assert len(dated) == 10
    assert len(blockers.manifest(dated[0])["message"]) == 1024
