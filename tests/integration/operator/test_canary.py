"""Canaries on a real control plane: what is made, what stays untouched, and what a person says."""

from typing import Any

from support.deadlines import eventually
from support.operator import Site, release
from support.watching import ready_endpoints, wait_for_endpoints

TRACK = "weather.quantspark.io/track"


def strategy(*steps: dict[str, Any], deadline: int = 120) -> dict[str, Any]:
    rollout = {"strategy": {"type": "Canary", "canary": {"steps": list(steps)}}}
    return {"rollout": {**rollout, "minReadySeconds": 0, "progressDeadlineSeconds": deadline}}


def canary_is_gone(site: Site) -> bool:
    kinds = "deployments,services,poddisruptionbudgets"
    found = site.shell.get("-n", site.namespace, kinds)["items"]
    return not any(each["metadata"]["name"] == "london-canary" for each in found)


def test_a_good_canary_serves_beside_an_untouched_stable_and_then_replaces_it(site: Site) -> None:
    rollout = strategy({"weight": 30, "approval": True})
    site.apply(colour="yellow", replicas=2, **rollout)
    site.wait_for("Serving")
    before = site.get("deployment")["spec"]
    site.apply(colour="green", replicas=2, **rollout)
    status = site.wait_for("AwaitingApproval")
    assert status["rollout"]["weight"] == {"desired": 30, "possible": 33, "set": 30}
    assert site.get("deployment")["spec"] == before
    assert site.get("deployment", "london-canary")["spec"]["replicas"] == 1
    assert TRACK not in site.get("service")["spec"]["selector"]
    wait_for_endpoints(site, 3)
    approved = f"weather.quantspark.io/approve={status['rollout']['revision']}/1"
    site.kubectl("annotate", "weatherapp/london", approved)
    least: list[int] = []

    def is_done() -> bool:
        least.append(ready_endpoints(site))
        return site.reason() == "Serving"

    eventually(is_done)
    assert min(least) >= 2
    assert site.status()["version"] == "2.0.0"
    eventually(lambda: canary_is_gone(site))
    assert site.get("service")["spec"]["selector"][TRACK] == "stable"


def test_a_canary_that_crashes_costs_no_endpoint_and_is_taken_back(site: Site) -> None:
    rollout = strategy({"weight": 30}, deadline=5)
    site.apply(colour="yellow", replicas=2, **rollout)
    site.wait_for("Serving")
    wait_for_endpoints(site, 2)
    before = site.get("deployment")["spec"]
    site.shell.apply(release("8.2.0", "umber", "crash:8"))
    site.apply(version="8.2.0", replicas=2, **rollout)
    least: list[int] = []

    def is_taken_back() -> bool:
        least.append(ready_endpoints(site))
        return site.reason() == "RolledBack"

    eventually(is_taken_back)
    assert min(least) == 2
    assert site.get("deployment")["spec"] == before
    assert site.status()["failedRevisions"][0]["version"] == "8.2.0"
    eventually(lambda: canary_is_gone(site))
    assert ready_endpoints(site) == 2
    site.shell.kubectl("delete", "weatherrelease", "8.2.0")
