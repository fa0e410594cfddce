"""What others do to our children, and what is put back and what is left alone."""

import json
from typing import Any

import pytest
from support.deadlines import eventually
from support.operator import Site

KINDS = ("deployment", "service", "poddisruptionbudget")


@pytest.fixture
def london(site: Site) -> Site:
    """A site that serves."""
    site.apply()
    site.wait_for("Serving")
    return site


def corrected(site: Site, words: str) -> bool:
    return any(words in event["message"] for event in site.events("DriftCorrected"))


def live(site: Site, kind: str, *path: str | int) -> Any:
    value: Any = site.get(kind)
    for step in path:
        value = value[step] if isinstance(step, int) else value.get(step)
    return value


EDITS: list[tuple[tuple[str, ...], tuple[str, tuple[str | int, ...], Any], str]] = [
    (
        ("set", "image", "deploy/london", "web=other:1"),
        ("deployment", ("spec", "template", "spec", "containers", 0, "image"), "weather:1.0.0"),
        "spec.template.spec.containers[web].image",
    ),
    (
        ("scale", "deploy/london", "--replicas=5"),
        ("deployment", ("spec", "replicas"), 2),
        "spec.replicas",
    ),
    (
        ("rollout", "pause", "deploy/london"),
        ("deployment", ("spec", "paused"), None),
        "spec.paused",
    ),
    (
        ("label", "deploy/london", "app.kubernetes.io/component-"),
        ("deployment", ("metadata", "labels", "app.kubernetes.io/component"), "web"),
        "metadata.labels.app.kubernetes.io/component",
    ),
    (
        ("label", "--overwrite", "svc/london", "app.kubernetes.io/managed-by=me"),
        ("service", ("metadata", "labels", "app.kubernetes.io/managed-by"), "weather-operator"),
        "metadata.labels.app.kubernetes.io/managed-by",
    ),
    (
        ("set", "resources", "deploy/london", "--limits=memory=1Gi"),
        (
            "deployment",
            ("spec", "template", "spec", "containers", 0, "resources", "limits", "memory"),
            "192Mi",
        ),
        "resources.limits.memory",
    ),
    (
        ("patch", "svc/london", "-p", '{"spec": {"type": "NodePort"}}'),
        ("service", ("spec", "type"), "ClusterIP"),
        "spec.type",
    ),
    (
        ("patch", "pdb/london", "-p", '{"spec": {"maxUnavailable": 2}}'),
        ("poddisruptionbudget", ("spec", "maxUnavailable"), 1),
        "spec.maxUnavailable",
    ),
]


@pytest.mark.parametrize(("edit", "expected", "named"), EDITS, ids=[each[2] for each in EDITS])
def test_a_field_of_ours_is_put_back_and_the_event_names_it(
    london: Site,
    edit: tuple[str, ...],
    expected: tuple[str, tuple[str | int, ...], Any],
    named: str,
) -> None:
    kind, path, value = expected
    london.kubectl(*edit)
    eventually(lambda: live(london, kind, *path) == value)
    eventually(lambda: corrected(london, named))


@pytest.mark.parametrize("kind", KINDS)
def test_a_deleted_child_comes_back_and_an_event_says_so(london: Site, kind: str) -> None:
    uid = london.get(kind)["metadata"]["uid"]
    london.kubectl("delete", kind, "london", "--wait=true")
    eventually(lambda: (found := london.find(kind)) and found["metadata"]["uid"] != uid)
    name = london.get(kind)["kind"]
    eventually(lambda: corrected(london, f"{name} was deleted and is made again"))
    london.wait_for("Serving")


def test_a_pod_that_is_deleted_is_replaced(london: Site) -> None:
    pods = london.kubectl("get", "pods", "-o", "name").split()
    london.kubectl("delete", pods[0])

    def replaced() -> bool:
        now = london.kubectl("get", "pods", "-o", "name").split()
        return len(now) == 2 and pods[0] not in now and london.status().get("ready") == "2/2"

    eventually(replaced)


