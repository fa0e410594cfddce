"""What pods say, and what of it condemns the version that is tried."""

from dataclasses import replace
from typing import Any

import pytest
from support.manifests import app_body, deployment, template
from weather_operator.kube.resources import DEPLOYMENT
from weather_operator.model import Blocker
from weather_operator.model.parsing import parse_app, parse_release
from weather_operator.rollout.observed import Observed
from weather_operator.status import pods as told
from weather_operator.status.blockers import manifest

CREATED, STARTED = "2026-01-01T10:00:00Z", "2026-01-01T10:05:00Z"
NOW, END = "2026-01-01T10:06:59Z", "2026-01-01T10:07:00Z"
"""The container has had almost, and just, the two minutes that a rollout may take."""

IMAGE = "weather:2.0.0"
CRASHING = {"reason": "CrashLoopBackOff", "message": "back-off 40s"}
OWNED = {"ownerReferences": [{"kind": "ReplicaSet", "name": "london-5d4f8", "controller": True}]}


def pod(
    name: str = "london-1",
    *,
    version: str = "2.0.0",
    ready: bool = False,
    state: dict[str, Any] | None = None,
    waiting: dict[str, str] | None = None,
    last: dict[str, Any] | None = None,
    conditions: tuple[dict[str, str], ...] = (),
    containers: tuple[dict[str, Any], ...] = (),
    going: bool = False,
    gates: tuple[str, ...] = (),
    **status: Any,
) -> dict[str, Any]:
    """A pod whose container runs, unless the test says otherwise."""
    container = {
        "name": "web",
        "ready": ready,
        "state": state
        or ({"waiting": waiting} if waiting else {"running": {"startedAt": STARTED}}),
        "lastState": {"terminated": last} if last else {},
    }
    made = template(version)
    metadata = {**made["metadata"], "name": name, "creationTimestamp": CREATED, **OWNED}
    return {
        "metadata": {**metadata, **({"deletionTimestamp": NOW} if going else {})},
        "spec": {**made["spec"], "readinessGates": [{"conditionType": each} for each in gates]},
        "status": {
            "conditions": [{"type": "Ready", "status": str(ready)}, *conditions],
            "containerStatuses": [container, *containers],
            **status,
        },
    }


def observed(now: str = NOW, version: str = "2.0.0") -> Observed:
    """A rollout of this version, which may take two minutes without getting further."""
    children = {(DEPLOYMENT, "london"): deployment(version=version)}
    return Observed(app=parse_app(app_body()), now=now, children=children)


def waiting(reason: str, message: str = "") -> dict[str, str]:
    return {"reason": reason, "message": message}


def condition(type_: str, status: str, **more: str) -> dict[str, str]:
    return {"type": type_, "status": status, **more}


MISSING = waiting("ErrImagePull", f"rpc error: {IMAGE}: not found")
UNREACHABLE = waiting("ErrImagePull", "rpc error: dial tcp: i/o timeout")
BACK_OFF = waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"')
CRASH = waiting("CrashLoopBackOff", "back-off 40s")
KILLED = {"exitCode": 137, "reason": "OOMKilled"}
LOST = {"exitCode": 137, "reason": "ContainerStatusUnknown"}
NO_RUNTIME = 'connection error: desc = "transport: Error while dialing: dial unix containerd.sock"'
DISK_FULL = "failed to create shim task: mkdir /run/containerd/io: no space left on device"
NOT_BEGUN = {"exitCode": 128, "reason": "StartError", "message": DISK_FULL}
NO_PROGRAM = {**NOT_BEGUN, "message": 'exec: "weather": executable file not found in $PATH'}
NO_NODE = condition("PodScheduled", "False", reason="Unschedulable", message="0/3 nodes")
SIDECAR = {"name": "proxy", "ready": False, "state": {"waiting": CRASH}}
LATE_KUBELET = "failed to sync secret cache: timed out waiting for the condition"


