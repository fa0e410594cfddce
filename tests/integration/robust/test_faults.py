"""The API server answers with errors, breaks off, falls silent or goes away."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest
from support import components
from support.deadlines import eventually
from support.faults import Matches, Proxy, Request
from support.fleet import Fleet, assert_alike
from support.kubectl import Shell
from support.operator import Operator
from weather_cluster.clusters import Cluster

STATUSES = (409, 410, 422, 429, 500)
FAULTS = (*(str(status) for status in STATUSES), "reset", "swallow")
APP_VERBS = (
    ("get", "deployments", ""),
    ("get", "services", ""),
    ("apply", "deployments", ""),
    ("apply", "services", ""),
    ("apply", "weatherapps", "status"),
    ("apply", "events", ""),
)
TIMES = 2


def harm(proxy: Proxy, fault: str, matches: Matches, times: int) -> None:
    if fault == "reset":
        proxy.reset(matches, times=times)
    elif fault == "swallow":
        proxy.swallow(matches, times=times)
    else:
        proxy.fail(matches, int(fault), times=times)


def about(app: str, verb: str, kind: str, subresource: str) -> Matches:
    def matches(asked: Request) -> bool:
        found = (asked.app, asked.verb, asked.kind, asked.subresource)
        return found == (app, verb, kind, subresource)

    return matches


@pytest.mark.usefixtures("operator")
def test_any_error_of_any_verb_about_an_app_ends_as_none_does(
    proxy: Proxy, shell: Shell, namespace: str
) -> None:
    fleet = Fleet(shell=shell, namespace=namespace)
    apps = {"reference": ("", "", "", "")}
    for fault in FAULTS:
        for verb, kind, subresource in APP_VERBS:
            app = f"{fault}-{verb}-{kind}"
            apps[f"f{app}"] = (fault, verb, kind, subresource)
            harm(proxy, fault, about(f"f{app}", verb, kind, subresource), TIMES)
    wishes = {app: {"colour": "green"} for app in apps}
    fleet.apply(wishes)
    fleet.wait_until("Serving", wishes)
    assert_alike(fleet, apps, "reference")
    asked = Counter(each.app for each in proxy.seen if each.namespace == namespace)
    assert max(asked.values()) < asked["reference"] + 30, "no hot loop"


PROCESS_VERBS = (
    ("list", "weatherapps"),
    ("list", "deployments"),
    ("watch", "weatherapps"),
    ("watch", "deployments"),
    ("get", "leases"),
    ("update", "leases"),
)


@pytest.mark.parametrize("fault", FAULTS)
def test_any_error_of_any_verb_of_the_process_is_survived(
    fault: str, operator: Operator, proxy: Proxy, shell: Shell, namespace: str
) -> None:
    operator.stop()
    fleet = Fleet(shell=shell, namespace=namespace)
    for verb, kind in PROCESS_VERBS:
        harm(proxy, fault, about_kind(verb, kind), 1)
    operator.ensure_leading()
    process = operator.process
    for colour in ("yellow", "green"):
        wish = {"london": {"colour": colour}}
        fleet.apply(wish)
        fleet.wait_until("Serving", wish)
    assert operator.process is process
    assert process
    assert process.poll() is None


def about_kind(verb: str, kind: str) -> Matches:
    return lambda asked: (asked.verb, asked.kind) == (verb, kind)


def test_a_stop_in_the_middle_of_a_renewal_gives_the_lease_back(
    operator: Operator, proxy: Proxy
) -> None:
    renewal = proxy.hold(about_kind("update", "leases"), after=True)
    eventually(renewal.arrived.is_set)
    operator.stop()
    renewal.let_go.set()
    assert "the lease is given back" in [line["message"] for line in operator.lines()[-2:]]


@pytest.fixture
def resyncing(operator: Operator) -> Iterator[Operator]:
    """The operator, comparing everything every second."""
    operator.stop()
    operator.environment["RESYNC_SECONDS"] = "1"
    operator.ensure_leading()
    yield operator
    operator.stop()
    del operator.environment["RESYNC_SECONDS"]


@pytest.mark.usefixtures("resyncing")
def test_what_a_silent_watch_does_not_tell_a_resync_finds(
    proxy: Proxy, shell: Shell, namespace: str
) -> None:
    fleet = Fleet(shell=shell, namespace=namespace)
    fleet.apply({"london": {}})
    fleet.wait_until("Serving", {"london": {}})
    for kind in ("weatherapps", "deployments", "services", "poddisruptionbudgets"):
        proxy.stall(kind)
    fleet.apply({"london": {"colour": "red"}})
    fleet.wait_until("Serving", {"london": {"colour": "red"}})
    shell.kubectl("-n", namespace, "delete", "service", "london")
    eventually(lambda: shell.get("-n", namespace, "services")["items"])


def test_a_restart_of_the_api_server_is_survived(
    operator: Operator, plane: Cluster, shell: Shell, namespace: str
) -> None:
    fleet = Fleet(shell=shell, namespace=namespace)
    fleet.apply({"london": {}})
    fleet.wait_until("Serving", {"london": {}})
    process = operator.process
    components.restart(plane, "kube-apiserver")
    components.wait_until_ready(plane)
    wish = {"london": {"colour": "red", "replicas": 3}}
    fleet.apply(wish)
    fleet.wait_until("Serving", wish)
    assert operator.process is process
    assert process
    assert process.poll() is None


def test_an_app_that_always_fails_delays_nobody(
    operator: Operator, proxy: Proxy, shell: Shell, namespace: str
) -> None:
    fleet = Fleet(shell=shell, namespace=namespace)
    many = {f"app-{number}": {"replicas": 0} for number in range(100)}
    poison = [f"poison-{status}" for status in STATUSES]
    for app in poison:
        proxy.fail(about(app, "apply", "deployments", ""), int(app.rpartition("-")[2]))
    fleet.apply(many | {app: {"replicas": 0} for app in poison})
    fleet.wait_until("ScaledToZero", many)
    proxy.clear_seen()
    began = time.monotonic()
    changed = {app: {"replicas": 0, "colour": "green"} for app in list(many)[:20]}
    fleet.apply(changed)
    fleet.wait_until("ScaledToZero", changed, seconds=60)
    seconds = time.monotonic() - began
    asked = Counter(each.app for each in proxy.seen if each.app in poison)
    # Their pauses have grown to seconds by now, and each try costs a few requests.
    assert max(asked.values(), default=0) <= 10 + 4 * seconds
    assert operator.lines()[-1]


def test_a_tried_app_recovers_by_itself(
    operator: Operator, proxy: Proxy, shell: Shell, namespace: str
) -> None:
    fleet = Fleet(shell=shell, namespace=namespace)
    rule = proxy.fail(about("london", "apply", "services", ""), 422)
    fleet.apply({"london": {}})
    fleet.wait_until("Blocked", {"london": {}})
    told = fleet.statuses()["london"]["blockers"]
    assert [(each["object"], each["message"]) for each in told] == [
        ("Service/london", "injected 422")
    ]
    rule.times = rule.met
    fleet.wait_until("Serving", {"london": {}})
