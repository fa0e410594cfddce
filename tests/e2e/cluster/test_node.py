import json
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from support.background import running
from support.deadlines import eventually
from support.http import fetch
from support.kubectl import Shell, own_namespace
from weather_cluster import images, processes
from weather_cluster.clusters import Cluster, ClusterError

SERVE = (
    "busybox mkdir -p /site && busybox hostname >/site/index.html && echo serving && "
    "exec busybox httpd -f -p 8080 -h /site"
)


@pytest.fixture
def namespace(kubectl: Shell) -> Iterator[str]:
    with own_namespace(kubectl, "node") as name:
        yield name


def pod(name: str, image: str, command: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "main",
                    "image": image,
                    "command": ["/bin/busybox", "sh", "-c", command],
                    "resources": {"requests": {"cpu": "20m"}},
                }
            ],
            **spec,
        },
    }


def run(kubectl: Shell, namespace: str, *pods: dict[str, Any]) -> None:
    for manifest in pods:
        kubectl.kubectl("apply", "-n", namespace, "-f", "-", text=json.dumps(manifest))
    for manifest in pods:
        name = manifest["metadata"]["name"]
        kubectl.kubectl(
            "wait", "-n", namespace, "--for=condition=Ready", f"pod/{name}", "--timeout=180s"
        )


def test_logs_exec_and_port_forward(kubectl: Shell, namespace: str, busybox: str) -> None:
    run(kubectl, namespace, pod("site", busybox, SERVE))
    # Nothing probes it: it is ready before it has said anything.
    eventually(lambda: kubectl.kubectl("logs", "-n", namespace, "site") == "serving\n")
    assert kubectl.kubectl("exec", "-n", namespace, "site", "--", "busybox", "hostname") == "site\n"
    command = ["kubectl", "port-forward", "-n", namespace, "pod/site", ":8080"]
    with running(command, output=subprocess.PIPE, environment=kubectl.environment) as forward:
        assert forward.stdout
        port = re.search(r"127\.0\.0\.1:(\d+)", forward.stdout.readline())
        assert port
        assert eventually(lambda: fetch(f"http://127.0.0.1:{port[1]}/")) == "site"


def test_services_have_names_and_node_ports(
    kubectl: Shell, namespace: str, busybox: str, node_cluster: Cluster
) -> None:
    run(kubectl, namespace, pod("site", busybox, SERVE), pod("client", busybox, "sleep 600"))
    kubectl.kubectl(
        "expose", "-n", namespace, "pod/site", "--port=80", "--target-port=8080", "--type=NodePort"
    )
    service = kubectl.get("service", "site", "-n", namespace)["spec"]
    look_up = (
        *("exec", "-n", namespace, "client", "--", "busybox", "nslookup"),
        f"site.{namespace}.svc.cluster.local",
    )
    eventually(lambda: f"Address: {service['clusterIP']}" in kubectl.kubectl(*look_up))
    (node,) = kubectl.get("nodes")["items"]
    address = node["status"]["addresses"][0]["address"]
    url = f"http://{address}:{service['ports'][0]['nodePort']}/"
    assert eventually(lambda: fetch(url)) == "site"


def test_a_loaded_image_is_used_under_its_very_name(
    kubectl: Shell, namespace: str, busybox: str
) -> None:
    run(kubectl, namespace, pod("loaded", busybox, "sleep 600"))

    def pulled() -> list[str]:
        events = kubectl.get("events", "-n", namespace)["items"]
        return [event["message"] for event in events if event["reason"] == "Pulled"]

    (message,) = eventually(pulled)
    assert f'"{busybox}" already present' in message


def test_an_image_that_nobody_has_is_one_sentence(node_cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="no image no-such-image:1 on this machine"):
        images.load(node_cluster, "no-such-image:1")


def test_a_node_pulls_from_the_registry(
    kubectl: Shell, namespace: str, busybox: str, node_cluster: Cluster
) -> None:
    image = f"{node_cluster.registry}/pulled:{os.getpid()}"
    push = ["buildah", "push", "--quiet", "--tls-verify=false", busybox, f"docker://{image}"]
    subprocess.run(push, check=True, capture_output=True)
    # The loaded image has the same content and must stay usable under its own name.
    run(kubectl, namespace, pod("pulled", image, "sleep 600"), pod("like", busybox, "sleep 600"))
    (status,) = kubectl.get("pod", "pulled", "-n", namespace)["status"]["containerStatuses"]
    assert f"{node_cluster.registry}/pulled@sha256:" in status["imageID"]


def test_pods_reach_this_machine_at_its_address(
    kubectl: Shell, namespace: str, busybox: str, node_cluster: Cluster
) -> None:
    host, port = node_cluster.registry.split(":")
    run(kubectl, namespace, pod("client", busybox, "sleep 600"))
    request = f"printf 'GET /v2/ HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 20 {host} {port}"
    answer = kubectl.kubectl(
        "exec", "-n", namespace, "client", "--", "busybox", "sh", "-c", request
    )
    assert answer.startswith("HTTP/1.0 200 OK")


def test_top_and_the_autoscaler_see_the_load(kubectl: Shell, namespace: str, busybox: str) -> None:
    kubectl.kubectl(
        *("create", "deployment", "busy", "-n", namespace, f"--image={busybox}", "--"),
        *("/bin/busybox", "sh", "-c", "while :; do :; done"),
    )
    resources = ("--requests=cpu=10m", "--limits=cpu=50m")
    kubectl.kubectl("set", "resources", "deployment/busy", "-n", namespace, *resources)
    kubectl.kubectl(
        *("autoscale", "deployment/busy", "-n", namespace, "--cpu=50%", "--min=1", "--max=2")
    )

    def replicas() -> int:
        return int(kubectl.get("deployment", "busy", "-n", namespace)["spec"]["replicas"])

    eventually(lambda: replicas() == 2, seconds=240, every=0.5)
    assert re.search(
        r"^busy-\S+\s+\d+m", kubectl.kubectl("top", "pods", "-n", namespace), re.MULTILINE
    )
    assert re.search(r"^node-1\s+\d+m", kubectl.kubectl("top", "nodes"), re.MULTILINE)


def test_helm_is_among_the_programs(kubectl: Shell) -> None:
    listed = kubectl.run("helm", "list", "--all-namespaces", "--output=json")
    assert listed.returncode == 0, listed.stderr
    json.loads(listed.stdout)


def test_every_component_runs(node_cluster: Cluster) -> None:
    assert processes.components(node_cluster.directory) == {
        "containerd-1": True,
        "coredns": True,
        "etcd": True,
        "kube-apiserver": True,
        "kube-controller-manager": True,
        "kube-proxy-1": True,
        "kube-scheduler": True,
        "kubelet-1": True,
        "metrics-server": True,
        "registry": True,
    }
