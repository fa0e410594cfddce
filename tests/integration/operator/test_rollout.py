"""From any version to any other, a mind that changes, and a pause."""

import itertools
from typing import Any

import pytest
from support.deadlines import eventually
from support.manifests import COLOURS
from support.operator import Site

SLOW = {"pod": {"annotations": {"test/ready-after": "20s"}}}
PAUSED = {"paused": True}


@pytest.fixture
def london(site: Site) -> Site:
    """A site that serves 1.0.0."""
    site.apply()
    site.wait_for("Serving")
    return site


def image(site: Site) -> str:
    template = site.get("deployment")["spec"]["template"]
    return str(template["spec"]["containers"][0]["image"])


def generation(site: Site) -> int:
    number: int = site.get("deployment")["metadata"]["generation"]
    return number


def test_every_version_is_reached_from_every_other(london: Site) -> None:
    versions = list(COLOURS)
    edges = [pair for pair in itertools.product(versions, versions) if pair[0] != pair[1]]
    path = ["1.0.0"]
    while edges:
        step = next((edge for edge in edges if edge[0] == path[-1]), edges[0])
        edges.remove(step)
        path.append(step[1])
    for version in path[1:]:
        london.apply(version=version)
        eventually(lambda: london.status().get("version") == version)  # noqa: B023
        status = london.wait_for("Serving")
        assert (status["colour"], image(london)) == (COLOURS[version], f"weather:{version}")
        assert status["history"][0]["outcome"] == "Succeeded"
    before = generation(london)
    london.apply(colour=COLOURS[path[-1]])  # from A to A
    london.wait_for("Serving")
    assert generation(london) == before


def test_a_changed_mind_goes_straight_to_the_newest_wish(london: Site) -> None:
    london.apply(colour="green", **SLOW)
    london.wait_for("RollingOut")
    london.apply(colour="red")
    status = london.wait_for("Serving")
    assert status["version"] == "3.0.0"
    outcomes = [(each["version"], each["outcome"]) for each in status["history"]]
    assert outcomes == [("3.0.0", "Succeeded"), ("2.0.0", "Superseded"), ("1.0.0", "Succeeded")]


def test_a_pause_holds_back_what_is_new_and_only_that(london: Site) -> None:
    before = generation(london)
    london.apply(rollout=PAUSED)
    london.wait_for("Serving")
    assert london.condition("Paused")["status"] == "True"
    london.apply(colour="green", rollout=PAUSED, replicas=3)
    london.wait_for("Paused")
    assert (
        "1.0.0 to 2.0.0 waits until spec.rollout.paused is false"
        in (london.condition("Ready")["message"])
    )
    eventually(lambda: london.status().get("ready") == "3/3")
    assert image(london) == "weather:1.0.0"
    assert london.condition("Stalled")["status"] == "False"
    assert london.condition("Available")["status"] == "True"
    london.apply(rollout=PAUSED)
    london.wait_for("Serving")
    london.apply(colour="green")
    assert london.wait_for("Serving")["version"] == "2.0.0"
    assert london.condition("Paused")["status"] == "False"
    assert before


def test_a_pause_stops_a_rollout_in_flight_and_lets_it_go_on(london: Site) -> None:
    slow: dict[str, Any] = {"pod": {"annotations": {"test/ready-after": "12s"}}}
    london.apply(colour="green", **slow)
    # Only then has the Deployment's controller begun it.
    eventually(lambda: london.status().get("updatedReplicas") == 1)
    london.apply(colour="green", **slow, rollout=PAUSED)
    london.wait_for("Paused")
    assert london.get("deployment")["spec"]["paused"] is True
    assert "deadline" not in london.status()["rollout"]
    eventually(lambda: london.get("deployment")["status"]["readyReplicas"] == 3)
    assert london.get("deployment")["status"]["updatedReplicas"] == 1
    london.apply(colour="green", **slow)
    assert london.wait_for("Serving")["version"] == "2.0.0"


def test_a_stuck_and_paused_rollout_still_returns_to_what_serves(london: Site) -> None:
    london.apply(colour="green", **SLOW)
    london.wait_for("RollingOut")
    london.apply(colour="green", **SLOW, rollout=PAUSED)
    london.wait_for("Paused")
    london.apply(colour="yellow", rollout=PAUSED)
    assert london.wait_for("Serving")["version"] == "1.0.0"
    assert london.condition("Paused")["status"] == "True"
    assert london.get("deployment")["spec"].get("paused", False) is False


def test_a_new_site_that_is_paused_waits(site: Site) -> None:
    site.apply(rollout=PAUSED)
    site.wait_for("Paused")
    assert site.kubectl("get", "pods", "-o", "name") == ""
    site.apply()
    site.wait_for("Serving")


def test_a_higher_attempt_restarts_no_pod_of_a_healthy_site(london: Site) -> None:
    before = generation(london), london.kubectl("get", "pods", "-o", "name")
    london.apply(rollout={"attempt": 1})
    london.wait_for("Serving")
    assert before == (generation(london), london.kubectl("get", "pods", "-o", "name"))


def test_the_strategy_is_the_users_and_changing_it_restarts_no_pod(london: Site) -> None:
    pods = london.kubectl("get", "pods", "-o", "name")
    london.apply(
        rollout={"maxSurge": "50%", "maxUnavailable": 1, "minReadySeconds": 1, "historyLimit": 3}
    )
    london.wait_for("Serving")
    spec = london.get("deployment")["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": "50%", "maxUnavailable": 1}
    assert (spec["minReadySeconds"], spec["revisionHistoryLimit"]) == (1, 3)
    assert london.kubectl("get", "pods", "-o", "name") == pods


def test_behind_a_load_balancer_no_ready_pod_may_be_evicted_in_a_rollout(site: Site) -> None:
    """Not even one of those that come on top, which the load balancer may not know yet."""
    around: dict[str, Any] = {"ingress": {"className": "alb"}, "rollout": {"maxSurge": "100%"}}
    site.apply(**around)
    eventually(lambda: site.status().get("version") == "1.0.0")
    eventually(lambda: evictable(site) == 1)
    site.apply(colour="green", **around)
    eventually(lambda: site.get("deployment")["status"].get("readyReplicas") == 4)
    assert site.get("deployment")["status"]["availableReplicas"] == 2
    names = [
        each["metadata"]["name"] for each in site.shell.get("-n", site.namespace, "pods")["items"]
    ]
    assert [name for name in names if site.evict(name, dryRun=["All"])] == []
    eventually(lambda: site.status().get("version") == "2.0.0")
    eventually(lambda: evictable(site) == 1)


def evictable(site: Site) -> int:
    """How many pods may be evicted as their budget is now."""
    budget = site.get("poddisruptionbudget")
    if budget["status"].get("observedGeneration") != budget["metadata"]["generation"]:
        return -1
    number: int = budget["status"]["disruptionsAllowed"]
    return number
