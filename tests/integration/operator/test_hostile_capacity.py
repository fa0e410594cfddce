"""What a cluster lacks in the middle of a rollout: said, waited for, and no version's fault.

No kubelet runs here: where one has something to say, the test says it.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from support import kubelet
from support.deadlines import eventually
from support.operator import Operator, Site, release
from support.watching import READY_ENDPOINTS, endpoints_of, wait_for_endpoints, watching

SHORT = {"progressDeadlineSeconds": 3}
GREEN: dict[str, Any] = {"colour": "green", "rollout": SHORT}
GATE = "example.com/target-health"
PULL = 'failed to pull and unpack image "weather:2.0.0": failed to resolve reference'

Settle = Callable[[Site], dict[str, Any]]


@pytest.fixture
def london(site: Site) -> Site:
    """A site that serves 1.0.0."""
    site.apply(rollout=SHORT)
    site.wait_for("Serving")
    return site


@pytest.fixture
def still_blocked(operator: Operator) -> Settle:
    """Return a site's status once the operator has looked at it twice after its deadline."""

    def look(site: Site) -> dict[str, Any]:
        deadline = eventually(lambda: site.status()["rollout"]["deadline"])
        eventually(lambda: now() > deadline)
        looks = operator.metric("weather_operator_reconciles_total")
        eventually(lambda: operator.metric("weather_operator_reconciles_total") > looks + 1)
        status = site.wait_for("Blocked")
        assert "failedRevisions" not in status
        assert status["version"] == "1.0.0"
        assert site.condition("Available")["status"] == "True"
        assert site.condition("Reconciling")["status"] == "True"
        assert site.condition("Stalled")["status"] == "False"
        return status

    return look


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def only_blocker(status: dict[str, Any]) -> dict[str, str]:
    (found,) = status["blockers"]
    assert isinstance(found, dict)
    return found


@contextmanager
def cordoned(site: Site) -> Iterator[None]:
    """No node takes a pod meanwhile."""
    nodes = [each["metadata"]["name"] for each in site.shell.get("nodes")["items"]]
    site.shell.kubectl("cordon", *nodes)
    try:
        yield
    finally:
        site.shell.kubectl("uncordon", *nodes)


def test_nodes_without_room_fail_no_version(london: Site, still_blocked: Settle) -> None:
    with cordoned(london):
        london.apply(**GREEN)
        found = only_blocker(still_blocked(london))
        assert (found["reason"], found["object"][:11]) == ("Unschedulable", "Pod/london-")
        assert "0/3 nodes are available" in found["message"]
        assert found["object"] in london.condition("Ready")["message"]
    assert london.wait_for("Serving")["version"] == "2.0.0"


def test_a_quota_that_the_surge_reaches_fails_no_version(
    london: Site, still_blocked: Settle
) -> None:
    london.kubectl("create", "quota", "tight", "--hard=pods=2")
    # The quota refuses pods only once it has counted those that there are.
    eventually(lambda: london.get("quota", "tight")["status"]["used"]["pods"] == "2")
    london.apply(**GREEN)
    found = only_blocker(still_blocked(london))
    assert (found["reason"], found["object"]) == ("QuotaExceeded", "Deployment/london")
    assert "exceeded quota: tight" in found["message"]
    london.kubectl("delete", "quota", "tight")
    assert london.wait_for("Serving")["version"] == "2.0.0"


def late_pods(site: Site) -> list[dict[str, Any]]:
    """The new pods that no kubelet has made ready yet."""
    new = kubelet.pods_of(site, **{"app.kubernetes.io/version": "2.0.0"})
    return [each for each in new if each.get("status", {}).get("phase") == "Pending"]


def late_pod(site: Site) -> dict[str, Any]:
    return eventually(lambda: late_pods(site))[0]


def start_all(site: Site) -> bool:
    """Let every new pod come up; return whether the site serves with all of them."""
    for pod in late_pods(site):
        kubelet.runs(site, pod, ready=True)
    return site.reason() == "Serving"


@pytest.mark.parametrize(
    "answer",
    [
        "dial tcp 10.0.0.1:443: i/o timeout",
        "unexpected status from HEAD request: 503 Service Unavailable",
        "unexpected status from HEAD request: 429 Too Many Requests",
    ],
)
def test_a_registry_that_does_not_answer_fails_no_version(
    london: Site, still_blocked: Settle, answer: str
) -> None:
    london.apply(**GREEN, pod=kubelet.LATE)
    kubelet.waits(london, late_pod(london), "ErrImagePull", f"{PULL}: {answer}")
    found = only_blocker(still_blocked(london))
    assert found["reason"] == "ImagePullBackOff"
    assert "the registry of weather:2.0.0 does not answer" in found["message"]
    eventually(lambda: start_all(london))


def test_an_image_that_the_registry_does_not_have_fails_the_version(london: Site) -> None:
    london.apply(**GREEN, pod=kubelet.LATE)
    kubelet.waits(london, late_pod(london), "ErrImagePull", f"{PULL}: weather:2.0.0: not found")
    (failed,) = london.wait_for("RolledBack")["failedRevisions"]
    assert failed["reason"] == "ImagePullBackOff: the registry has no image weather:2.0.0"


