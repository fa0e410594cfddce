"""Converged means silent, and a process that ends leaves nothing to repair."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from support.deadlines import eventually
from support.operator import Operator, Site, audited, wait_for_renewals, writes_in
from weather_cluster.clusters import Cluster

EVERYTHING: dict[str, Any] = {
    "replicas": 3,
    "weather": {"apiKeySecretRef": {"name": "keys"}},
    "resources": {"requests": {"cpu": "0.1", "memory": "0.1Gi"}, "limits": {"cpu": 2}},
    "service": {"type": "LoadBalancer", "annotations": {"a": "b", "empty": ""}, "port": 8080},
    "pod": {
        "labels": {"team": "clouds"},
        "annotations": {"note": ""},
        "env": [
            {"name": "A", "value": ""},
            {"name": "B"},
            {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "D", "valueFrom": {"configMapKeyRef": {"name": "s", "key": "k"}}},
        ],
        "tolerations": [
            {"operator": "Exists"},
            {"key": "a", "value": "b", "effect": "NoExecute", "tolerationSeconds": 0},
        ],
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "imagePullSecrets": [{"name": "registry"}],
        "serviceAccountName": "default",
        "priorityClassName": "system-cluster-critical",
    },
}


def end_of(log: Path) -> int:
    return log.stat().st_size


def writes(cluster: Cluster, namespace: str, since: int) -> list[str]:
    return writes_in(namespace, cluster.audit_log, since=since)


@pytest.fixture
def fleet(site: Site) -> list[Site]:
    """Sites in each state that may last."""
    sites = {
        name: Site(shell=site.shell, namespace=site.namespace, name=name)
        for name in ("plain", "everything", "off", "unknown", "suspended", "pending")
    }
    sites["plain"].apply()
    sites["everything"].apply(**EVERYTHING)
    sites["off"].apply(replicas=0)
    sites["unknown"].apply(colour="mauve")
    sites["suspended"].apply(suspend=True)
    sites["pending"].apply(service={"type": "LoadBalancer"})
    sites["plain"].wait_for("Serving")
    sites["everything"].wait_for("AddressPending")
    sites["off"].wait_for("ScaledToZero")
    sites["unknown"].wait_for("UnknownVersion")
    sites["suspended"].wait_for("Suspended")
    sites["pending"].wait_for("AddressPending")
    return list(sites.values())


@pytest.mark.usefixtures("fleet")
def test_a_converged_fleet_costs_no_write_but_the_lease(
    control_plane: Cluster, namespace: str
) -> None:
    wait_for_renewals(control_plane.audit_log, since=end_of(control_plane.audit_log), number=2)
    start = end_of(control_plane.audit_log)
    wait_for_renewals(control_plane.audit_log, since=start, number=4)
    # Of warnings about a way in nobody tells: they are looked for, ever more seldom.
    assert {
        event["objectRef"]["resource"]
        for event in audited(control_plane.audit_log, since=start)
        if event["objectRef"].get("namespace") in (None, namespace)
    } <= {"events"}
    assert writes(control_plane, namespace, start) == []


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_a_restart_writes_nothing(
    operator: Operator, control_plane: Cluster, namespace: str, ending: str
) -> None:
    done = operator.metric("weather_operator_reconciles_total")
    assert done > 0
    getattr(operator, ending)()
    start = end_of(control_plane.audit_log)
    operator.ensure_leading()
    eventually(lambda: operator.metric("weather_operator_reconciles_total") >= 6)
    eventually(lambda: operator.metric("weather_operator_queue_oldest_age_seconds") == 0)
    wait_for_renewals(control_plane.audit_log, since=start, number=3)
    assert writes(control_plane, namespace, start) == []


@pytest.mark.usefixtures("fleet")
def test_a_resync_writes_nothing(
    operator: Operator, control_plane: Cluster, namespace: str
) -> None:
    operator.stop()
    operator.environment["RESYNC_SECONDS"] = "1"
    try:
        operator.ensure_leading()
        start = end_of(control_plane.audit_log)
        wait_for_lists(control_plane, start, 3)
    finally:
        operator.stop()
        del operator.environment["RESYNC_SECONDS"]
    assert writes(control_plane, namespace, start) == []


def wait_for_lists(cluster: Cluster, since: int, number: int) -> None:
    def listed() -> bool:
        events = audited(cluster.audit_log, since=since)
        lists = [event["objectRef"]["resource"] for event in events if event["verb"] == "list"]
        return lists.count("weatherapps") >= number

    eventually(listed)


def test_applying_the_same_app_again_writes_nothing(
    site: Site, control_plane: Cluster, namespace: str
) -> None:
    site.apply()
    site.wait_for("Serving")
    wait_for_renewals(control_plane.audit_log, since=end_of(control_plane.audit_log), number=2)
    start = end_of(control_plane.audit_log)
    site.apply()
    site.kubectl("label", "wa/london", "mine=yes")
    site.kubectl("annotate", "wa/london", "mine=yes")
    wait_for_renewals(control_plane.audit_log, since=start, number=2)
    assert writes(control_plane, namespace, start) == []


def test_a_created_app_costs_one_write_for_each_child_and_two_of_status(
    site: Site, control_plane: Cluster, namespace: str
) -> None:
    start, began = end_of(control_plane.audit_log), time.monotonic()
    site.apply()
    site.wait_for("Serving")
    seconds = int(time.monotonic() - began)
    made = [each for each in writes(control_plane, namespace, start) if "/events/" not in each]
    status = [each for each in made if "/status?" in each]
    assert len(made) - len(status) == 4
    # The first and the last, and one of progress each second where it takes so long.
    assert len(status) <= 2 + seconds


def test_what_happens_while_the_operator_is_away_is_made_good(
    site: Site, operator: Operator
) -> None:
    site.apply(colour="yellow")
    other = Site(shell=site.shell, namespace=site.namespace, name="paris")
    other.apply(colour="yellow")
    site.wait_for("Serving")
    other.wait_for("Serving")
    operator.kill()
    site.apply(colour="green", replicas=3)
    site.kubectl("delete", "svc/london")
    site.kubectl("set", "image", "deploy/london", "web=other:1")
    other.kubectl("delete", "wa/paris", "--wait=true")
    other.apply(colour="red")
    operator.ensure_leading()
    eventually(lambda: site.status().get("version") == "2.0.0")
    assert site.wait_for("Serving")["ready"] == "3/3"
    assert site.find("service")
    assert other.wait_for("Serving")["version"] == "3.0.0"
    owner = other.get("deployment")["metadata"]["ownerReferences"][0]
    assert owner["uid"] == other.get()["metadata"]["uid"]


def test_pods_survive_a_restart_of_the_operator(site: Site, operator: Operator) -> None:
    site.apply()
    site.wait_for("Serving")
    pods = site.kubectl("get", "pods", "-o", "name")
    operator.stop()
    operator.ensure_leading()
    site.kubectl("scale", "wa/london", "--replicas=3")
    eventually(lambda: site.status().get("ready") == "3/3")
    assert set(pods.split()) < set(site.kubectl("get", "pods", "-o", "name").split())
    assert json.loads(site.kubectl("get", "rs", "-o", "json"))["items"][1:] == []
