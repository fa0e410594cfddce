"""What other tools of a cluster do as a habit, each known from reports about other operators."""

import json
from functools import partial
from typing import Any

import pytest
from support.deadlines import eventually
from support.kubectl import own_namespace
from support.operator import (
    Operator,
    Site,
    wait_for_renewals,
    wait_until_silent,
    weather_app,
    writes_in,
)
from weather_cluster.clusters import Cluster

CHILDREN = ("deployment", "service", "poddisruptionbudget")


@pytest.fixture
def london(site: Site) -> Site:
    """A site that serves."""
    site.apply()
    site.wait_for("Serving")
    return site


def merge(site: Site, kind: str, patch: dict[str, Any], *more: str) -> None:
    site.kubectl("patch", kind, "london", "--type=merge", "-p", json.dumps(patch), *more)


def has_rolled_out(deployment: dict[str, Any]) -> bool:
    """Whether all pods are of the template that the Deployment has now."""
    spec, status = deployment["spec"], deployment["status"]
    if status["observedGeneration"] != deployment["metadata"]["generation"]:
        return False
    return bool(status.get("updatedReplicas") == status["replicas"] == spec["replicas"])


def silent(site: Site, plane: Cluster) -> list[str]:
    """What is written into the site's namespace until the Lease was renewed twice."""
    since = plane.audit_log.stat().st_size
    wait_for_renewals(plane.audit_log, since=since, number=2)
    return writes_in(site.namespace, plane.audit_log, since=since)


def test_a_reloader_may_restart_the_pods_and_its_mark_stays(
    london: Site, control_plane: Cluster
) -> None:
    mark = {"example.com/last-reloaded-from": "a secret"}
    before = london.get("deployment")["metadata"]["generation"]
    merge(london, "deployment", {"spec": {"template": {"metadata": {"annotations": mark}}}})
    eventually(lambda: has_rolled_out(london.get("deployment")))
    london.wait_for("Serving")
    wait_until_silent(london.namespace, control_plane.audit_log)
    live = london.get("deployment")
    assert live["metadata"]["generation"] == before + 1
    assert mark.items() <= live["spec"]["template"]["metadata"]["annotations"].items()
    london.apply(colour="green")
    eventually(lambda: london.status().get("colour") == "green")


def test_an_inventory_that_labels_every_object_leads_to_no_write(
    london: Site, control_plane: Cluster
) -> None:
    wait_until_silent(london.namespace, control_plane.audit_log)
    since = control_plane.audit_log.stat().st_size
    for kind in ("weatherapp", *CHILDREN):
        london.kubectl("label", kind, "london", "example.com/inventory=x")
        # Of a Deployment the API server takes an annotation for a change of what it is to do.
        if kind != "deployment":
            london.kubectl("annotate", kind, "london", f"example.com/note={'x' * 10_000}")
    assert silent(london, control_plane) == []
    assert writes_in(london.namespace, control_plane.audit_log, since=since) == []