@pytest.mark.parametrize(
    ("one", "reason", "words"),
    [
        (pod(waiting=CRASH), "CrashLoopBackOff", "back-off 40s"),
        (pod(waiting=CRASH, last=KILLED), "CrashLoopBackOff", "OOMKilled, exit code 137"),
        (pod(waiting=CRASH, last=NO_PROGRAM), "CrashLoopBackOff", "StartError, exit code 128"),
        (pod(state={"terminated": KILLED}), "CrashLoopBackOff", "ended with OOMKilled"),
        (pod(state={"terminated": {"exitCode": 0}}), "CrashLoopBackOff", "exit code 0"),
        (pod(last=KILLED), "CrashLoopBackOff", "runs again and is not ready"),
        (pod(waiting=MISSING), "ImagePullBackOff", f"the registry has no image {IMAGE}"),
        (pod(waiting=waiting("InvalidImageName")), "InvalidImageName", "not the name of an image"),
        (
            pod(waiting=waiting("CreateContainerConfigError", 'secret "k" not found')),
            "CreateContainerConfigError",
            'secret "k" not found',
        ),
    ],
)
def test_what_its_own_container_shows_condemns_a_version(
    one: dict[str, Any], reason: str, words: str
) -> None:
    (found,) = told.of_pods([one], observed())
    assert (found.reason, found.object, found.condemns) == (reason, "Pod/london-1", True)
    assert words in found.message


@pytest.mark.parametrize(
    ("one", "reason", "words"),
    [
        (pod(conditions=(NO_NODE,), state={"waiting": {}}), "Unschedulable", "0/3 nodes"),
        (pod(waiting=UNREACHABLE), "ImagePullBackOff", "does not answer: i/o timeout"),
        (
            pod(waiting=waiting("CreateContainerConfigError", LATE_KUBELET)),
            "CreateContainerConfigError",
            "timed out",
        ),
        (
            pod(waiting=waiting("CreateContainerError", "mkdir /var/x: no space left on device")),
            "CreateContainerError",
            "no space left",
        ),
        (
            pod(waiting=waiting("RunContainerError", "fork: resource temporarily unavailable")),
            "RunContainerError",
            "temporarily unavailable",
        ),
        (
            pod(waiting=waiting("CreateContainerError", NO_RUNTIME)),
            "CreateContainerError",
            "Error while dialing",
        ),
        (pod(waiting=CRASH, last=NOT_BEGUN), "CrashLoopBackOff", "no space left on device"),
        (pod(state={"terminated": NOT_BEGUN}), "CrashLoopBackOff", "no space left on device"),
        (pod(waiting=CRASH, last=LOST), "CrashLoopBackOff", "ContainerStatusUnknown"),
        (pod(state={"terminated": LOST}), "CrashLoopBackOff", "ContainerStatusUnknown"),
        (
            pod(ready=True, containers=(SIDECAR,)),
            "CrashLoopBackOff",
            "container proxy: back-off 40s",
        ),
        (
            pod(state={"terminated": KILLED}, reason="Evicted", message="low on memory"),
            "Evicted",
            "low on memory",
        ),
        (
            pod(waiting=CRASH, conditions=(condition("DisruptionTarget", "True"),)),
            "CrashLoopBackOff",
            "back-off",
        ),
        (
            pod(ready=True, conditions=(condition("ContainersReady", "True"),), gates=("lb/x",)),
            "ReadinessGate",
            "lb/x is not True, nobody has said anything about it yet",
        ),
        (
            pod(
                ready=True,
                conditions=(
                    condition("ContainersReady", "True"),
                    condition("lb/x", "False", message="target is registering"),
                ),
                gates=("lb/x",),
            ),
            "ReadinessGate",
            "target is registering",
        ),
        (pod(waiting=CRASH, version="1.0.0"), "CrashLoopBackOff", "back-off"),
    ],
)
def test_what_the_cluster_lacks_is_named_and_condemns_nothing(
    one: dict[str, Any], reason: str, words: str
) -> None:
    (found,) = told.of_pods([one], observed())
    assert (found.reason, found.object, found.condemns) == (reason, "Pod/london-1", False)
    assert words in found.message


@pytest.mark.parametrize(
    "one",
    [
        pod(waiting=waiting("ContainerCreating")),
        pod(),
        pod(ready=True),
        pod(ready=True, last=KILLED),
        pod(waiting=CRASH, going=True),
        pod(
            ready=True,
            conditions=(condition("ContainersReady", "True"), condition("lb/x", "True")),
            gates=("lb/x",),
        ),
        pod(
            initContainerStatuses=[{"name": "init", "state": {"terminated": {"exitCode": 0}}}],
        ),
    ],
)
def test_what_is_well_or_on_its_way_is_no_blocker(one: dict[str, Any]) -> None:
    assert told.of_pods([one], observed()) == ()


def test_a_container_has_as_long_to_get_ready_as_a_rollout_to_get_further() -> None:
    assert told.of_pods([pod()], observed(NOW)) == ()
    (found,) = told.of_pods([pod()], observed(END))
    assert (found.reason, found.condemns) == ("Unhealthy", True)
    assert told.of_pods([pod(ready=True)], observed(END)) == ()


