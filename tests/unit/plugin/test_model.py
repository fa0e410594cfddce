import pytest
from kubectl_weather.model import site, to_json
from kubectl_weather.snapshot import Snapshot
from support import objects
from weather_operator.kube.resources import DEPLOYMENT, POD, REPLICA_SET, Key
from weather_operator.model import WEATHER_APP
from weather_operator.render.labels import INSTANCE_LABEL

LONDON = Key(namespace="default", name="london")
APP = objects.app(status=objects.status("RollingOut", "1.0.0 to 2.0.0"))
DEPLOYMENT_OF_IT = objects.deployment(APP, updated=1)
OLD = objects.replica_set(DEPLOYMENT_OF_IT, 1, "1.0.0")
NEW = objects.replica_set(DEPLOYMENT_OF_IT, 2, "2.0.0", desired=1, ready=0)


def test_a_site_is_put_together_by_owners_the_newest_first() -> None:
    pods = [objects.pod(NEW, "a", ready=False), objects.pod(OLD, "c"), objects.pod(OLD, "b")]
    found = site(APP, [DEPLOYMENT_OF_IT], [OLD, NEW], pods)
    assert found.deployment
    assert [(each.number, each.version, each.colour) for each in found.deployment.replica_sets] == [
        (2, "2.0.0", "green"),
        (1, "1.0.0", "yellow"),
    ]
    new, old = found.deployment.replica_sets
    assert [pod.name for pod in new.pods] == ["london-2-a"]
    assert [pod.name for pod in old.pods] == ["london-1-b", "london-1-c"]


def test_what_another_owns_is_not_part_of_it() -> None:
    stranger = objects.deployment(objects.app("paris"))
    assert site(APP, [stranger], [], []).deployment is None
    lost = objects.pod(objects.replica_set(stranger, 1, "1.0.0"), "a")
    found = site(APP, [DEPLOYMENT_OF_IT], [OLD], [lost])
    assert found.deployment
    assert found.deployment.replica_sets[0].pods == ()


@pytest.mark.parametrize(
    ("given", "state", "reason"),
    [
        ({}, "ready", "Ready"),
        ({"ready": False}, "starting", "Starting"),
        ({"ready": False, "waiting": "ContainerCreating"}, "starting", "Starting"),
        ({"ready": False, "waiting": "CrashLoopBackOff"}, "failing", "CrashLoopBackOff"),
        ({"terminating": True}, "ending", "Terminating"),
    ],
)
def test_the_state_of_a_pod(given: dict[str, object], state: str, reason: str) -> None:
    found = site(APP, [DEPLOYMENT_OF_IT], [OLD], [objects.pod(OLD, "a", **given)])  # type: ignore[arg-type] # a table
    assert found.deployment
    (pod,) = found.deployment.replica_sets[0].pods
    assert (pod.state, pod.reason) == (state, reason)


def test_a_status_of_an_older_spec_is_not_current() -> None:
    assert site(APP, [], [], []).is_current
    newer = {**APP, "metadata": {**APP["metadata"], "generation": 2}}
    assert not site(newer, [], [], []).is_current


def test_a_snapshot_returns_the_app_of_each_change() -> None:
    snapshot = Snapshot()
    assert snapshot.put(WEATHER_APP, APP) == {LONDON}
    assert snapshot.put(DEPLOYMENT, DEPLOYMENT_OF_IT) == {LONDON}
    assert snapshot.put(REPLICA_SET, OLD) == {LONDON}
    pod = objects.pod(OLD, "a")
    assert snapshot.put(POD, pod) == {LONDON}
    (found,) = snapshot.sites()
    assert found.deployment
    assert found.deployment.replica_sets[0].pods[0].name == "london-1-a"
    assert snapshot.remove(POD, pod) == {LONDON}
    (found,) = snapshot.sites()
    assert found.deployment
    assert found.deployment.replica_sets[0].pods == ()
    snapshot.remove(WEATHER_APP, APP)
    assert snapshot.site(LONDON) is None


def test_a_pod_that_is_given_another_app_s_label_leaves_the_first() -> None:
    snapshot = Snapshot()
    snapshot.put(WEATHER_APP, APP)
    snapshot.put(DEPLOYMENT, DEPLOYMENT_OF_IT)
    snapshot.put(REPLICA_SET, OLD)
    pod = objects.pod(OLD, "a")
    snapshot.put(POD, pod)
    labels = {**pod["metadata"]["labels"], INSTANCE_LABEL: "quarantine"}
    away = {**pod, "metadata": {**pod["metadata"], "labels": labels}}
    quarantine = Key(namespace="default", name="quarantine")
    assert snapshot.put(POD, away) == {LONDON, quarantine}
    (found,) = snapshot.sites()
    assert found.deployment
    assert found.deployment.replica_sets[0].pods == ()
    assert snapshot.remove(POD, away) == {quarantine}
    assert not snapshot.bodies(POD, quarantine)


def test_a_new_list_drops_what_is_gone_and_returns_both() -> None:
    snapshot = Snapshot()
    snapshot.put(WEATHER_APP, APP)
    paris = objects.app("paris")
    assert snapshot.replace(WEATHER_APP, [paris]) == {
        LONDON,
        Key(namespace="default", name="paris"),
    }
    assert [each.name for each in snapshot.sites()] == ["paris"]


def test_the_json_of_an_app_keeps_its_published_names() -> None:
    printed = to_json(site(APP, [DEPLOYMENT_OF_IT], [NEW], [objects.pod(NEW, "a")]))
    assert list(printed) == [
        "namespace",
        "name",
        "uid",
        "city",
        "version",
        "colour",
        "wanted_version",
        "ready",
        "reason",
        "message",
        "stalled",
        "current",
        "url",
        "created",
        "deployment",
        "canary",
        "trial",
        "access",
    ]
    deployment = printed["deployment"]
    (replica_set,) = deployment["replica_sets"]
    assert (deployment["wanted"], replica_set["wanted"]) == (2, 1)
    assert replica_set["pods"][0]["state"] == "ready"


def test_a_revision_number_that_somebody_has_overwritten_is_none() -> None:
    overwritten = objects.replica_set(DEPLOYMENT_OF_IT, 1, "1.0.0")
    overwritten["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "one"
    found = site(APP, [DEPLOYMENT_OF_IT], [overwritten], []).deployment
    assert found
    assert [each.number for each in found.replica_sets] == [0]