def test_what_others_add_stays(london: Site) -> None:
    london.kubectl("label", "deploy/london", "team=clouds")
    london.kubectl("annotate", "svc/london", "example.com/x=y")
    london.kubectl("set", "env", "deploy/london", "EXTRA=1")
    london.kubectl("rollout", "restart", "deploy/london")
    london.kubectl("rollout", "status", "deploy/london", "--timeout=120s")
    london.apply(colour="green")
    london.wait_for("Serving")
    deployment = london.get("deployment")
    template = deployment["spec"]["template"]
    names = [each["name"] for each in template["spec"]["containers"][0]["env"]]
    assert deployment["metadata"]["labels"]["team"] == "clouds"
    assert london.get("service")["metadata"]["annotations"]["example.com/x"] == "y"
    assert "EXTRA" in names
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
    assert not london.events("DriftCorrected")


@pytest.mark.parametrize("kind", ["deployment", "service"])
def test_a_child_that_lost_our_label_is_found_and_followed_again(london: Site, kind: str) -> None:
    label = "app.kubernetes.io/managed-by"
    london.kubectl("label", kind, "london", f"{label}-")
    eventually(lambda: live(london, kind, "metadata", "labels", label) == "weather-operator")
    london.apply(replicas=3)
    eventually(lambda: london.reason() == "Serving" and london.status()["ready"] == "3/3")
    assert london.status()["url"]


def test_the_undo_of_a_rollout_is_undone(london: Site) -> None:
    london.apply(colour="green")
    london.wait_for("Serving")
    london.kubectl("rollout", "undo", "deploy/london")
    path = ("spec", "template", "spec", "containers", 0, "image")
    eventually(lambda: live(london, "deployment", *path) == "weather:2.0.0")


def test_a_status_that_was_edited_is_put_right(london: Site) -> None:
    patch = json.dumps({"status": {"version": "9.9.9", "ready": "7/7"}})
    london.kubectl("patch", "wa/london", "--subresource=status", "--type=merge", "-p", patch)
    eventually(lambda: london.status().get("ready") == "2/2")


def test_a_field_edited_while_suspended_is_left_alone_until_it_is_over(london: Site) -> None:
    london.apply(suspend=True)
    status = london.wait_for("Suspended")
    assert status["version"] == "1.0.0"
    london.kubectl("scale", "deploy/london", "--replicas=3")
    eventually(lambda: london.status().get("ready") == "3/3")
    london.kubectl("delete", "pdb/london")
    london.apply(suspend=True, colour="green")
    eventually(lambda: london.status().get("desiredVersion") == "2.0.0")
    assert london.find("poddisruptionbudget") is None
    assert live(london, "deployment", "spec", "replicas") == 3
    assert london.status()["version"] == "1.0.0"
    london.apply(colour="green")
    assert london.wait_for("Serving")["ready"] == "2/2"
    assert london.find("poddisruptionbudget")


FOREIGN = {
    "deployment": {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {
            "selector": {"matchLabels": {"mine": "yes"}},
            "template": {
                "metadata": {"labels": {"mine": "yes"}},
                "spec": {"containers": [{"name": "mine", "image": "mine:1"}]},
            },
        },
    },
    "service": {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 1}]}},
    "poddisruptionbudget": {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"mine": "yes"}}},
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_of_somebody_else_is_a_conflict_and_stays_untouched(
    site: Site, kind: str
) -> None:
    metadata = {"name": "london", "namespace": site.namespace}
    site.shell.apply({**FOREIGN[kind], "metadata": metadata})
    before = site.get(kind)["metadata"]["generation"] if kind != "service" else None
    site.apply()
    status = site.wait_for("NameConflict")
    name = FOREIGN[kind]["kind"]
    assert f"there is a {name} london that the operator did not make" in str(status["blockers"])
    assert site.condition("Stalled")["status"] == "True"
    assert not site.get(kind)["metadata"].get("ownerReferences")
    if before is not None:
        assert site.get(kind)["metadata"]["generation"] == before
    site.kubectl("delete", kind, "london")
    assert "blockers" not in site.wait_for("Serving")


def test_a_service_of_another_owner_is_named_with_its_owner(site: Site) -> None:
    site.kubectl("create", "configmap", "owner")
    owner = site.get("configmap", "owner")
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "owner",
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    metadata = {"name": "london", "namespace": site.namespace, "ownerReferences": [reference]}
    site.shell.apply({**FOREIGN["service"], "metadata": metadata})
    site.apply()
    status = site.wait_for("NameConflict")
    assert "there is a Service london of ConfigMap owner" in str(status["blockers"])
