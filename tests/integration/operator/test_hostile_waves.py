"""Many apps at once: the first are finished soon, and users wait behind none of them."""

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import pytest
from support.deadlines import eventually
from support.fleet import Fleet
from support.kubectl import Shell, own_namespace
from support.operator import Operator, Site, audited, is_write, release
from weather_cluster.clusters import Cluster

NUMBER = 60
WORKERS = 20
"""So many passes go on at once: that many writes may be on their way already."""
NAMES = [f"app-{number}" for number in range(NUMBER)]


@pytest.fixture
def elsewhere(shell: Shell) -> Iterator[str]:
    """A namespace beside the one that the wave is in."""
    with own_namespace(shell, "elsewhere") as name:
        yield name


@pytest.fixture
def publish(shell: Shell) -> Iterator[Any]:
    """Publishes a release of version 7.0.0 with an image, for the time of a test."""
    yield lambda image: shell.apply(release("7.0.0", "violet", image))
    shell.kubectl("delete", "weatherrelease", "7.0.0")


@pytest.fixture
def bounded(operator: Operator) -> Iterator[Callable[[str], None]]:
    """Restarts the operator with another bound of the fleet, for the time of a test."""

    def restart(limit: str) -> None:
        operator.stop()
        operator.environment["MAX_CONCURRENT_ROLLOUTS"] = limit
        operator.ensure_leading()

    yield restart
    operator.stop()
    del operator.environment["MAX_CONCURRENT_ROLLOUTS"]


def first_writes(
    cluster: Cluster, namespaces: set[str], resource: str, since: int
) -> dict[str, str]:
    """When the operator first wrote this of each app, in that order."""
    written: dict[str, str] = {}
    for each in audited(cluster.audit_log, since=since):
        about = each["objectRef"]
        if (about.get("namespace") in namespaces and about["resource"] == resource) and (
            is_write(each) and each["responseStatus"]["code"] < 300
        ):
            name = f"{about['namespace']}/{about['name']}"
            written.setdefault(name, each["requestReceivedTimestamp"])
    return written


def first_changes(cluster: Cluster, sites: list[Site], since: int) -> dict[str, str]:
    """When the API server had the users' changes of these apps."""
    names = {f"{site.namespace}/{site.name}" for site in sites}
    found: dict[str, str] = {}
    for each in audited(cluster.audit_log, since=since, agent="kubectl"):
        about = each["objectRef"]
        name = f"{about.get('namespace')}/{about.get('name')}"
        if name in names and each["verb"] == "patch":
            found.setdefault(name, each["stageTimestamp"])
    return found


def test_of_many_new_apps_the_first_are_told_of_before_the_last_are_begun(
    operator: Operator, control_plane: Cluster, shell: Shell, namespace: str
) -> None:
    fleet = Fleet(shell=shell, namespace=namespace)
    wishes: dict[str, dict[str, Any]] = {name: {} for name in NAMES}
    operator.stop()
    since = control_plane.audit_log.stat().st_size
    fleet.apply(wishes)
    operator.ensure_leading()
    fleet.wait_until("Serving", wishes, seconds=300)
    order = [
        (each["objectRef"]["name"], each["objectRef"]["resource"])
        for each in audited(control_plane.audit_log, since=since)
        if is_write(each) and each["objectRef"].get("namespace") == namespace
    ]
    begun = list(dict.fromkeys(name for name, kind in order if kind == "deployments"))
    begun_at = {name: order.index((name, "deployments")) for name in begun}
    told_at = {name: order.index((name, "weatherapps")) for name in begun}
    passed_by = [
        sum(begun_at[name] < at < told_at[name] for at in begun_at.values()) for name in begun
    ]
    assert median(passed_by) < NUMBER / 3, "so many were begun before one was gone on with"


def test_a_users_change_waits_behind_no_wave_of_a_release(
    bounded: Callable[[str], None],
    control_plane: Cluster,
    shell: Shell,
    namespace: str,
    elsewhere: str,
    publish: Any,
) -> None:
    bounded("0")
    publish("weather:violet")
    fleet = Fleet(shell=shell, namespace=namespace)
    fleet.apply({name: {"version": "7.0.0", "replicas": 1} for name in NAMES})
    beside = [
        Site(shell=shell, namespace=namespace, name="beside"),
        Site(shell=shell, namespace=elsewhere, name="elsewhere"),
    ]
    for site in beside:
        site.apply(replicas=1)
        site.wait_for("Serving", seconds=300)
    eventually(lambda: all(each.get("version") for each in fleet.statuses().values()), seconds=300)
    since = control_plane.audit_log.stat().st_size
    publish("weather:violet-again")
    for site in beside:
        site.kubectl("patch", "wa", site.name, "--type=merge", "-p", '{"spec":{"city":"Paris"}}')

    def written() -> dict[str, str]:
        found = first_writes(control_plane, {namespace, elsewhere}, "deployments", since)
        assert len(found) == NUMBER + len(beside)
        return found

    order = eventually(written, seconds=300)
    changed = first_changes(control_plane, beside, since)
    for site in beside:
        name = f"{site.namespace}/{site.name}"
        overtakers = [each for each, at in order.items() if changed[name] < at < order[name]]
        assert len(overtakers) <= WORKERS, f"{name} waited for the wave"


def test_so_many_apps_roll_out_at_a_time_and_the_others_say_that_they_wait(
    bounded: Callable[[str], None], shell: Shell, namespace: str, publish: Any
) -> None:
    bounded("3")
    publish("weather:violet")
    fleet = Fleet(shell=shell, namespace=namespace)
    fleet.apply({name: {"version": "7.0.0", "replicas": 1} for name in NAMES[:20]})
    eventually(lambda: all(each.get("version") for each in fleet.statuses().values()), seconds=300)
    publish("weather:violet-again")
    most, waited = 0, set()

    def all_have_it() -> bool:
        nonlocal most
        statuses = fleet.statuses()
        rolling = [each for each in statuses.values() if "rollout" in each]
        most = max(most, len(rolling))
        for name, status in statuses.items():
            for each in status.get("conditions", ()):
                if (each["type"], each["reason"]) == ("Ready", "Waiting"):
                    waited.add(name)
                    assert "at most 3 roll out at a time" in each["message"]
        return {each.get("image") for each in statuses.values()} == {"weather:violet-again"}

    eventually(all_have_it, seconds=300)
    assert 1 <= most <= 3
    assert len(waited) > 10
