"""The image by itself on a real node, with and without what the operator adds around it."""

import json
import re
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from support.deadlines import eventually
from support.kubectl import Shell
from weather_cluster import images
from weather_cluster.clusters import Cluster

IMAGE = "localhost/weather:3.0.0"
ENVIRONMENT = {"WEATHER_PROVIDER": "sample", "DRAIN_SECONDS": "0"}
PROBE = {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1}
PLAIN: dict[str, Any] = {"containers": [{}]}
RESTRICTED: dict[str, Any] = {
    "containers": [
        {
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 12345,
                "readOnlyRootFilesystem": True,
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - in the pod
        }
    ],
    "volumes": [{"name": "tmp", "emptyDir": {}}],
}


@pytest.fixture(scope="module")
def shell(node_cluster: Cluster) -> Shell:
    images.load(node_cluster, IMAGE)
    return Shell(kubeconfig=node_cluster.kubeconfig, bin=node_cluster.bin, host=node_cluster.host)


@pytest.fixture(params=[PLAIN, RESTRICTED], ids=["plain", "restricted"])
def pod(request: pytest.FixtureRequest, shell: Shell) -> Iterator[str]:
    name = f"weather-{secrets.token_hex(4)}"
    container = {
        "name": "web",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "env": [{"name": key, "value": value} for key, value in ENVIRONMENT.items()],
        "readinessProbe": PROBE,
        **request.param["containers"][0],
    }
    spec = {**request.param, "containers": [container]}
    shell.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    shell.kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=180s")
    yield name
    shell.kubectl("delete", "pod", name, "--wait=false")


def inside(shell: Shell, pod: str, *words: str) -> str:
    return shell.kubectl("exec", pod, "--", *words)


def status(shell: Shell, pod: str) -> dict[str, Any]:
    (container,) = shell.get("pod", pod)["status"]["containerStatuses"]
    return dict(container)


def test_it_serves_says_who_it_is_and_logs(shell: Shell, pod: str) -> None:
    page = inside(shell, pod, "wget", "-qO-", "http://127.0.0.1:8080/")
    info = json.loads(inside(shell, pod, "wget", "-qO-", "http://127.0.0.1:8080/api/info"))
    assert "v3.0.0" in page
    assert (info["version"], info["colour"]) == ("3.0.0", "red")
    assert re.fullmatch(r"([0-9a-f]{40}\+?)?", info["commit"])
    metrics = inside(shell, pod, "wget", "-qO-", "http://127.0.0.1:9090/metrics")
    assert 'weather_build_info{colour="red"' in metrics
    document = inside(shell, pod, "wget", "-qO-", "http://127.0.0.1:8080/api/v1/weather")
    assert json.loads(document)["served_by"]["version"] == "3.0.0"
    # Control groups of version 1 show the container's ID in a pod, those of version 2 do not.
    truth = status(shell, pod)["containerID"].removeprefix("containerd://")
    assert (info["container_kind"], info["container"]) in {("container", truth), ("pod", pod)}
    lines = eventually(
        lambda: [line for line in shell.kubectl("logs", pod).splitlines() if '"request"' in line]
    )
    assert json.loads(lines[0])["status"] == 200


def test_a_killed_app_restarts_the_container_with_its_code(shell: Shell, pod: str) -> None:
    app = "$(ps -o pid,args | awk '/[w]eather_webapp.serve/ {print $1}')"
    inside(shell, pod, "sh", "-c", f"kill -9 {app}")

    def restarted() -> dict[str, Any]:
        container = status(shell, pod)
        return container if container["restartCount"] and container["ready"] else {}

    container = eventually(restarted)
    assert container["lastState"]["terminated"]["exitCode"] == 137
