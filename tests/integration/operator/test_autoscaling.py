"""Who sets the number of pods, and that it never dips when that changes hands."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.deadlines import eventually
from support.operator import Operator, Site, writes_of_replicas
from support.watching import watching
from weather_cluster.clusters import Cluster

HPA = "horizontalpodautoscaler"


def between(least: int, most: int) -> dict[str, Any]:
    return {"autoscaling": {"minReplicas": least, "maxReplicas": most}}


def replicas(site: Site) -> int:
    number: int = site.get("deployment")["spec"]["replicas"]
    return number


def has_replicas(site: Site, number: int) -> None:
    """Return when the Deployment has this many pods and the status says that they serve."""

    def reached() -> bool:
        assert replicas(site) == number
        assert (site.reason(), site.status().get("ready")) == ("Serving", f"{number}/{number}")
        return True

    eventually(reached)


def play_the_load(site: Site, number: int) -> None:
    """Write the number as an autoscaler does: to the Deployment's subresource scale."""
    site.kubectl("scale", "deployment/london", f"--replicas={number}")
    has_replicas(site, number)


@contextmanager
def never_below(site: Site, floor: int) -> Iterator[None]:
    """Fail if the wish for pods was ever lower, by a watch that misses nothing."""
    with watching(site, "deployment/london", show="{.spec.replicas}") as record:
        yield
        assert min(record.numbers()) >= floor, record.numbers()


def owners_of_replicas(site: Site) -> set[str]:
    metadata = site.shell.get(
        *("-n", site.namespace, "deployment", site.name, "--show-managed-fields")
    )["metadata"]
    return {
        entry["manager"]
        for entry in metadata["managedFields"]
        if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
    }


def test_a_new_app_begins_with_the_least_number_at_once(site: Site, control_plane: Cluster) -> None:
    since = control_plane.audit_log.stat().st_size
    site.apply(replicas=9, **between(3, 5))
    status = site.wait_for("Serving")
    assert (status["ready"], status["autoscaling"]) == ("3/3", "3–5")
    (written,) = writes_of_replicas(site.namespace, control_plane.audit_log, since=since)
    made = site.get(HPA)["metadata"]["creationTimestamp"]
    assert written[:19] <= made[:19]
    assert "weather-operator" not in owners_of_replicas(site)


def test_a_deployment_that_is_deleted_begins_with_the_least_number_at_once(
    site: Site, control_plane: Cluster
) -> None:
    site.apply(**between(3, 5))
    site.wait_for("Serving")
    since = control_plane.audit_log.stat().st_size
    site.kubectl("delete", "deployment/london")
    (written,) = eventually(
        lambda: writes_of_replicas(site.namespace, control_plane.audit_log, since=since)
    )
    has_replicas(site, 3)
    # The status may still be the one before; the autoscaler is made last.
    eventually(lambda: written[:19] <= site.get(HPA)["metadata"]["creationTimestamp"][:19])


# Before and after, as (fixed number) or (least, most), what the load made of it, and what comes.
HAND_OVERS: list[tuple[dict[str, Any], int | None, dict[str, Any], int]] = [
    ({"replicas": 3}, None, between(2, 10), 3),
    ({"replicas": 1}, None, between(3, 10), 3),
    ({"replicas": 6}, None, between(2, 4), 4),
    ({"replicas": 0}, None, between(2, 4), 2),
    (between(2, 10), 7, {"replicas": 3}, 3),
    (between(2, 10), 3, {"replicas": 5}, 5),
    (between(2, 10), None, between(4, 10), 4),
    (between(2, 10), 7, between(2, 4), 4),
    (between(2, 10), 5, between(3, 3), 3),
]


@pytest.mark.parametrize(("before", "load", "after", "expected"), HAND_OVERS)
def test_at_a_hand_over_the_pods_are_never_fewer_than_before_or_wanted(
    site: Site, before: dict[str, Any], load: int | None, after: dict[str, Any], expected: int
) -> None:
    site.apply(**before)
    site.wait_for("Serving" if before.get("replicas") != 0 else "ScaledToZero")
    if load:
        play_the_load(site, load)
    with never_below(site, min(replicas(site), expected)):
        site.apply(**after)
        has_replicas(site, expected)
    assert (site.find(HPA) is None) == ("replicas" in after)


def test_on_off_and_on_again_keeps_what_the_load_had_made(site: Site) -> None:
    site.apply(**between(2, 6))
    site.wait_for("Serving")
    play_the_load(site, 4)
    pods = set(site.kubectl("get", "pods", "-o", "name").split())
    with never_below(site, 4):
        site.apply(replicas=4)
        eventually(lambda: site.find(HPA) is None)
        has_replicas(site, 4)
        assert owners_of_replicas(site) >= {"weather-operator-replicas"}
        site.apply(**between(2, 6))
        eventually(lambda: site.find(HPA))
        has_replicas(site, 4)
    assert set(site.kubectl("get", "pods", "-o", "name").split()) == pods


