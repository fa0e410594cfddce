"""Canaries behind a real gateway: the shares that a client sees, and what it loses."""

import json
import math
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from support.deadlines import eventually
from support.http import fetch
from support.kubectl import Shell
from support.operator import Site
from weather_cluster import clusters
from weather_cluster.canary_demo import EXAMPLE, GATEWAY
from weather_cluster.clusters import Cluster
from weather_cluster.demo import Answer, Client
from weather_cluster.fake_openweathermap import SECRET

TAKEN_UP = 3.0
"""Seconds after which Traefik serves what its status says: it collects changes for two of them."""

ANALYSIS = {
    "intervalSeconds": 5,
    "checks": [{"name": "success", "successRate": {"minPercent": 99}}],
}


def spec(colour: str, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    strategy = {"type": "Canary", "canary": {"steps": list(steps)}}
    rollout = {"minReadySeconds": 1, "strategy": strategy, "analysis": ANALYSIS}
    gateway = {"parentRefs": [{"name": "public"}]}
    return {"colour": colour, "gateway": gateway, "rollout": rollout, **more}


@dataclass(slots=True)
class Seen:
    """What a client got between two moments of the status."""

    client: Client
    begun: int = 0

    def since_taken_up(self) -> list[Answer]:
        """The answers since the gateway surely serves what was set when `begin` was called."""
        return self.client.answers[self.begun :]

    def begin(self) -> None:
        """Begin to look once the gateway surely serves what is set now."""
        after = time.time() + TAKEN_UP
        eventually(lambda: self.client.answers[-1].at > after)
        self.begun = len(self.client.answers)


@pytest.fixture
def site(installed: Shell, node_cluster: Cluster, namespace: str) -> Iterator[Site]:
    """London in yellow behind Traefik, with visitors."""
    clusters.up(node_cluster.name, gateway=True)
    site = Site(shell=installed, namespace=namespace)
    site.kubectl("apply", "-f", "-", text=json.dumps(GATEWAY))
    site.apply(**spec("yellow", {"weight": 10, "durationSeconds": 8}))
    site.wait_for("Serving", seconds=120)
    yield site
    site.kubectl("delete", "gateway/public", "weatherapp/london", "--cascade=foreground")


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    url = site.status()["url"]
    eventually(lambda: fetch(url))
    with Client(url, threads=3) as client:
        eventually(lambda: client.served["yellow"] > 0)
        yield client


def is_within_chance(answers: list[Answer], colour: str, percent: float) -> bool:
    """Whether a share lies within four standard deviations of a fair draw."""
    share, number = percent / 100, len(answers)
    found = Counter(each.colour for each in answers)[colour]
    return abs(found - share * number) <= 4 * math.sqrt(number * share * (1 - share))


def weight_in_route(site: Site) -> int:
    (rule,) = site.get("httproute")["spec"]["rules"]
    weights = {each["name"]: each["weight"] for each in rule["backendRefs"]}
    return int(weights.get("london-canary", 0))


def serves_as_set(site: Site, client: Client, step: int, weight: float) -> None:
    """Wait for this step, and compare what was set with what the client and the operator count."""
    eventually(lambda: waits_at(site, step))
    assert weight_in_route(site) == weight
    seen = Seen(client)
    seen.begin()
    eventually(lambda: len(seen.since_taken_up()) >= 500)
    assert is_within_chance(seen.since_taken_up(), "green", weight)
    eventually(lambda: abs(observed_share(site) - weight) < 10)


def waits_at(site: Site, step: int) -> bool:
    rollout = site.status().get("rollout", {})
    return (rollout.get("phase"), rollout.get("step")) == ("AwaitingApproval", step)


def observed_share(site: Site) -> float:
    """The share that the operator has counted at the pods; far away while there is none."""
    return float(site.status()["rollout"]["weight"].get("observed", -100))


def test_shares_are_as_set_and_the_way_back_is_one_write(site: Site, client: Client) -> None:
    before = site.get("deployment")["spec"]
    steps = ({"weight": 10, "approval": True}, {"weight": 50, "approval": True})
    site.apply(**spec("green", *steps))
    serves_as_set(site, client, 1, 10)
    revision = site.status()["rollout"]["revision"]
    approval = f"weather.quantspark.io/approve={revision}/1"
    site.kubectl("annotate", "--overwrite", "weatherapp/london", approval)
    serves_as_set(site, client, 2, 50)
    site.apply(**spec("yellow", *steps))
    eventually(lambda: weight_in_route(site) == 0, seconds=30)
    seen = Seen(client)
    seen.begin()
    eventually(lambda: len(seen.since_taken_up()) > 100)
    assert {each.colour for each in seen.since_taken_up()} == {"yellow"}
    site.wait_for("Serving")
    assert site.get("deployment")["spec"] == before
    assert client.failures == []


def test_the_demo_passes_a_good_version_and_takes_a_bad_one_back(
    installed: Shell, node_cluster: Cluster
) -> None:
    """The good one loses no request, and of the bad one's only its own fail."""
    clusters.up(node_cluster.name, gateway=True)
    demo = installed.run("weather-cluster", "demo-canary")
    try:
        assert demo.returncode == 0, demo.stdout + demo.stderr
        assert "the check success came out Failed" in demo.stdout
        assert "step 2/2, 50 % set" in demo.stdout
        assert "\x1b" not in demo.stdout
        london = Site(shell=installed, namespace="default")
        assert weight_in_route(london) == 0
        outcomes = [each["outcome"] for each in london.status()["history"]]
        assert "RolledBack" in outcomes
        served = re.search(r"visitors for ([\d.]+) s", demo.stdout)
        intervals = yaml.safe_load(EXAMPLE.read_text())["spec"]["rollout"]["analysis"]
        # One interval begins before it has visitors, and one may be over before that is written.
        longest = (intervals["failureLimit"] + 2) * intervals["intervalSeconds"] + TAKEN_UP
        assert served
        assert float(served[1]) <= longest, "the bad one was kept for longer than it took to see it"
    finally:
        installed.kubectl("delete", "gateway/public", "weatherapp/london", f"secret/{SECRET}")
