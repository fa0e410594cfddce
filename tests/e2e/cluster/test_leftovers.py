"""What is on the machine before `up` and after `down`, and nothing else."""

import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import machine
from support.clusters import start_up, unique_name
from support.deadlines import eventually
from support.http import fetch
from support.kubectl import Shell
from weather_cluster import clusters, images, network, processes, settings

pytestmark = pytest.mark.skipif(bool(os.geteuid()), reason="a cluster with real nodes needs root")


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a cluster that is gone after the test, however far it came."""
    name = unique_name(f"left-{abs(hash(request.node.name)) % 1000}")
    yield name
    directory = settings.from_environment().clusters / name
    if directory.exists() or any(network.allocated(directory)):
        clusters.down(name)


class Before:
    """The machine as it was, to be compared with what it is."""

    def __init__(self) -> None:
        others = "|".join(
            rf"weather(-cluster)?-{link.name.removeprefix('weather-cluster-')}\b"
            for link in network.allocations()
        )
        # Clusters of other test runs, and image builds, come and go meanwhile.
        self._others = re.compile(rf"containers/storage|10\.231\.|{others or '(?!)'}")
        self._things = machine.things(self._others)

    def assert_same(self, number: int) -> None:
        """What the cluster of this number could have left is not there."""
        now = machine.things(self._others)
        own = {t for t in now - self._things if not self._of_another(t, number)}
        assert own == set()
        assert not list(Path("/sys/fs/cgroup").glob(f"**/weather-{number}-*"))

    def _of_another(self, thing: str, number: int) -> bool:
        found = re.search(r"weather(?:-cluster)?-(\d+)", thing)
        return bool(found) and found is not None and int(found[1]) != number


def namespaces(number: int) -> set[int]:
    return {path.stat().st_ino for path in Path("/run/netns").glob(f"weather-{number}-*")}


def test_metrics_come_with_the_next_up(name: str) -> None:
    cluster = clusters.up(name, metrics=False)
    before = {process.pid for process in processes.running(cluster.directory)}
    assert "metrics-server" not in processes.components(cluster.directory)
    assert clusters.up(name) == cluster
    assert processes.components(cluster.directory)["metrics-server"]
    assert before <= {process.pid for process in processes.running(cluster.directory)}
    assert eventually(lambda: "node-1" in Shell.of(cluster).kubectl("top", "nodes"))


def test_down_of_two_nodes_with_pods_leaves_nothing(name: str, busybox: str) -> None:
    before = Before()
    cluster = clusters.up(name, nodes=2)
    images.load(cluster, busybox)
    shell = Shell.of(cluster)
    nodes = {node["metadata"]["name"] for node in shell.get("nodes")["items"]}
    assert nodes == {"node-1", "node-2"}

    shell.apply(spread_over_nodes(busybox))
    shell.kubectl("expose", "deployment/site", "--port=80", "--target-port=8080", "--type=NodePort")
    shell.kubectl("rollout", "status", "deployment/site", "--timeout=180s")
    pods = shell.get("pods")["items"]
    assert {pod["spec"]["nodeName"] for pod in pods} == nodes
    port = shell.get("service", "site")["spec"]["ports"][0]["nodePort"]
    every_pod = {pod["metadata"]["name"] for pod in pods}
    for node in network.nodes_of(cluster.number, 2):
        seen: set[str] = set()

        def all_seen(url: str = f"http://{node.address}:{port}/", seen: set[str] = seen) -> bool:
            seen.add(fetch(url))
            return seen >= every_pod

        eventually(all_seen, every=0.01)

    inside = namespaces(cluster.number)
    assert machine.processes_in(inside)
    clusters.down(name)
    before.assert_same(cluster.number)
    assert machine.processes_in(inside) == set()
    assert not cluster.directory.exists()
    assert list(processes.running(cluster.directory)) == []


@pytest.mark.parametrize("half_way", ["containerd-1", "kube-apiserver", "kubelet-1"])
def test_down_after_a_killed_up_leaves_nothing(name: str, half_way: str) -> None:
    before = Before()
    directory = settings.from_environment().clusters / name
    with start_up(name) as up:
        eventually(lambda: processes.components(directory).get(half_way), every=0.01)
        up.kill()
    (number,) = network.allocated(directory)
    inside = namespaces(number)
    clusters.down(name)
    before.assert_same(number)
    assert machine.processes_in(inside) == set()
    assert not directory.exists()


def test_an_interrupted_up_leaves_nothing(name: str) -> None:
    before = Before()
    directory = settings.from_environment().clusters / name
    with start_up(name) as up:
        eventually(lambda: processes.components(directory).get("kubelet-1"), every=0.01)
        (number,) = network.allocated(directory)
        up.send_signal(signal.SIGINT)
    assert up.returncode == 1
    before.assert_same(number)
    assert not directory.exists()


def test_up_heals_a_node_and_down_needs_no_directory(name: str) -> None:
    before = Before()
    cluster = clusters.up(name)
    kubelets = [p.pid for p in processes.running(cluster.directory) if p.component == "kubelet-1"]
    os.kill(kubelets[0], signal.SIGKILL)
    eventually(lambda: not processes.components(cluster.directory)["kubelet-1"])
    healed = clusters.up(name)
    assert all(processes.components(healed.directory).values())
    shutil.rmtree(healed.directory, ignore_errors=True)  # Programs still write there.
    clusters.down(name)
    before.assert_same(healed.number)


def spread_over_nodes(image: str) -> dict[str, object]:
    labels = {"app": "site"}
    serve = (
        "busybox mkdir -p /site/www && busybox hostname >/site/www/index.html && "
        "exec busybox httpd -f -p 8080 -h /site/www"
    )
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "site", "namespace": "default"},
        "spec": {
            "replicas": 4,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": "topology.kubernetes.io/zone",
                            "whenUnsatisfiable": "DoNotSchedule",
                            "labelSelector": {"matchLabels": labels},
                        }
                    ],
                    "containers": [
                        {
                            "name": "main",
                            "image": image,
                            "command": ["/bin/busybox", "sh", "-c", serve],
                            "volumeMounts": [{"name": "site", "mountPath": "/site"}],
                        }
                    ],
                    "volumes": [{"name": "site", "emptyDir": {"medium": "Memory"}}],
                },
            },
        },
    }
