"""Behind a load balancer that sends to the pods: evictions, and the readiness gates of its own."""

import json
from dataclasses import replace
from typing import Any

import pytest
from support.fake_api_server import FakeApiServer
from support.manifests import app_body, deployment, disruptions_allowed, owned
from weather_operator import render
from weather_operator.controller.diagnostics import Diagnostics
from weather_operator.controller.event_handlers import new_cache
from weather_operator.kube.errors import RefusedError
from weather_operator.kube.resources import (
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    INGRESS,
    NAMESPACE,
    POD,
    Key,
)
from weather_operator.model import Release, WeatherApp
from weather_operator.model.parsing import parse_app
from weather_operator.rollout.observed import Gates, Observed
from weather_operator.rollout.plan import Plan, plan
from weather_operator.rollout.state import later
from weather_operator.status.blockers import dated
from weather_operator.status.conditions import condition, status

GREEN = Release(version="2.0.0", colour="green", image="weather:2.0.0")
ALB: dict[str, Any] = {"ingress": {"className": "alb"}, "colour": "green"}
NLB: dict[str, Any] = {
    "service": {
        "type": "LoadBalancer",
        "port": 80,
        "annotations": {"service.beta.kubernetes.io/aws-load-balancer-nlb-target-type": "ip"},
    },
    "colour": "green",
}
ADDRESS_AT, BEFORE, AFTER = (f"2026-01-01T09:{minute}:00Z" for minute in (30, 20, 40))
NOW = "2026-01-01T10:00:00Z"
LABELLED = {"elbv2.k8s.aws/pod-readiness-gate-inject": "enabled"}
GATE = "target-health.elbv2.k8s.aws/k8s-default-london"
SERVED = {"observedGeneration": 1, "version": "1.0.0", "colour": "yellow", "replicas": 2}


def london(**spec: Any) -> WeatherApp:
    return parse_app(app_body(status=dict(SERVED), **spec))


def observed(
    app: WeatherApp,
    *,
    replicas: int = 2,
    updated: int = 2,
    available: int = 2,
    ready: int | None = None,
    seen: bool = True,
    release: Release = GREEN,
) -> Observed:
    """London in 2.0.0, whose load balancer has had its address since half past nine."""
    live = deployment(replicas=replicas, updated=updated, available=available, observed=seen)
    live["spec"]["template"] = render.pod_template(app, release)
    live["status"]["readyReplicas"] = available if ready is None else ready
    entry = {"manager": "controller", "operation": "Update", "subresource": "status"}
    fields = [{**entry, "time": ADDRESS_AT, "fieldsV1": {}}]
    metadata = owned(managedFields=fields, uid="ingress-1", resourceVersion="1")
    balancer = {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}
    backend = {"service": {"name": "london", "port": {"number": 80}}}
    rule = {"http": {"paths": [{"path": "/", "backend": backend}]}}
    ingress = {"metadata": metadata, "spec": {"rules": [rule]}, "status": balancer}
    cache = new_cache()
    cache.put(INGRESS, ingress)
    kept = cache.get(INGRESS, app.key) or {}
    children = {(DEPLOYMENT, "london"): live, (INGRESS, "london"): kept}
    return Observed(app=app, now=NOW, release=GREEN, children=children)


def planned(found: Observed) -> Plan:
    made = plan(replace(found, replica_sets=(), pod_blockers=()))
    assert made
    return made


def may_be_evicted(found: Observed) -> int:
    (budget,) = [each for each in planned(found).writes if each.kind is DISRUPTION_BUDGET]
    assert budget.manifest
    return disruptions_allowed(budget.manifest, found.children[DEPLOYMENT, "london"])


@pytest.mark.parametrize("spec", [ALB, NLB])
@pytest.mark.parametrize(("available", "allowed"), [(2, 1), (1, 0), (0, 0)])
def test_no_pod_is_evicted_while_another_may_be_unknown_to_a_load_balancer(
    spec: dict[str, Any], available: int, allowed: int
) -> None:
    assert may_be_evicted(observed(london(**spec), available=available)) == allowed


@pytest.mark.parametrize(("spec", "seconds"), [({}, 120), (ALB, 135), (NLB, 325)])
def test_the_time_that_a_load_balancer_takes_for_a_new_pod_is_not_the_versions(
    spec: dict[str, Any], seconds: int
) -> None:
    rollout = planned(observed(london(**{"colour": "green", **spec}), replicas=4)).rollout
    assert rollout
    assert rollout.deadline == later(NOW, seconds)