def test_a_node_whose_clock_is_behind_makes_no_container_older_than_its_pod() -> None:
    early = pod(state={"running": {"startedAt": "2026-01-01T09:00:00Z"}})
    assert told.of_pods([early], observed("2026-01-01T10:01:59Z")) == ()
    assert told.of_pods([early], observed("2026-01-01T10:02:00Z"))


def test_without_a_rollout_nothing_is_condemned() -> None:
    (found,) = told.of_pods([pod(waiting=CRASH)])
    assert not found.condemns


@pytest.mark.parametrize(
    "owner",
    [
        None,
        {"kind": "ReplicaSet", "name": "somebody-5d4f8"},
        {"kind": "ReplicaSet", "name": "london"},
        {"kind": "Job", "name": "london-5d4f8"},
    ],
)
def test_a_pod_that_no_replica_set_of_the_app_made_condemns_nothing(
    owner: dict[str, Any] | None,
) -> None:
    stray = pod(waiting=CRASHING)
    stray["metadata"]["ownerReferences"] = [{**owner, "controller": True}] if owner else []
    (found,) = told.of_pods([stray], observed())
    assert not found.condemns
    stray["metadata"]["ownerReferences"] = [
        {"kind": "ReplicaSet", "name": "london-canary-5d4f8", "controller": True}
    ]
    (found,) = told.of_pods([stray], observed())
    assert found.condemns


def test_one_cause_of_many_pods_is_one_blocker_about_the_first_that_condemns() -> None:
    pods = [pod(f"london-{number}", waiting=MISSING) for number in (3, 2)]
    (found,) = told.of_pods([pod("london-1", waiting=MISSING, version="1.0.0"), *pods], observed())
    assert found.object == "Pod/london-2"


def test_what_condemns_comes_first() -> None:
    pods = [pod("a", conditions=(NO_NODE,), state={"waiting": {}}), pod("b", waiting=CRASH)]
    assert [each.condemns for each in told.of_pods(pods, observed())] == [True, False]


def test_the_pod_whose_events_may_tell_is_the_first_that_is_silent() -> None:
    silent, going = pod("b"), pod("a", going=True)
    assert told.unexplained([pod("d"), silent, going, pod("0", ready=True)]) is silent
    assert told.unexplained([silent, pod("1", waiting=MISSING)]) is None
    assert told.unexplained([going, pod(ready=True)]) is None


def test_events_may_tell_why_an_image_cannot_be_pulled_where_the_pod_does_not() -> None:
    one = pod(waiting=BACK_OFF)
    assert told.unexplained([one]) is one
    found = told.of_pods([one], observed())
    assert not found[0].condemns
    events: list[dict[str, Any]] = [
        {"reason": "Failed", "message": "Error: ErrImagePull", "lastTimestamp": END},
        {
            "reason": "Failed",
            "message": f'Failed to pull image "{IMAGE}": rpc error: not found',
            "lastTimestamp": NOW,
            "involvedObject": {"fieldPath": "spec.containers{web}"},
        },
    ]
    (asked,) = told.with_events(found, one, events, observed())
    assert (asked.reason, asked.condemns) == ("ImagePullBackOff", True)
    assert asked.message == f"the registry has no image {IMAGE}"


def test_what_a_lost_node_said_last_condemns_nothing() -> None:
    for one in (pod(), pod(waiting=CRASH), pod(waiting=MISSING)):
        one["spec"]["nodeName"] = "node-1"
        (condemning,) = told.of_pods([one], observed(END))
        assert condemning.condemns
        (found,) = told.of_pods([one], replace(observed(END), lost_nodes=frozenset({"node-1"})))
        assert (found.reason, found.condemns) == ("NodeNotReady", False)
        assert found.message == "its node node-1 is not ready"


EVICTED: dict[str, Any] = {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}


def test_a_pod_that_its_node_has_ended_does_not_speak_for_its_successor() -> None:
    ended = pod("a", state={"terminated": KILLED}, **EVICTED)
    silent = pod("b", waiting=waiting("ContainerCreating"))
    assert told.unexplained([ended, silent]) is silent
    assert told.of_pods([ended, silent], observed()) == ()
    (found,) = told.of_pods([ended, pod("c", ready=True)], observed())
    assert found.reason == "Evicted"
    assert told.late([ended]) is None