def test_nothing_of_ours_writes_the_number_while_the_autoscaler_is_there(
    site: Site, operator: Operator, control_plane: Cluster
) -> None:
    site.apply(**between(2, 6))
    site.wait_for("Serving")
    eventually(lambda: site.find(HPA))
    since = control_plane.audit_log.stat().st_size
    play_the_load(site, 5)
    assert owners_of_replicas(site) == {"kubectl"}
    with never_below(site, 5):
        site.apply(colour="green", **between(2, 6))
        eventually(lambda: site.status().get("version") == "2.0.0")
        site.kubectl("set", "image", "deploy/london", "web=other:1")
        eventually(lambda: site.events("DriftCorrected"))
        site.kubectl("scale", "wa/london", "--replicas=1")
        site.apply(colour="green", **between(3, 8))
        eventually(lambda: site.status().get("autoscaling") == "3–8")
        operator.kill()
        operator.ensure_leading()
        site.apply(colour="yellow", **between(3, 8))
        eventually(lambda: site.status().get("version") == "1.0.0")
        has_replicas(site, 5)
    assert writes_of_replicas(site.namespace, control_plane.audit_log, since=since) == []


def test_what_kubectl_scale_asks_for_is_not_used_and_that_is_said_once(site: Site) -> None:
    site.apply(**between(2, 6))
    site.wait_for("Serving")
    site.kubectl("scale", "wa/london", "--replicas=5")
    (event,) = eventually(lambda: site.events("ScaleIgnored"))
    assert "kubectl scale to 5 is not used while autoscaling is set" in event["message"]
    assert "spec.autoscaling (2–6)" in event["message"]
    assert site.status()["ignoredReplicas"] == 5
    assert replicas(site) == 2
    site.apply(city="Paris", **between(2, 6))
    eventually(lambda: site.reason() == "Serving" and site.status()["ignoredReplicas"] == 5)
    assert [each["count"] for each in site.events("ScaleIgnored")] == [1]
    site.apply(replicas=3)
    eventually(lambda: site.status().get("ready") == "3/3")
    assert "ignoredReplicas" not in site.status()


def test_a_number_scaled_before_autoscaling_came_was_not_ignored(site: Site) -> None:
    site.apply()
    site.wait_for("Serving")
    site.kubectl("scale", "wa/london", "--replicas=3")
    has_replicas(site, 3)
    site.apply(**between(2, 6))
    eventually(lambda: site.status().get("autoscaling"))
    site.kubectl("scale", "wa/london", "--replicas=4")
    (event,) = eventually(lambda: site.events("ScaleIgnored"))
    assert "kubectl scale to 4" in event["message"]


def test_an_autoscaler_that_was_stopped_by_scaling_to_0_is_made_anew(site: Site) -> None:
    site.apply(**between(2, 6))
    site.wait_for("Serving")
    eventually(lambda: site.find(HPA))
    uid = site.get(HPA)["metadata"]["uid"]
    site.kubectl("scale", "deployment/london", "--replicas=0")
    has_replicas(site, 2)
    eventually(lambda: (made := site.find(HPA)) and made["metadata"]["uid"] != uid)


def test_what_others_do_to_the_autoscaler_is_put_right(site: Site) -> None:
    site.apply(**between(2, 6))
    site.wait_for("Serving")
    play_the_load(site, 4)
    with never_below(site, 4):
        site.kubectl("patch", HPA, "london", "-p", '{"spec": {"maxReplicas": 50}}')
        eventually(lambda: site.get(HPA)["spec"]["maxReplicas"] == 6)
        eventually(lambda: "spec.maxReplicas" in str(site.events("DriftCorrected")))
        site.kubectl("delete", HPA, "london")
        eventually(lambda: site.find(HPA))
        has_replicas(site, 4)


def test_changes_while_the_operator_is_away_are_made_good(site: Site, operator: Operator) -> None:
    site.apply(**between(2, 6))
    site.wait_for("Serving")
    play_the_load(site, 5)
    operator.kill()
    with never_below(site, 3):
        site.kubectl("delete", HPA, "london")
        site.apply(replicas=3)
        operator.ensure_leading()
        has_replicas(site, 3)
    assert site.find(HPA) is None


def test_a_foreign_autoscaler_of_this_name_is_named_and_stays(site: Site) -> None:
    site.apply()
    site.wait_for("Serving")
    site.kubectl("autoscale", "deployment/london", "--min=1", "--max=3", "--cpu=50%")
    site.apply(**between(4, 6))
    status = site.wait_for("AutoscalerConflict")
    assert "the HorizontalPodAutoscaler london sets the number of pods" in str(status)
    assert site.get(HPA)["spec"]["maxReplicas"] == 3
    assert replicas(site) == 2
    site.kubectl("delete", HPA, "london")
    has_replicas(site, 4)