def test_what_is_ready_and_not_known_yet_is_said() -> None:
    found = observed(london(**NLB), available=0, ready=2)
    message = condition(status(found, planned(found)), "Ready")["message"]
    assert message == (
        "1.0.0 to 2.0.0: 2 of 2 pods updated, 0 available, 2 ready and given 210 s for the load "
        "balancer to know them"
    )


JUST_NOW, LATE = {"progressedAt": NOW}, {"progressedAt": BEFORE}


@pytest.mark.parametrize(
    ("pods", "rollout", "allowed"),
    [
        # Two that serve, and two new ones: not ready yet, then ready and too young, then known.
        ({"replicas": 4, "available": 2}, JUST_NOW, 0),
        ({"replicas": 4, "available": 2, "ready": 4}, JUST_NOW, 0),
        ({"replicas": 4, "available": 4}, JUST_NOW, 0),
        ({"replicas": 2, "available": 2}, JUST_NOW, 1),
        # Overdue: what hinders the new ones may be the node that is to be drained.
        ({"replicas": 4, "available": 2}, LATE, 1),
        ({"replicas": 4, "available": 2, "ready": 3}, LATE, 0),
    ],
)
def test_in_a_rollout_no_pod_is_evicted_for_one_that_may_be_unknown(
    pods: dict[str, Any], rollout: dict[str, Any], allowed: int
) -> None:
    found = observed(london(**ALB), **pods)
    assert found.live
    reached = {"desired": 2, "updated": 2, "available": 2, "old": 0}
    begun = {"phase": "RollingOut", "revision": found.live.revision, "attempt": 0, "from": "1.0.0"}
    status = {**SERVED, "rollout": {**begun, "startedAt": BEFORE, "reached": reached, **rollout}}
    found = replace(found, app=replace(found.app, status=status))
    assert may_be_evicted(found) == allowed


def test_the_budget_is_shut_before_a_rollout_begins() -> None:
    yellow = Release(version="1.0.0", colour="yellow", image="weather:1.0.0")
    found = observed(london(**ALB), release=yellow)
    assert may_be_evicted(found) == 0
    kinds = [each.kind for each in planned(found).writes]
    assert kinds.index(DISRUPTION_BUDGET) < kinds.index(DEPLOYMENT)


def test_what_the_deployments_controller_has_not_seen_yet_is_a_rollout() -> None:
    assert may_be_evicted(observed(london(**ALB), seen=False)) == 0


def test_no_pod_is_evicted_for_one_that_lacks_its_gate() -> None:
    found = observed(london(**ALB), replicas=4, available=4, updated=2)
    assert may_be_evicted(replace(found, gates=Gates(promised=True, missing=("london-1",)))) == 0


def test_elsewhere_ready_is_enough_for_an_eviction() -> None:
    assert may_be_evicted(observed(london(colour="green"), available=1, ready=2)) == 1


class Cluster:
    """A namespace and the pods in it."""

    def __init__(
        self, app: WeatherApp, labels: dict[str, str] | None = None, *, labelled: str = BEFORE
    ) -> None:
        self.server, self.app, self.now = FakeApiServer(), app, 0.0
        self.diagnostics = Diagnostics(self.server, clock=lambda: self.now)
        self.label(LABELLED if labels is None else labels, at=labelled)

    def label(self, labels: dict[str, str], *, at: str) -> None:
        name = self.app.key.namespace
        owned_labels: dict[str, Any] = {
            "f:metadata": {"f:labels": {f"f:{each}": {} for each in labels}}
        }
        entry = {"manager": "kubectl-label", "operation": "Update", "time": at}
        fields = [{**entry, "fieldsV1": owned_labels}]
        body = {"metadata": {"name": name, "labels": labels, "managedFields": fields}}
        self.server.put(NAMESPACE, Key(name=name), body)

    def add(
        self, name: str, made: str, *, gated: bool = False, canary: bool = False, **metadata: str
    ) -> None:
        track = render.Track.CANARY if canary else render.Track.STABLE
        template = json.loads(json.dumps(render.pod_template(self.app, GREEN, track)))
        spec = {**template["spec"]}
        if gated:
            spec["readinessGates"] = [{"conditionType": GATE}]
        told = {"name": name, "namespace": "default", "uid": name, "creationTimestamp": made}
        body = {
            "metadata": {**template["metadata"], **told, **metadata},
            "spec": spec,
            "status": {},
        }
        self.server.put(POD, Key(namespace="default", name=name), body)

    async def gates(self, found: Observed) -> Gates | None:
        return await self.diagnostics.gates(found)