def test_a_condition_of_somebody_elses_stays_in_the_status(
    london: Site, control_plane: Cluster
) -> None:
    theirs = {
        "type": "Synced",
        "status": "True",
        "reason": "Synced",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    conditions = [*london.status()["conditions"], theirs]
    merge(london, "weatherapp", {"status": {"conditions": conditions}}, "--subresource=status")
    london.apply(colour="green")
    eventually(lambda: london.status().get("colour") == "green")
    london.wait_for("Serving")
    assert london.condition("Synced") == theirs
    wait_until_silent(london.namespace, control_plane.audit_log)


def test_a_namespace_that_ends_holds_up_no_other_and_is_no_error(
    london: Site, operator: Operator
) -> None:
    lines = len(operator.lines())
    with own_namespace(london.shell, "ends") as name:
        for number in range(5):
            london.shell.apply(weather_app(f"app-{number}", name))
    london.apply(colour="green")
    eventually(lambda: london.status().get("colour") == "green")
    eventually(lambda: london.shell.run("kubectl", "get", "namespace", name).returncode == 1)
    said = [line for line in operator.lines()[lines:] if line["level"] == "ERROR"]
    assert said == []


def test_a_site_made_and_deleted_again_and_again_ends_as_it_was_asked_for(site: Site) -> None:
    for colour in ("yellow", "green", "red", "yellow", "green", "red", "green"):
        site.apply(colour=colour)
        site.kubectl("delete", "weatherapp", "london", "--wait=false")
    eventually(partial(_applied, site, "red"))
    eventually(lambda: site.status().get("colour") == "red")
    site.wait_for("Serving")
    uid = site.get()["metadata"]["uid"]
    for kind in CHILDREN:
        assert [each["uid"] for each in site.get(kind)["metadata"]["ownerReferences"]] == [uid]


def _applied(site: Site, colour: str) -> bool:
    site.apply(colour=colour)
    return "deletionTimestamp" not in site.get()["metadata"]


def test_a_user_who_cannot_decide_gets_what_was_asked_for_last(london: Site) -> None:
    for colour in ("green", "red", "yellow") * 5:
        london.apply(colour=colour)
    london.apply(colour="red")
    eventually(lambda: london.status().get("colour") == "red")
    status = london.wait_for("Serving")
    assert not status.get("failedRevisions")


def test_an_owner_beside_ours_stays(london: Site, control_plane: Cluster) -> None:
    london.kubectl("create", "configmap", "release")
    uid = london.get("configmap", "release")["metadata"]["uid"]
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "name": "release", "uid": uid}
    add = [{"op": "add", "path": "/metadata/ownerReferences/-", "value": theirs}]
    london.kubectl("patch", "service", "london", "--type=json", "-p", json.dumps(add))
    london.apply(service={"port": 8080})
    eventually(lambda: ":8080" in london.status()["url"])
    assert theirs in london.get("service")["metadata"]["ownerReferences"]
    wait_until_silent(london.namespace, control_plane.audit_log)
    assert theirs in london.get("service")["metadata"]["ownerReferences"]


def test_an_app_that_waits_for_somebodys_finalizer_is_left_alone(
    london: Site, control_plane: Cluster
) -> None:
    wait_until_silent(london.namespace, control_plane.audit_log)
    merge(london, "weatherapp", {"metadata": {"finalizers": ["example.com/waits"]}})
    london.kubectl("delete", "weatherapp", "london", "--wait=false")
    london.kubectl("scale", "deployment/london", "--replicas=3")
    assert silent(london, control_plane) == []
    merge(london, "weatherapp", {"metadata": {"finalizers": None}})
    eventually(lambda: london.find("deployment") is None)


def test_a_replica_set_that_is_deleted_costs_no_version(london: Site) -> None:
    london.kubectl("delete", "replicasets", "--all")
    eventually(lambda: london.status().get("ready") == "2/2" and london.reason() == "Serving")
    london.apply(colour="green")
    eventually(lambda: london.status().get("colour") == "green")
    assert not london.status().get("failedRevisions")


def test_a_deployment_made_anew_with_another_selector_is_named(
    london: Site, operator: Operator
) -> None:
    live = london.get("deployment")
    labels = {"app": "theirs"}
    theirs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "london",
            "namespace": london.namespace,
            "labels": live["metadata"]["labels"],
            "ownerReferences": live["metadata"]["ownerReferences"],
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": "weather:theirs"}]},
            },
        },
    }
    # Whoever makes it anew has to be quicker than the operator, or find it away.
    operator.stop()
    london.kubectl("delete", "deployment", "london", "--cascade=orphan")
    london.kubectl("create", "-f", "-", text=json.dumps(theirs))
    operator.ensure_leading()

    def named() -> bool:
        found = london.status().get("blockers", [])
        said = [each["message"] for each in found if each.get("object") == "Deployment/london"]
        return any("selector" in each for each in said)

    eventually(named)
    assert london.get("deployment")["spec"]["selector"] == {"matchLabels": labels}
    london.kubectl("delete", "deployment", "london")
    london.wait_for("Serving")
