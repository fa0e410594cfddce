"""What people and tools do to a site's objects: adopted, borne or put right, and said."""

import json
from functools import partial

import pytest
from support.deadlines import eventually
from support.operator import Operator, Site
from weather_operator.model import FIELD_MANAGER

KINDS = ("deployment", "service", "poddisruptionbudget")


@pytest.fixture
def london(site: Site) -> Site:
    """A site that serves."""
    site.apply()
    site.wait_for("Serving")
    return site


def pods(site: Site) -> set[str]:
    found = site.shell.get("-n", site.namespace, "pods")["items"]
    return {each["metadata"]["uid"] for each in found}


def test_an_autoscaler_of_somebody_elses_sets_the_number_and_is_named(london: Site) -> None:
    london.kubectl("autoscale", "deployment/london", "--min=4", "--max=4")
    london.wait_for("AutoscalerConflict")
    assert london.condition("Ready")["status"] == "True"
    found = london.blocker("AutoscalerConflict")
    assert found["object"] == "HorizontalPodAutoscaler/london"
    london.kubectl("scale", "deployment/london", "--replicas=4")
    eventually(lambda: london.status().get("ready") == "4/4")
    london.apply(colour="green")
    eventually(lambda: london.status().get("colour") == "green")
    assert london.get("deployment")["spec"]["replicas"] == 4
    london.kubectl("delete", "hpa", "london")
    london.wait_for("Serving")
    eventually(lambda: london.status().get("ready") == "2/2")


def test_an_owner_that_is_taken_off_is_put_back_at_once(london: Site) -> None:
    patch = json.dumps([{"op": "remove", "path": "/metadata/ownerReferences"}])
    london.kubectl("patch", "service", "london", "--type=json", "-p", patch)
    eventually(lambda: london.get("service")["metadata"].get("ownerReferences"))


def test_a_service_account_that_is_taken_away_is_gone(london: Site) -> None:
    london.kubectl("create", "serviceaccount", "pages")
    london.apply(pod={"serviceAccountName": "pages"})
    eventually(lambda: _service_account(london) == "pages")
    london.apply()
    eventually(lambda: _service_account(london) == "default")
    london.wait_for("Serving")


def _service_account(site: Site) -> str:
    return str(site.get("deployment")["spec"]["template"]["spec"]["serviceAccountName"])


def test_a_site_of_no_pods_starts_none(site: Site) -> None:
    site.apply(replicas=0)
    site.wait_for("ScaledToZero")
    assert site.shell.get("-n", site.namespace, "replicasets")["items"][0]["spec"]["replicas"] == 0
    events = site.shell.get("-n", site.namespace, "events")["items"]
    assert not [each for each in events if each["reason"] == "SuccessfulCreate"]


def test_a_site_that_was_orphaned_is_taken_over_by_a_new_app_of_the_name(london: Site) -> None:
    before = pods(london)
    london.kubectl("delete", "weatherapp", "london", "--cascade=orphan")
    london.apply()
    london.wait_for("Serving")
    assert pods(london) == before
    uid = london.get()["metadata"]["uid"]
    for kind in KINDS:
        assert london.get(kind)["metadata"]["ownerReferences"][0]["uid"] == uid


def test_what_a_backup_brings_back_is_adopted_without_a_restart(
    london: Site, operator: Operator
) -> None:
    before = pods(london)
    london.kubectl("delete", "weatherapp", "london", "--cascade=orphan")
    operator.stop()
    for kind in KINDS:
        eventually(partial(_is_orphaned, london, kind))
        strip = [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]
        london.kubectl("patch", kind, "london", "--type=json", "-p", json.dumps(strip))
    operator.ensure_leading()
    london.apply()
    london.wait_for("Serving")
    assert pods(london) == before
    # What the app does not say any more can be taken away again: nobody else owns it.
    london.apply(service={"annotations": {"a": "b"}})
    eventually(lambda: _annotation(london) == "b")
    london.apply()
    eventually(lambda: _annotation(london) is None)
    for kind in KINDS:
        managers = {
            entry["manager"]
            for entry in london.shell.get(
                "-n", london.namespace, kind, "london", "--show-managed-fields"
            )["metadata"]["managedFields"]
            if "subresource" not in entry
        }
        assert managers <= {FIELD_MANAGER, f"{FIELD_MANAGER}-replicas"}


def _is_orphaned(site: Site, kind: str) -> bool:
    return "ownerReferences" not in site.get(kind)["metadata"]


def _annotation(site: Site) -> str | None:
    value: str | None = site.get("service")["metadata"].get("annotations", {}).get("a")
    return value


def test_a_service_that_hangs_in_its_deletion_is_said_and_made_anew(london: Site) -> None:
    add = json.dumps({"metadata": {"finalizers": ["example.com/balancer"]}})
    london.kubectl("patch", "service", "london", "--type=merge", "-p", add)
    london.kubectl("delete", "service", "london", "--wait=false")
    london.wait_for("WaitingForDeletion")
    found = london.blocker("WaitingForDeletion")
    assert found["object"] == "Service/london"
    assert "example.com/balancer" in found["message"]
    london.apply(colour="green")
    eventually(lambda: london.status().get("colour") == "green")
    remove = json.dumps({"metadata": {"finalizers": None}})
    london.kubectl("patch", "service", "london", "--type=merge", "-p", remove)
    london.wait_for("Serving")


def test_a_predecessors_service_that_hangs_is_said(london: Site) -> None:
    add = json.dumps({"metadata": {"finalizers": ["example.com/balancer"]}})
    london.kubectl("patch", "service", "london", "--type=merge", "-p", add)
    london.kubectl("delete", "weatherapp", "london")
    eventually(lambda: "deletionTimestamp" in london.get("service")["metadata"])
    london.apply(colour="green")
    london.wait_for("WaitingForDeletion")
    eventually(lambda: london.status().get("colour") == "green")
    remove = json.dumps({"metadata": {"finalizers": None}})
    london.kubectl("patch", "service", "london", "--type=merge", "-p", remove)
    london.wait_for("Serving")


def test_a_second_disruption_budget_is_named(london: Site) -> None:
    selector = {"matchLabels": {"app.kubernetes.io/instance": "london"}}
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "theirs", "namespace": london.namespace},
        "spec": {"minAvailable": 1, "selector": selector},
    }
    london.shell.apply(budget)
    london.wait_for("DisruptionBudgetConflict")
    assert london.condition("Ready")["status"] == "True"
    london.kubectl("delete", "poddisruptionbudget", "theirs")
    london.wait_for("Serving")
