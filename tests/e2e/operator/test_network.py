"""Real pods behind the Service: who gets the traffic, under which path, and how many they are."""

import json

import pytest
from support.deadlines import eventually
from support.http import api_info
from support.kubectl import Shell
from support.load import load
from support.operator import Site

NODE_PORT = {"type": "NodePort"}
# Stops the page's process but not NGINX, as a process that hangs: only the probe tells.
HANG = """
import os, pathlib, signal
for each in pathlib.Path("/proc").glob("[0-9]*"):
    words = (each / "cmdline").read_bytes()
    if b"weather_webapp" in words and each.name not in ("1", str(os.getpid())):
        os.kill(int(each.name), signal.SIGSTOP)
"""


@pytest.fixture
def site(installed: Shell, namespace: str) -> Site:
    return Site(shell=installed, namespace=namespace)


def served_by(url: str, connections: int) -> list[str]:
    """Which pod each of so many new connections met."""
    return [api_info(url)["pod"] for _ in range(connections)]


def ready_pods(site: Site) -> set[str]:
    """The pods that the Service sends traffic to."""
    slices = site.shell.get(
        *("-n", site.namespace, "endpointslices", "-l", "kubernetes.io/service-name=london")
    )["items"]
    return {
        endpoint["targetRef"]["name"]
        for each in slices
        for endpoint in each["endpoints"]
        if endpoint["conditions"]["ready"]
    }


def test_every_ready_pod_gets_its_share_and_one_that_hangs_gets_none(site: Site) -> None:
    site.apply(replicas=3, service=NODE_PORT)
    url = site.wait_for("Serving", seconds=120)["url"]
    # What the Deployment says, the endpoints and the node's rules follow a moment later.
    eventually(lambda: len(ready_pods(site)) == 3)
    everyone = ready_pods(site)
    eventually(lambda: set(served_by(url, 20)) == everyone)
    met = served_by(url, 200)
    assert set(met) == everyone
    assert min(met.count(pod) for pod in everyone) > 20
    victim = sorted(everyone)[0]
    site.kubectl("exec", victim, "--", "python3", "-c", HANG)
    eventually(lambda: ready_pods(site) == everyone - {victim})
    eventually(lambda: victim not in served_by(url, 60))
    assert set(served_by(url, 200)) == everyone - {victim}


def test_a_path_is_served_below_itself_and_changing_it_is_a_rollout(site: Site) -> None:
    ingress = {"className": "nginx", "path": "/london"}
    site.apply(service=NODE_PORT)
    url = site.wait_for("Serving", seconds=120)["url"]
    site.apply(service=NODE_PORT, ingress=ingress)
    site.wait_for("AddressPending", seconds=120)
    assert site.condition("Available")["status"] == "True"
    eventually(lambda: api_info(f"{url}london/")["version"] == "1.0.0")
    address = {"status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}}
    site.kubectl(
        *("patch", "ingress/london", "--subresource=status", "--type=merge"),
        *("-p", json.dumps(address)),
    )
    assert site.wait_for("Serving")["url"] == "http://lb.example.com/london/"


def test_load_adds_pods_and_its_end_takes_them_away(site: Site) -> None:
    scaling = {
        "minReplicas": 1,
        "maxReplicas": 3,
        "targetCPUUtilizationPercentage": 50,
        "scaleDownStabilizationSeconds": 15,
    }
    site.apply(autoscaling=scaling, service=NODE_PORT, weather={"provider": "sample"})
    status = site.wait_for("Serving", seconds=120)
    assert (status["ready"], status["autoscaling"]) == ("1/1", "1–3")
    with load(status["url"]) as failures:
        eventually(lambda: site.status().get("ready") == "3/3", seconds=180)
    assert failures == []
    eventually(lambda: site.status().get("ready") == "1/1", seconds=180)
    assert site.wait_for("Serving")["autoscaling"] == "1–3"
