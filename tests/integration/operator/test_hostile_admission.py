"""Admission that rewrites, refuses or does not answer: quiet, said, and no other child hindered."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from support.deadlines import eventually
from support.kubectl import Shell
from support.operator import Site, wait_for_renewals, writes_in
from weather_cluster.clusters import Cluster
from weather_operator.kube.resources import (
    AUTOSCALER,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    INGRESS,
    POD,
    SERVICE,
    Kind,
)

CHILDREN = (DEPLOYMENT, SERVICE, DISRUPTION_BUDGET, AUTOSCALER, INGRESS)
EVERY_CHILD = {
    "ingress": {"className": "nginx", "path": "/"},
    "autoscaling": {"minReplicas": 2, "maxReplicas": 4, "targetCPUUtilizationPercentage": 70},
}
MIRROR = """
[JSONPatch{
  op: "replace",
  path: "/spec/template/spec/containers/0/image",
  value: object.spec.template.spec.containers[0].image.startsWith("mirror.example/")
    ? object.spec.template.spec.containers[0].image
    : "mirror.example/" + object.spec.template.spec.containers[0].image
}]
"""


def rules(kind: Kind) -> list[dict[str, Any]]:
    group, _, version = kind.api_version.rpartition("/")
    return [
        {
            "apiGroups": [group],
            "apiVersions": [version],
            "operations": ["CREATE", "UPDATE"],
            "resources": [kind.plural],
        }
    ]


def in_namespace(namespace: str) -> dict[str, Any]:
    return {"matchLabels": {"kubernetes.io/metadata.name": namespace}}


class Policies:
    """Admission of one namespace, which goes with the test."""

    def __init__(self, shell: Shell, namespace: str) -> None:
        self.shell = shell
        self.namespace = namespace
        self._made: list[tuple[str, str]] = []

    def mutate(self, expression: str, kind: Kind) -> None:
        """Rewrite objects of a kind."""
        name = f"{self.namespace}-{kind.plural}"
        mutation = {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}
        spec = {
            "matchConstraints": {
                "namespaceSelector": in_namespace(self.namespace),
                "resourceRules": rules(kind),
            },
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "mutations": [mutation],
        }
        self._make("MutatingAdmissionPolicy", name, spec=spec)
        self._make("MutatingAdmissionPolicyBinding", name, spec={"policyName": name})

    def require_label(self, label: str, *kinds: Kind) -> None:
        """Refuse objects of these kinds that do not have a label."""
        name = f"{self.namespace}-{label}"
        spec = {
            "matchConstraints": {
                "namespaceSelector": in_namespace(self.namespace),
                "resourceRules": [rule for kind in kinds for rule in rules(kind)],
            },
            "failurePolicy": "Fail",
            "validations": [
                {
                    "expression": f"'{label}' in object.metadata.?labels.orValue({{}})",
                    "message": f"the label {label} is missing",
                }
            ],
        }
        binding = {"policyName": name, "validationActions": ["Deny"]}
        self._make("ValidatingAdmissionPolicy", name, spec=spec)
        self._make("ValidatingAdmissionPolicyBinding", name, spec=binding)

    def break_webhook(self, kind: Kind) -> None:
        """Ask, for every write of a kind, a webhook that is down."""
        webhook = {
            "name": "down.example.com",
            "rules": rules(kind),
            "namespaceSelector": in_namespace(self.namespace),
            "clientConfig": {"url": "https://127.0.0.1:1/"},
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 2,
            "reinvocationPolicy": "Never",
        }
        name = f"{self.namespace}-{kind.plural}"
        self._make("MutatingWebhookConfiguration", name, webhooks=[webhook])

    def remove(self) -> None:
        for kind, name in self._made:
            self.shell.kubectl("delete", kind, name, "--ignore-not-found")
        self._made.clear()

    def _make(self, kind: str, name: str, **fields: Any) -> None:
        self._made.insert(0, (kind, name))
        version = self.shell.version_of(kind)
        manifest = {"apiVersion": version, "kind": kind, "metadata": {"name": name}}
        self.shell.apply({**manifest, **fields})


@pytest.fixture
def policies(shell: Shell, namespace: str) -> Iterator[Policies]:
    made = Policies(shell, namespace)
    yield made
    made.remove()


def is_silent(cluster: Cluster, namespace: str, renewals: int = 3) -> bool:
    """Whether the operator writes nothing in a namespace while it renews its Lease so often."""
    since = cluster.audit_log.stat().st_size
    wait_for_renewals(cluster.audit_log, since=since, number=renewals)
    return not writes_in(namespace, cluster.audit_log, since=since)


def test_an_image_that_a_policy_rewrites_is_said_and_served_upgraded_and_rolled_back(
    site: Site, policies: Policies, control_plane: Cluster
) -> None:
    policies.mutate(MIRROR, DEPLOYMENT)
    eventually(lambda: _is_mirrored(site))
    since = control_plane.audit_log.stat().st_size
    site.apply()
    site.wait_for("FieldOverridden")
    assert site.condition("Ready")["status"] == "True"
    found = site.blocker("FieldOverridden")
    assert found["object"] == "Deployment/london"
    assert "containers[web].image is mirror.example/weather:1.0.0 instead of" in found["message"]
    written = writes_in(site.namespace, control_plane.audit_log, since=since)
    assert len([each for each in written if "/deployments/" in each]) < 10
    eventually(partial(is_silent, control_plane, site.namespace))
    site.apply(colour="green")
    eventually(lambda: site.status().get("colour") == "green")
    site.wait_for("FieldOverridden")
    image = "mirror.example/weather:2.0.0"
    containers = site.get("deployment")["spec"]["template"]["spec"]["containers"]
    assert containers[0]["image"] == image


def _is_mirrored(site: Site) -> bool:
    """Whether the policy is in force, which is a moment after it was made."""
    container = {"name": "web", "image": "probe"}
    labels = {"app": "probe"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "probe", "namespace": site.namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
    site.shell.apply(deployment)
    made = site.get("deployment", "probe")["spec"]["template"]["spec"]["containers"][0]["image"]
    site.kubectl("delete", "deployment", "probe")
    return bool(made == "mirror.example/probe")


@pytest.mark.parametrize("cpu", ["100u", "0.0005", "1.0001"])
def test_a_quantity_that_the_api_server_rounds_is_quiet(
    site: Site, cpu: str, control_plane: Cluster
) -> None:
    site.apply(resources={"requests": {"cpu": cpu, "memory": "64Mi"}})
    site.wait_for("Serving")
    eventually(partial(is_silent, control_plane, site.namespace))


def test_labels_that_a_policy_asks_for_are_given_in_the_spec(
    site: Site, policies: Policies
) -> None:
    policies.require_label("team", *CHILDREN, POD)
    probe = ("create", "service", "clusterip", "probe", "--tcp=80", "--dry-run=server")
    words = ("kubectl", "-n", site.namespace, *probe)
    eventually(lambda: "the label team is missing" in site.shell.run(*words).stderr)
    site.apply(**EVERY_CHILD)
    site.wait_for("AdmissionDenied")
    refused = {each["object"] for each in site.status()["blockers"]}
    # An autoscaler comes after what it scales.
    assert refused == {f"{kind.name}/london" for kind in CHILDREN if kind is not AUTOSCALER}
    assert "the label team is missing" in site.blocker("AdmissionDenied")["message"]
    labels = {"team": "weather"}
    site.apply(**EVERY_CHILD, labels=labels, pod={"labels": labels})
    site.wait_for("AddressPending")
    for colour in ("green", "yellow"):
        site.apply(**EVERY_CHILD, labels=labels, pod={"labels": labels}, colour=colour)
        eventually(lambda: site.status().get("colour") == colour)  # noqa: B023


@pytest.mark.parametrize("kind", CHILDREN, ids=lambda kind: kind.name)
def test_a_webhook_that_is_down_for_one_kind_hinders_no_other_and_is_named(
    site: Site, policies: Policies, kind: Kind
) -> None:
    policies.break_webhook(kind)
    eventually(lambda: _is_refused(site, kind))
    site.apply(**EVERY_CHILD)
    site.wait_for("WebhookUnavailable")
    found = site.blocker("WebhookUnavailable")
    assert found["object"] == f"{kind.name}/london"
    assert "down.example.com" in found["message"]
    expected = set(CHILDREN) - {kind}
    if kind is DEPLOYMENT:
        expected.remove(AUTOSCALER)  # there is nothing to scale
    eventually(lambda: {each for each in CHILDREN if site.find(each.plural)} == expected)
    policies.remove()
    site.wait_for("AddressPending")
    assert site.find(kind.plural)


def _is_refused(site: Site, kind: Kind) -> bool:
    metadata = {"name": "probe", "namespace": site.namespace}
    manifest = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, "spec": {}}
    words = ("kubectl", "create", "--validate=false", "-f", "-")
    return "down.example.com" in site.shell.run(*words, text=json.dumps(manifest)).stderr


def test_a_field_that_somebody_changes_all_the_time_is_put_back_ever_later(
    site: Site, control_plane: Cluster
) -> None:
    site.apply()
    site.wait_for("Serving")
    since = control_plane.audit_log.stat().st_size
    label = ("label", "--overwrite", "svc/london", "app.kubernetes.io/name=theirs")
    for _ in range(40):
        site.kubectl(*label)
    found = eventually(lambda: site.blocker("FieldOverridden"))
    assert found["object"] == "Service/london"
    named = "metadata.labels.app.kubernetes.io/name is theirs instead of weather, by kubectl-label"
    assert found["message"] == named

    def put_back() -> int:
        written = writes_in(site.namespace, control_plane.audit_log, since=since)
        return len([each for each in written if "/services/" in each])

    eventually(lambda: put_back() >= 2)
    site.wait_for("Serving")
    assert put_back() <= 8
