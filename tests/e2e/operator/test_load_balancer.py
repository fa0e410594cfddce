"""Behind load balancers with the manners of AWS no request is lost, with readiness gates or not."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.background import running
from support.deadlines import eventually
from support.kubectl import ROOT, Shell, own_namespace
from support.load_balancer import GATE, address_of
from support.operator import Site
from weather_cluster import network
from weather_cluster.clusters import Cluster
from weather_cluster.demo import Client

GATES_BY_LABEL = "elbv2.k8s.aws/pod-readiness-gate-inject"
AT_ONCE = {"maxSurge": "100%"}
SLOW = ("--first-check=15", "--lag=10")
"""The slowest that was measured on the real one: seconds from registration to the first health
check, and from the control plane to the data plane."""


def inject_gates(shell: Shell) -> None:
    """Give each new pod in a labelled namespace a readiness gate, as the controller's webhook."""
    value = f'[{{"conditionType": "{GATE}/k8s-london"}}]'
    gate = f'[JSONPatch{{op: "add", path: "/spec/readinessGates", value: {value}}}]'
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["pods"],
        "operations": ["CREATE"],
    }
    match = {
        "namespaceSelector": {"matchLabels": {GATES_BY_LABEL: "enabled"}},
        "resourceRules": [rule],
    }
    spec = {
        "matchConstraints": match,
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": gate}}],
        "reinvocationPolicy": "Never",
    }
    policy = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": "gates"}}
    shell.apply({**policy, "kind": "MutatingAdmissionPolicy", "spec": spec})
    binding = {"policyName": "gates"}
    shell.apply({**policy, "kind": "MutatingAdmissionPolicyBinding", "spec": binding})


@contextmanager
def load_balancers(
    shell: Shell, cluster: Cluster, namespace: str, directory: Path, *options: str
) -> Iterator[None]:
    """Load balancers for the Ingresses of a namespace, in the network of the node."""
    assert cluster.number
    (node,) = network.nodes_of(cluster.number, 1)
    socket = directory / f"{namespace}.sock"
    proxy = ["kubectl", "proxy", f"--unix-socket={socket}"]
    program = [
        sys.executable,
        "-m",
        "support.load_balancer",
        str(socket),
        prefix(cluster),
        namespace,
    ]
    environment = {**shell.environment, "PYTHONPATH": str(ROOT / "tests")}
    with running(proxy, environment=shell.environment):
        eventually(socket.exists)
        with running([*node.enter, *program, *options], environment=environment):
            yield


def prefix(cluster: Cluster) -> str:
    """The network of the cluster's nodes, without the last number."""
    return f"10.231.{cluster.number}"


def has_gates(site: Site) -> bool:
    pods: list[dict[str, Any]] = site.shell.get("-n", site.namespace, "pods")["items"]
    return all(pod["spec"].get("readinessGates") for pod in pods)


@pytest.fixture
def sites(
    installed: Shell, namespace: str, node_cluster: Cluster, tmp_path: Path
) -> Iterator[list[Site]]:
    """A site in a namespace without readiness gates, and one where pods have them."""
    inject_gates(installed)
    with ExitStack() as stack:
        gated = stack.enter_context(own_namespace(installed, "gated"))
        installed.kubectl("label", "namespace", gated, f"{GATES_BY_LABEL}=enabled")
        for number, each in ((101, namespace), (121, gated)):
            options = (*SLOW, f"--first-number={number}")
            stack.enter_context(load_balancers(installed, node_cluster, each, tmp_path, *options))
        yield [Site(shell=installed, namespace=each) for each in (namespace, gated)]
    for kind in ("mutatingadmissionpolicybinding", "mutatingadmissionpolicy"):
        installed.kubectl("delete", kind, "gates")


def apply(sites: list[Site], **spec: Any) -> None:
    for site in sites:
        site.apply(ingress={"className": "alb"}, rollout=AT_ONCE, **spec)


@pytest.mark.timeout(600)  # as slow as the real ones, and the first test of a run installs all
def test_no_request_is_lost_in_an_upgrade_or_when_pods_go(
    sites: list[Site], node_cluster: Cluster
) -> None:
    apply(sites, colour="yellow")
    for site in sites:
        site.wait_for("Serving", seconds=120)
    assert [has_gates(site) for site in sites] == [False, True]
    with ExitStack() as stack:
        clients = [stack.enter_context(client_of(site, node_cluster)) for site in sites]
        eventually(lambda: all(each.served["yellow"] > 20 for each in clients), seconds=60)
        before = [len(each.failures) for each in clients]
        apply(sites, colour="green", replicas=3)
        for site in sites:
            eventually(lambda: site.status().get("version") == "2.0.0", seconds=120)  # noqa: B023
        apply(sites, colour="green", replicas=1)
        for site in sites:
            eventually(lambda: site.status().get("ready") == "1/1", seconds=60)  # noqa: B023
        for client in clients:
            sent = client.sent + 500
            eventually(lambda: client.sent > sent, seconds=60)  # noqa: B023
    for client, count in zip(clients, before, strict=True):
        assert client.served["green"] > 500
        assert client.failures[count:] == []


def client_of(site: Site, cluster: Cluster) -> Client:
    """Somebody who reads a site through its load balancer all the time."""
    name = site.get("ingress")["status"]["loadBalancer"]["ingress"][0]["hostname"]
    return Client(f"http://{address_of(name, prefix(cluster))}/")