def test_evidence_that_comes_after_the_deadline_fails_the_version(
    london: Site, still_blocked: Settle
) -> None:
    london.apply(**GREEN, pod=kubelet.LATE)
    assert only_blocker(still_blocked(london))["reason"] == "NotStarted"
    kubelet.waits(london, late_pod(london), "CrashLoopBackOff", "back-off 10s")
    (failed,) = london.wait_for("RolledBack")["failedRevisions"]
    assert failed["reason"] == "CrashLoopBackOff: back-off 10s"


@pytest.fixture
def gated(namespace: str, london: Site) -> Iterator[None]:
    """A controller of load balancers, which gives every further pod a readiness gate."""
    path = "/spec/readinessGates"
    value = f'Object.spec.readinessGates{{conditionType: "{GATE}"}}'
    gate = (
        f'[JSONPatch{{op: "add", path: "{path}", value: []}}, '
        f'JSONPatch{{op: "add", path: "{path}/-", value: {value}}}]'
    )
    version = {"apiVersion": london.shell.version_of("MutatingAdmissionPolicy")}
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["pods"],
    }
    chosen = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    policy = {
        **version,
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": namespace},
        "spec": {
            "matchConstraints": {"resourceRules": [rule]},
            "reinvocationPolicy": "Never",
            "failurePolicy": "Fail",
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": gate}}],
        },
    }
    binding = {
        **version,
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": namespace},
        "spec": {
            "policyName": namespace,
            "matchResources": {"namespaceSelector": chosen},
        },
    }
    london.shell.kubectl("apply", "-f", "-", text=yaml.safe_dump_all([policy, binding]))
    yield
    for kind in ("mutatingadmissionpolicybinding", "mutatingadmissionpolicy"):
        london.shell.kubectl("delete", kind, namespace)


@pytest.mark.usefixtures("gated")
def test_a_readiness_gate_that_is_not_passed_fails_no_version(
    london: Site, still_blocked: Settle
) -> None:
    def has_gate() -> bool:
        dry_run = ("run", "probe", "--image=x", "--dry-run=server", "-o", "yaml")
        return GATE in london.kubectl(*dry_run)

    eventually(has_gate)
    london.apply(**GREEN, pod=kubelet.LATE)
    pod = late_pod(london)
    kubelet.runs(london, pod, ready=True, pod_ready=False)
    found = only_blocker(still_blocked(london))
    assert (found["reason"], found["object"][:11]) == ("ReadinessGate", "Pod/london-")
    assert f"readiness gate {GATE} is not True" in found["message"]
    kubelet.runs(london, pod, ready=True)
    eventually(lambda: start_all(london))


def test_a_slow_cluster_fails_no_version(site: Site) -> None:
    sites = [Site(shell=site.shell, namespace=site.namespace, name=f"slow-{n}") for n in range(4)]
    for each in sites:
        each.apply(rollout=SHORT)
    for each in sites:
        each.wait_for("Serving")
    # Longer than the deadline, for each of the two pods that come one after the other.
    late = {"annotations": {"test/ready-after": "8s"}}
    for each in sites:
        each.apply(**GREEN, pod=late)
    for each in sites:
        status = each.wait_for("Serving")
        assert status["version"] == "2.0.0"
        outcomes = [entry["outcome"] for entry in status["history"]]
        assert outcomes == ["Succeeded", "Succeeded"]


def test_a_number_of_pods_that_flips_keeps_no_bad_version_alive(london: Site) -> None:
    london.shell.apply(release("8.9.0", "rust", "broken:9"))
    numbers = itertools.cycle([3, 2])

    def flip() -> Any:
        deadline = {"progressDeadlineSeconds": 6}
        london.apply(colour="rust", replicas=next(numbers), rollout=deadline)
        return london.get()["status"].get("failedRevisions")

    try:
        (failed,) = eventually(flip, every=1)
    finally:
        london.shell.kubectl("delete", "weatherrelease", "8.9.0")
    assert failed["version"] == "8.9.0"
    assert "Unhealthy" in failed["reason"]


@pytest.mark.parametrize(("replicas", "unavailable"), [(2, 2), (2, "100%"), (1, 1)])
def test_however_many_pods_may_be_missing_the_last_one_stays(
    london: Site, replicas: int, unavailable: int | str
) -> None:
    rollout = {"maxUnavailable": unavailable}
    london.apply(replicas=replicas, rollout=rollout)
    eventually(lambda: london.status().get("ready") == f"{replicas}/{replicas}")
    wait_for_endpoints(london, replicas)
    late = {"annotations": {"test/ready-after": "4s"}}
    with watching(london, *endpoints_of(london), show=READY_ENDPOINTS) as record:
        london.apply(replicas=replicas, colour="green", pod=late, rollout=rollout)
        floor = eventually(lambda: london.status()["rollout"]["floor"])
        assert london.wait_for("Serving")["version"] == "2.0.0"
        assert min(line.count("true") for line in record.lines()) >= floor >= 1