async def test_pods_that_lack_a_promised_gate_are_told_from_those_that_could_have_none() -> None:
    app = london(**ALB)
    cluster = Cluster(app)
    cluster.add("a-first-rollout", BEFORE)
    cluster.add("b-has-one", AFTER, gated=True)
    cluster.add("c-lacks-it", AFTER)
    cluster.add("d-goes", AFTER, deletionTimestamp=AFTER)
    cluster.add("e-is-tried", AFTER, canary=True)
    half = observed(app, updated=1)
    assert await cluster.gates(half) == Gates(promised=True, missing=("c-lacks-it",))
    assert await cluster.gates(observed(app)) == Gates(promised=True)
    no_address = replace(half, children={(DEPLOYMENT, "london"): half.child(DEPLOYMENT) or {}})
    assert await cluster.gates(no_address) == Gates(promised=True)


async def test_pods_that_were_there_before_the_label_lack_nothing() -> None:
    app = london(**ALB)
    cluster = Cluster(app, labelled=NOW)
    cluster.add("before-the-label", AFTER)
    assert await cluster.gates(observed(app, updated=1)) == Gates(promised=True)


async def test_gates_are_promised_by_the_namespaces_label_alone() -> None:
    app = london(**ALB)
    cluster = Cluster(app, labels={})
    cluster.add("lacks-it", AFTER)
    assert await cluster.gates(observed(app, updated=1)) == Gates(promised=False)
    plain = london(colour="green")
    assert await cluster.gates(observed(plain, updated=1)) is None


async def test_a_namespace_is_read_once_for_all_that_is_asked_within_seconds() -> None:
    app = london(**ALB)
    cluster = Cluster(app, labels={})
    reads: list[object] = []
    cluster.server.before = reads.append
    for _ in range(20):
        assert await cluster.gates(observed(app)) == Gates(promised=False)
    assert len(reads) == 1
    cluster.label(LABELLED, at=BEFORE)
    cluster.now = 10
    assert await cluster.gates(observed(app)) == Gates(promised=True)


async def test_what_may_not_be_read_is_unknown() -> None:
    app = london(**ALB)
    cluster = Cluster(app)

    def refuse(_: object) -> None:
        raise RefusedError(403, "Forbidden", "namespaces is forbidden")

    cluster.server.before = refuse
    assert await cluster.gates(observed(app)) is None


def shown(found: Observed) -> dict[str, Any]:
    blockers = dated(found.pod_blockers or (), (), at=NOW)
    return status(replace(found, pod_blockers=blockers), planned(found))


async def test_a_rollout_stands_still_for_pods_without_their_gate_and_says_what_to_do() -> None:
    app = london(**ALB)
    cluster = Cluster(app)
    cluster.add("london-1", AFTER)
    half = observed(app, updated=1, available=2)
    half = replace(half, gates=await cluster.gates(half))
    made = planned(half)
    (write,) = [
        each
        for each in made.writes
        if each.kind is DEPLOYMENT and each.manifest and "template" in each.manifest["spec"]
    ]
    assert write.manifest
    assert write.manifest["spec"]["paused"] is True
    assert made.rollout
    assert made.rollout.deadline is None
    pod_blockers = await Diagnostics(cluster.server).pod_blockers(half, delay=3)
    found = shown(replace(half, pod_blockers=pod_blockers))
    (blocker,) = found["blockers"]
    assert (blocker["reason"], blocker["object"]) == ("ReadinessGateMissing", "Pod/london-1")
    assert "delete the pod" in blocker["message"]
    assert condition(found, "Ready")["reason"] == "Blocked"
    assert "without the readiness gate" in condition(found, "Ready")["message"]
    assert condition(found, "ReadinessGates")["reason"] == "Missing"
    # With its successor's gate it goes on.
    gated = replace(half, gates=Gates(promised=True))
    assert not (planned(gated).decision or made.decision).paused  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("gates", "value", "reason", "told"),
    [
        (Gates(promised=True), "True", "Promised", "wait until"),
        (
            Gates(promised=False),
            "False",
            "NotPromised",
            "kubectl label namespace default elbv2.k8s.aws/pod-readiness-gate-inject=enabled",
        ),
        (None, "Unknown", "NotReadable", "may not read"),
    ],
)
def test_a_condition_says_whether_gates_are_promised(
    gates: Gates | None, value: str, reason: str, told: str
) -> None:
    found = condition(shown(replace(observed(london(**ALB)), gates=gates)), "ReadinessGates")
    assert (found["status"], found["reason"]) == (value, reason)
    assert told in found["message"]


def test_without_a_load_balancer_there_is_no_such_condition() -> None:
    assert condition(shown(observed(london(colour="green"))), "ReadinessGates") == {}
