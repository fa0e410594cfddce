import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.clusters import running_cluster, start_up, unique_name
from support.deadlines import eventually
from support.kubectl import Shell
from support.operator import audited
from weather_cluster import clusters, processes, settings
from weather_cluster.clusters import Cluster, ClusterError

COMPONENTS = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"]


def weather_cluster(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "weather_cluster", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def traces(name: str) -> list[object]:
    """Everything that a cluster of this name has on this machine."""
    directory = settings.from_environment().clusters / name
    return [*processes.running(directory), *([directory] if directory.exists() else [])]


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a cluster that is gone after the test, however far it came."""
    name = unique_name(f"own-{abs(hash(request.node.name)) % 1000}")
    yield name
    if traces(name):
        clusters.down(name)


def test_kubectl_sees_three_ready_nodes_in_zones_of_their_own(control_plane: Cluster) -> None:
    nodes = Shell.of(control_plane).get("nodes")["items"]
    assert [node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes] == [
        "zone-a",
        "zone-b",
        "zone-c",
    ]
    for node in nodes:
        ready = [c["status"] for c in node["status"]["conditions"] if c["type"] == "Ready"]
        assert ready == ["True"]


def test_the_context_is_named_after_the_cluster(control_plane: Cluster) -> None:
    contexts = Shell.of(control_plane).kubectl("config", "get-contexts", "-o", "name")
    assert contexts.split() == [control_plane.name]


def test_kubectl_is_of_the_servers_version(control_plane: Cluster) -> None:
    versions = json.loads(Shell.of(control_plane).kubectl("version", "-o", "json"))
    assert versions["clientVersion"]["gitVersion"] == "v1.36.3"
    assert versions["serverVersion"]["gitVersion"] == "v1.36.3"


def test_an_images_name_decides_how_its_pods_fare(control_plane: Cluster) -> None:
    shell, namespace = Shell.of(control_plane), f"fates-{os.getpid()}"
    shell.kubectl("create", "namespace", namespace)
    expected = {
        "good": None,
        "broken": "",
        "crash": "CrashLoopBackOff",
        "missing": "ImagePullBackOff",
    }
    for image in expected:
        shell.kubectl("run", image, f"--image={image}:1", "-n", namespace)

    def fates() -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for pod in shell.get("pods", "-n", namespace)["items"]:
            for container in pod.get("status", {}).get("containerStatuses", []):
                waiting = container["state"].get("waiting", {}).get("reason", "")
                found[pod["metadata"]["name"]] = None if container["ready"] else waiting
        return found

    assert eventually(lambda: fates() == expected and fates()) == expected
    shell.kubectl("delete", "namespace", namespace, "--wait=false")


def test_each_request_is_in_the_audit_log(control_plane: Cluster) -> None:
    shell, name = Shell.of(control_plane), f"audited-{os.getpid()}"
    shell.kubectl("create", "configmap", name)
    shell.kubectl("delete", "configmap", name)
    entries = audited(control_plane.audit_log, agent="kubectl")
    ours = [each for each in entries if each["objectRef"].get("name") == name]
    verbs = [(entry["verb"], entry["user"]["username"]) for entry in ours]
    assert [verb for verb in verbs if verb[0] in {"create", "delete"}] == [
        ("create", "admin"),
        ("delete", "admin"),
    ]


def test_down_leaves_nothing(name: str) -> None:
    up = weather_cluster("up", "--control-plane-only", "--name", name)
    assert up.returncode == 0, up.stderr
    assert up.stdout.endswith(f'is up: eval "$(weather-cluster env --name {name})"\n')
    assert list(processes.components(clusters.find(name).directory)) == COMPONENTS
    status = weather_cluster("status", "--name", name)
    assert status.returncode == 0
    assert status.stdout.split() == [word for c in COMPONENTS for word in (c, "running")]
    assert weather_cluster("down", "--name", name).returncode == 0
    assert traces(name) == []
    with pytest.raises(ClusterError, match="no cluster"):
        clusters.find(name)


def test_a_dead_component_is_named_with_its_last_words_and_up_heals(name: str) -> None:
    cluster = clusters.up(name, control_plane_only=True)
    (scheduler,) = (
        p.pid for p in processes.running(cluster.directory) if p.component == "kube-scheduler"
    )
    os.kill(scheduler, signal.SIGTERM)
    eventually(lambda: not processes.components(cluster.directory)["kube-scheduler"])
    status = weather_cluster("status", "--name", name)
    assert status.returncode == 1
    assert [line.split()[0] for line in status.stdout.splitlines() if line.endswith(" dead")] == [
        "kube-scheduler"
    ]
    last_line = processes.tail(cluster.directory, "kube-scheduler", lines=1)
    assert status.stdout.endswith(f"{last_line}\n")

    healed = clusters.up(name, control_plane_only=True)
    assert all(processes.components(healed.directory).values())
    assert len(Shell.of(healed).get("nodes")["items"]) == 3


def test_up_of_a_running_cluster_changes_nothing(control_plane: Cluster) -> None:
    before = {process.pid for process in processes.running(control_plane.directory)}
    assert clusters.up(control_plane.name, control_plane_only=True) == control_plane
    assert {process.pid for process in processes.running(control_plane.directory)} == before


def test_a_running_cluster_of_another_size_is_not_given_out(control_plane: Cluster) -> None:
    with pytest.raises(ClusterError, match="runs with 0 nodes, not 2"):
        clusters.up(control_plane.name, nodes=2)


def test_two_clusters_at_once_do_not_meet() -> None:
    def name_and_whether_alone(purpose: str) -> tuple[str, bool]:
        with running_cluster(purpose, control_plane_only=True) as cluster:
            shell = Shell.of(cluster)
            shell.kubectl("create", "namespace", purpose)
            spaces = shell.get("namespaces")["items"]
            own = [s["metadata"]["name"] for s in spaces if s["metadata"]["name"][:4] == "twin"]
            return cluster.name, own == [purpose]

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(name_and_whether_alone, ["twin-a", "twin-b"]))
    assert [own for _, own in found] == [True, True]
    assert [traces(name) for name, _ in found] == [[], []]


@pytest.mark.parametrize("half_way", ["etcd", "kube-apiserver", "kwok"])
def test_up_after_a_killed_up(name: str, half_way: str) -> None:
    directory = settings.from_environment().clusters / name
    with start_up(name, "--control-plane-only") as interrupted:
        eventually(lambda: processes.components(directory).get(half_way), every=0.01)
        interrupted.kill()
    left = {process.pid for process in processes.running(directory)}
    assert left
    with pytest.raises(ClusterError, match="half up"):
        clusters.find(name)
    cluster = clusters.up(name, control_plane_only=True)
    running = list(processes.running(directory))
    assert not left & {process.pid for process in running}
    assert sorted(process.component or "" for process in running) == COMPONENTS
    assert len(Shell.of(cluster).get("nodes")["items"]) == 3


def test_an_interrupted_up_leaves_nothing(name: str) -> None:
    directory = settings.from_environment().clusters / name
    with start_up(name, "--control-plane-only") as interrupted:
        eventually(lambda: processes.components(directory).get("kube-apiserver"), every=0.01)
        interrupted.send_signal(signal.SIGINT)
    assert interrupted.returncode == 1
    assert traces(name) == []


def test_down_works_when_the_directory_is_gone(name: str) -> None:
    cluster = clusters.up(name, control_plane_only=True)
    subprocess.run(["rm", "-r", cluster.directory], check=True)
    assert traces(name)
    clusters.down(name)
    assert traces(name) == []