@pytest.mark.parametrize(
    ("started_at", "reasons"), [(CREATED, ["Evicted"]), (STARTED, [])], ids=["in", "before"]
)
def test_a_pod_that_was_ended_speaks_of_the_change_in_which_it_was_made(
    started_at: str, reasons: list[str]
) -> None:
    seen = observed()
    seen = replace(seen, app=replace(seen.app, status={"rollout": {"startedAt": started_at}}))
    pods = [pod("a", **EVICTED), pod("b", ready=True)]
    assert [each.reason for each in told.of_pods(pods, seen)] == reasons


def test_a_pod_that_was_ended_needs_no_readiness_gate_any_more() -> None:
    pods = [pod("a", **EVICTED), pod("b")]
    for each in pods:
        each["metadata"]["labels"]["weather.quantspark.io/track"] = "stable"
    live = observed().live
    assert live
    assert told.without_gates(pods, live, since="2026-01-01T09:00:00Z") == ("b",)


def test_a_pod_that_its_node_has_ended_condemns_nothing() -> None:
    one = pod(state={"terminated": {"exitCode": 137, "reason": "Error"}}, phase="Failed")
    (found,) = told.of_pods([one], observed(END))
    assert not found.condemns


NO_PROXY = waiting("ImagePullBackOff", 'Back-off pulling image "proxy:9"')
INITIALISING = waiting("PodInitializing")


def warning(container: str, message: str, *, reason: str = "Failed") -> dict[str, Any]:
    """A kubelet's warning about one container, such as `containers{web}`, or about the pod."""
    about = {"involvedObject": {"fieldPath": f"spec.{container}"}} if container else {}
    return {"reason": reason, "message": message, "lastTimestamp": NOW, **about}


@pytest.mark.parametrize(
    ("one", "container"),
    [
        (
            pod(ready=True, containers=({"name": "proxy", "state": {"waiting": NO_PROXY}},)),
            "containers{proxy}",
        ),
        (
            pod(
                waiting=INITIALISING,
                initContainerStatuses=[{"name": "proxy", "state": {"waiting": NO_PROXY}}],
            ),
            "initContainers{proxy}",
        ),
    ],
)
def test_an_image_that_another_container_lacks_condemns_nothing(
    one: dict[str, Any], container: str
) -> None:
    one["status"]["conditions"] = [condition("Ready", "False")]
    one["spec"]["initContainers"] = [{"name": "proxy", "image": "proxy:9"}]
    assert told.unexplained([one]) is one
    events = [warning(container, 'Failed to pull image "proxy:9": rpc error: proxy:9: not found')]
    found = told.of_pods([one], observed())
    (asked,) = told.with_events(found, one, events, observed())
    assert (asked.reason, asked.condemns) == ("ImagePullBackOff", False)
    assert asked.message == "container proxy: the registry has no image proxy:9"


def test_an_image_that_another_container_lacks_explains_its_pod() -> None:
    cause = waiting("ImagePullBackOff", 'Back-off pulling image "proxy:9": proxy:9: not found')
    one = pod(containers=({"name": "proxy", "state": {"waiting": cause}},))
    assert told.unexplained([one]) is None


def test_an_image_that_the_node_itself_lacks_condemns_nothing() -> None:
    words = 'failed to get sandbox image: failed to pull image "pause:3": pause:3: not found'
    events = [warning("", words, reason="FailedCreatePodSandBox")]
    (asked,) = told.with_events((), pod(waiting=INITIALISING), events, observed())
    assert asked == Blocker(reason="FailedCreatePodSandBox", message=words, object="Pod/london-1")


def test_no_pod_waits_for_a_container_that_somebody_debugs_it_with() -> None:
    words = 'Failed to pull image "debug:1": debug:1: not found'
    events = [warning("ephemeralContainers{debugger}", words)]
    assert told.with_events((), pod(), events, observed()) == ()


def test_a_warning_about_another_container_has_its_name() -> None:
    probe = warning("containers{proxy}", "Readiness probe failed: 503", reason="Unhealthy")
    (asked,) = told.with_events((), pod(ready=True), [probe], observed())
    assert asked.message == "container proxy: Readiness probe failed: 503"
    found = told.of_pods([pod()], observed(END))
    assert told.with_events(found, pod(), [probe], observed(END)) == found


