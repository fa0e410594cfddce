"""A canary beside pods whose number real metrics set: a way back lands on as many as there were."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.deadlines import eventually
from support.kubectl import Shell
from support.load import load
from support.operator import Site, writes_of_replicas
from weather_cluster import clusters
from weather_cluster.canary_demo import GATEWAY
from weather_cluster.clusters import Cluster

HPA = "horizontalpodautoscaler"
MOST = 4


def spec(colour: str) -> dict[str, Any]:
    strategy = {"type": "Canary", "canary": {"steps": [{"weight": 50, "approval": True}]}}
    return {
        "colour": colour,
        "gateway": {"parentRefs": [{"name": "public"}]},
        "weather": {"provider": "sample"},
        "autoscaling": {
            "minReplicas": 1,
            "maxReplicas": MOST,
            "targetCPUUtilizationPercentage": 50,
            "scaleDownStabilizationSeconds": 0,
        },
        "rollout": {"strategy": strategy},
    }


@pytest.fixture
def site(installed: Shell, node_cluster: Cluster, namespace: str) -> Iterator[Site]:
    """London in yellow behind Traefik, with as many pods as the load may make."""
    clusters.up(node_cluster.name, gateway=True)
    site = Site(shell=installed, namespace=namespace)
    site.kubectl("apply", "-f", "-", text=json.dumps(GATEWAY))
    site.apply(**spec("yellow"))
    site.wait_for("Serving", seconds=120)
    yield site
    site.kubectl("delete", "gateway/public", "weatherapp/london", "--cascade=foreground")


def utilization(site: Site) -> int:
    """Which percentage of what the stable pods ask for the autoscaler saw last."""
    (metric,) = site.get(HPA)["status"]["currentMetrics"]
    return int(metric["resource"]["current"]["averageUtilization"])


def available(site: Site, name: str = "london") -> int:
    return int(site.get("deployment", name)["status"].get("availableReplicas", 0))


def weight(site: Site) -> int:
    (rule,) = site.get("httproute")["spec"]["rules"]
    weights = {each["name"]: each["weight"] for each in rule["backendRefs"]}
    return int(weights.get("london-canary", 0))


def test_a_way_back_lands_on_as_many_pods_as_the_load_had_made(
    site: Site, node_cluster: Cluster
) -> None:
    url, since = site.status()["url"], node_cluster.audit_log.stat().st_size
    with load(url):
        eventually(lambda: available(site) == MOST, seconds=240)
        site.apply(**spec("green"))
        status = site.wait_for("AwaitingApproval")
        assert weight(site) == 50
        assert site.get(HPA)["spec"]["minReplicas"] == MOST
        assert site.get(HPA, "london-canary")["spec"]["minReplicas"] == MOST // 2
        assert available(site, "london-canary") >= MOST // 2
    # Nobody comes now, and but for the canary the autoscaler would take pods away at once.
    eventually(lambda: utilization(site) < 25)
    assert site.get("deployment")["spec"]["replicas"] == MOST
    with load(url):
        abort = f"weather.quantspark.io/abort={status['rollout']['revision']}"
        site.kubectl("annotate", "weatherapp/london", abort)
        eventually(lambda: weight(site) == 0)
        least: list[int] = []

        def sees_the_load() -> bool:
            least.append(site.get("deployment")["spec"]["replicas"])
            return utilization(site) > 50

        eventually(sees_the_load)
    assert min(least) == MOST
    assert writes_of_replicas(site.namespace, node_cluster.audit_log, since=since) == []
