"""A node is drained while people look at the page."""

import os
from collections.abc import Iterator
from functools import partial

import pytest
from support.clusters import running_cluster
from support.deadlines import eventually
from support.http import fetch
from support.kubectl import Shell
from weather_cluster.demo import Client

APP = {
    "apiVersion": "weather.quantspark.io/v1",
    "kind": "WeatherApp",
    "metadata": {"name": "london", "namespace": "default"},
    "spec": {"city": "London", "colour": "yellow", "service": {"type": "NodePort"}},
}


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Shell]:
    """The operator on two real nodes."""
    if os.geteuid():
        pytest.skip("a cluster with real nodes needs root")
    with running_cluster("two-nodes", nodes=2) as cluster:
        shell = Shell.of(cluster)
        for target in ("push", "install"):
            made = shell.run("make", target, f"REGISTRY={cluster.registry}")
            assert made.returncode == 0, made.stdout + made.stderr
        yield shell


def nodes_of_the_app(shell: Shell) -> list[str]:
    pods = shell.get("pods", "-l", "app.kubernetes.io/instance=london")["items"]
    return sorted(pod["spec"]["nodeName"] for pod in pods if _is_ready(pod))


def are_all_on(shell: Shell, node: str) -> bool:
    return nodes_of_the_app(shell) == [node, node]


def _is_ready(pod: dict[str, dict[str, object]]) -> bool:
    conditions = pod["status"].get("conditions", ())
    assert isinstance(conditions, list | tuple)
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def test_a_drained_node_costs_no_request(two_nodes: Shell) -> None:
    two_nodes.apply(APP)
    two_nodes.kubectl("wait", "wa/london", "--for=condition=Ready", "--timeout=120s")
    first, second = sorted(each["metadata"]["name"] for each in two_nodes.get("nodes")["items"])
    eventually(lambda: nodes_of_the_app(two_nodes) == [first, second])
    url = two_nodes.get("wa", "london")["status"]["url"]
    # The node's rules follow the pods a moment later.
    eventually(lambda: fetch(url))
    with Client(url) as client:
        for node, other in ((second, first), (first, second)):
            drain = ("--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s")
            two_nodes.kubectl("drain", node, *drain)
            eventually(partial(are_all_on, two_nodes, other))
            two_nodes.kubectl("uncordon", node)
        served = client.sent
        eventually(lambda: client.sent > served + 50)
    assert client.failures == []