def test_who_adds_a_container_has_to_correct_it() -> None:
    memory = {**SIDECAR, "lastState": {"terminated": KILLED}}
    image = {"name": "proxy", "state": {"waiting": waiting("InvalidImageName")}}
    for other in (memory, image):
        (found,) = told.of_pods([pod(ready=True, containers=(other,))], observed())
        message = manifest(found)["message"]
        assert message.endswith("Whoever adds it to the pods, often a webhook, has to correct it.")


def test_warnings_about_its_own_container_go_first_while_that_is_not_ready() -> None:
    words = "Readiness probe failed"
    own = warning("containers{web}", words, reason="Unhealthy") | {"lastTimestamp": CREATED}
    events = [own, warning("containers{proxy}", words, reason="Unhealthy")]
    for ready, expected in ((False, words), (True, f"container proxy: {words}")):
        (asked,) = told.with_events((), pod(ready=ready), events, observed())
        assert asked.message == expected


def test_what_the_registry_lacks_is_said_as_the_release_says_it() -> None:
    words = "registry.example has no tag 2.0.0 of weather"
    condition = {"type": "Available", "status": "False", "reason": "NotFound", "message": words}
    body: dict[str, Any] = {
        "metadata": {"name": "2.0.0", "uid": "release-1", "generation": 1},
        "spec": {"version": "2.0.0", "colour": "green", "image": IMAGE},
        "status": {"observedGeneration": 1, "conditions": [condition]},
    }
    seen = replace(observed(), release=parse_release(body))
    (found,) = told.of_pods([pod(waiting=MISSING)], seen)
    assert found.message == words
    (found,) = told.of_pods([pod(waiting=UNREACHABLE)], seen)
    assert "does not answer" in found.message
    body["spec"]["image"] = "weather:another"
    (found,) = told.of_pods([pod(waiting=MISSING)], replace(seen, release=parse_release(body)))
    assert found.message == f"the registry has no image {IMAGE}"


def test_the_newest_warning_of_a_pod_is_its_blocker() -> None:
    events = [
        {"reason": "Old", "message": "a", "lastTimestamp": "2026-01-01T09:00:00Z"},
        {"reason": "Unhealthy", "message": "503", "lastTimestamp": "2026-01-01T10:00:00Z"},
        {"reason": "Older", "message": "b", "eventTime": "2026-01-01T08:00:00.000000Z"},
    ]
    (found,) = told.with_events((), pod(), events)
    assert found == Blocker(reason="Unhealthy", message="503", object="Pod/london-1")
    assert told.with_events((), pod(), []) == ()


@pytest.mark.parametrize(
    "reason", ["PolicyViolation", "DNSConfigForming", "FailedToRetrieveImagePullSecret"]
)
def test_a_warning_that_well_pods_have_too_hides_no_cause(reason: str) -> None:
    """Kyverno audits each object, and a kubelet counts its name servers, every few minutes."""
    mount = {
        "reason": "FailedMount",
        "message": "no Secret",
        "lastTimestamp": "2026-01-01T09:00:00Z",
    }
    always = {"reason": reason, "message": "so it is", "lastTimestamp": "2026-01-01T10:00:00Z"}
    (found,) = told.with_events((), pod(), [mount, always])
    assert found.reason == "FailedMount"
    assert told.with_events((), pod(), [always]) == ()


def test_a_probe_that_fails_condemns_once_the_container_has_had_its_time() -> None:
    words = "Readiness probe failed: 503"
    events = [warning("containers{web}", words, reason="Unhealthy")]
    for now, expected in ((NOW, False), (END, True)):
        found = told.of_pods([pod()], observed(now))
        (asked,) = told.with_events(found, pod(), events, observed(now))
        assert (asked.message, asked.condemns) == (words, expected)


def test_a_pod_that_only_takes_its_time_to_start_is_no_blocker() -> None:
    refused = {"reason": "Unhealthy", "message": "Startup probe failed: connection refused"}
    assert told.with_events((), pod(), [{**refused, "count": 9}]) == ()
    (found,) = told.with_events((), pod(), [{**refused, "count": 10}])
    assert found.reason == "Unhealthy"


@pytest.mark.parametrize(
    ("one", "reason"),
    [(pod(), "NotReady"), (pod(waiting=waiting("ContainerCreating")), "NotStarted")],
)
def test_a_pod_that_is_late_is_named_where_nothing_says_why(
    one: dict[str, Any], reason: str
) -> None:
    found = told.late([pod("0", ready=True), one])
    assert found
    assert (found.reason, found.object, found.condemns) == (reason, "Pod/london-1", False)
    assert told.late([pod(ready=True), pod(going=True)]) is None
