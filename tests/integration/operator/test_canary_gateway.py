"""A canary behind a Gateway whose controller is played: what is written of its route, and when."""

import json
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from support.deadlines import eventually
from support.gateway_api import HTTP, install, leave, make_gateway, remove, take_up
from support.kubectl import Shell
from support.operator import Site, audited, is_write
from weather_cluster.clusters import Cluster

GATEWAY = {"parentRefs": [{"name": "public"}]}
STEPS = [{"weight": 30, "approval": True}, {"weight": 60, "approval": True}]
CANARY = {"type": "Canary", "canary": {"steps": STEPS}}


@pytest.fixture
def london(site: Site, shell: Shell) -> Iterator[Site]:
    """London in yellow behind its Gateway, to be tried in another colour."""
    install(shell)
    site.apply(colour="yellow", gateway=GATEWAY, rollout={"strategy": CANARY})
    eventually(lambda: site.find("httproute"))
    make_gateway(site, HTTP)
    take_up(site)
    site.wait_for("Serving")
    yield site
    remove(shell)


def set_colour(site: Site, colour: str) -> None:
    site.apply(colour=colour, gateway=GATEWAY, rollout={"strategy": CANARY})


def approve(site: Site) -> None:
    rollout = site.status()["rollout"]
    word = f"weather.quantspark.io/approve={rollout['revision']}/{rollout['step']}"
    site.kubectl("annotate", "--overwrite", "weatherapp/london", word)


def weights(site: Site) -> dict[str, int]:
    (rule,) = site.get("httproute")["spec"]["rules"]
    return {each["name"]: each["weight"] for each in rule["backendRefs"]}


def deployments(site: Site) -> list[str]:
    found = site.shell.get("-n", site.namespace, "deployments")["items"]
    return [each["metadata"]["name"] for each in found]


def shared(percent: int) -> dict[str, int]:
    return {"london": 100 - percent, "london-canary": percent}


def set_by_hand(site: Site, stable: int, canary: int) -> float:
    """Write both weights, and return after how many seconds they were put back."""
    before = weights(site)
    paths = "/spec/rules/0/backendRefs/{}/weight"
    numbers = enumerate((stable, canary))
    patch = [{"op": "replace", "path": paths.format(i), "value": value} for i, value in numbers]
    site.kubectl("patch", "httproute/london", "--type=json", "-p", json.dumps(patch))
    began = time.monotonic()
    eventually(lambda: weights(site) == before)
    return time.monotonic() - began


def pauses_between_writes(site: Site, cluster: Cluster, *, since: int) -> list[float]:
    """For how many seconds the operator left the route alone between its writes of it."""
    at = [
        datetime.fromisoformat(each["requestReceivedTimestamp"])
        for each in audited(cluster.audit_log, since=since)
        if is_write(each)
        and each["objectRef"].get("namespace") == site.namespace
        and each["objectRef"]["resource"] == "httproutes"
        and each["responseStatus"]["code"] < 300
    ]
    return [(later - earlier).total_seconds() for earlier, later in pairwise(at)]


def without_weights(route: dict[str, Any]) -> Any:
    spec = json.loads(json.dumps(route["spec"]))
    for rule in spec["rules"]:
        for each in rule["backendRefs"]:
            del each["weight"]
    return spec


def test_from_step_to_step_only_the_two_weights_change(london: Site) -> None:
    set_colour(london, "green")
    eventually(lambda: weights(london) == shared(30))
    assert "set" not in london.wait_for("Shifting")["rollout"]["weight"]
    take_up(london)
    assert london.wait_for("AwaitingApproval")["rollout"]["weight"]["set"] == 30
    first = london.get("httproute")
    approve(london)
    eventually(lambda: weights(london) == shared(60))
    assert london.wait_for("Shifting")["rollout"]["weight"] == {"desired": 60}
    second = london.get("httproute")
    assert without_weights(second) == without_weights(first)
    assert second["metadata"]["generation"] == first["metadata"]["generation"] + 1
    take_up(london)
    london.wait_for("AwaitingApproval")
    approve(london)
    london.wait_for("Draining")
    eventually(lambda: weights(london).get("london-canary", 0) == 0)
    take_up(london)
    eventually(lambda: london.find("httproute") and list(weights(london)) == ["london"])
    eventually(lambda: london.status()["version"] == "2.0.0")


def test_a_weight_set_by_hand_is_put_back_and_ever_later(
    london: Site, control_plane: Cluster
) -> None:
    set_colour(london, "green")
    eventually(lambda: weights(london) == shared(30))
    take_up(london)
    london.wait_for("AwaitingApproval")
    # Only what is followed by now, as a kind that has just come may not be, is put back at once.
    label = "app.kubernetes.io/component"
    london.kubectl("label", "httproute/london", f"{label}-")
    eventually(lambda: london.get("httproute")["metadata"]["labels"][label] == "web")
    since = control_plane.audit_log.stat().st_size
    first, *_ = [set_by_hand(london, 1, 99) for _ in range(4)]

    def pauses() -> list[float]:
        found = pauses_between_writes(london, control_plane, since=since)
        assert len(found) >= 3
        return found

    *_, longest = eventually(pauses)
    assert longest > 3, "who keeps changing it is fought at full speed"
    assert first < longest, "the first time it was not put back at once"


def test_what_no_gateway_has_taken_up_yet_is_not_set(london: Site) -> None:
    leave(london)
    make_gateway(london, HTTP)
    set_colour(london, "green")
    eventually(lambda: weights(london) == shared(30))
    london.wait_for("Shifting")
    london.kubectl("annotate", "weatherapp/london", "example.com/look=again")
    assert "set" not in london.wait_for("Shifting")["rollout"]["weight"]
    take_up(london)
    london.wait_for("AwaitingApproval")


def test_a_gateway_that_goes_in_mid_canary_holds_nobody_up(london: Site) -> None:
    set_colour(london, "green")
    eventually(lambda: weights(london) == shared(30))
    take_up(london)
    london.wait_for("AwaitingApproval")
    leave(london)
    set_colour(london, "yellow")
    eventually(lambda: list(weights(london)) == ["london"])
    eventually(lambda: london.status()["version"] == "1.0.0")
    eventually(lambda: deployments(london) == ["london"])


def test_a_class_that_names_no_generation_is_believed(london: Site) -> None:
    set_colour(london, "green")
    eventually(lambda: weights(london) == shared(30))
    take_up(london, names_generation=False)
    london.wait_for("AwaitingApproval")
