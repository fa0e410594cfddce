import pytest
from kubectl_weather.fleet import Fleet
from kubectl_weather.sites import REPLICA_SET, site
from support import families
from weather_operator.kube.resources import DEPLOYMENT, POD, Key
from weather_operator.model import WEATHER_APP

LONDON = Key(namespace="default", name="london")
APP = families.app(status=families.status("RollingOut", "1.0.0 to 2.0.0"))
DEPLOYMENT_OF_IT = families.deployment(APP, updated=1)
OLD = families.replica_set(DEPLOYMENT_OF_IT, 1, "1.0.0")
NEW = families.replica_set(DEPLOYMENT_OF_IT, 2, "2.0.0", wanted=1, ready=0)


def test_a_site_is_put_together_by_owners_the_newest_first() -> None:
    pods = [families.pod(NEW, "a", ready=False), families.pod(OLD, "c"), families.pod(OLD, "b")]
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
    stranger = families.deployment(families.app("paris"))
    assert site(APP, [stranger], [], []).deployment is None
    lost = families.pod(families.replica_set(stranger, 1, "1.0.0"), "a")
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
        ({"going": True}, "ending", "Terminating"),
    ],
)
def test_the_state_of_a_pod(given: dict[str, object], state: str, reason: str) -> None:
    found = site(APP, [DEPLOYMENT_OF_IT], [OLD], [families.pod(OLD, "a", **given)])  # type: ignore[arg-type] # a table
    assert found.deployment
    (pod,) = found.deployment.replica_sets[0].pods
    assert (pod.state, pod.reason) == (state, reason)


def test_a_status_of_an_older_spec_is_not_current() -> None:
    assert site(APP, [], [], []).current
    newer = {**APP, "metadata": {**APP["metadata"], "generation": 2}}
    assert not site(newer, [], [], []).current


def test_a_fleet_tells_which_app_each_change_is_about() -> None:
    fleet = Fleet()
    assert fleet.put(WEATHER_APP, APP) == LONDON
    assert fleet.put(DEPLOYMENT, DEPLOYMENT_OF_IT) == LONDON
    assert fleet.put(REPLICA_SET, OLD) == LONDON
    pod = families.pod(OLD, "a")
    assert fleet.put(POD, pod) == LONDON
    (found,) = fleet.sites()
    assert found.deployment
    assert found.deployment.replica_sets[0].pods[0].name == "london-1-a"
    assert fleet.remove(POD, pod) == LONDON
    (found,) = fleet.sites()
    assert found.deployment
    assert found.deployment.replica_sets[0].pods == ()
    fleet.remove(WEATHER_APP, APP)
    assert fleet.site(LONDON) is None


def test_a_new_list_forgets_what_is_gone_and_names_both() -> None:
    fleet = Fleet()
    fleet.put(WEATHER_APP, APP)
    paris = families.app("paris")
    assert fleet.replace(WEATHER_APP, [paris]) == {LONDON, Key(namespace="default", name="paris")}
    assert [each.name for each in fleet.sites()] == ["paris"]
