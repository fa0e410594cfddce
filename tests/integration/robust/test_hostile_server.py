"""What an API server, its etcd and whatever lies between do at their worst, on the real one."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import components
from support.deadlines import eventually
from support.faults import Matches, Proxy, Request
from support.fleet import Fleet
from support.kubectl import Shell
from support.operator import Operator, release
from weather_cluster.clusters import Cluster

BROKEN = release("9.9.9", "black", "weather-broken:9.9.9")
DEADLINE_SECONDS = 15


def of_leases(asked: Request) -> bool:
    return asked.kind == "leases" and asked.verb == "update"


def about_kind(kind: str) -> Matches:
    return lambda asked: asked.kind == kind


@pytest.fixture
def fleet(shell: Shell, namespace: str) -> Fleet:
    return Fleet(shell=shell, namespace=namespace)


@pytest.fixture
def undying(operator: Operator) -> Iterator[Operator]:
    """The operator, whose process has to outlive what a test does."""
    process = operator.process
    yield operator
    assert operator.process is process
    assert process
    assert process.poll() is None, operator.lines()[-1]


def renewals(proxy: Proxy) -> int:
    """How many renewals of the Lease were granted."""
    return sum(of_leases(asked) and status == 200 for asked, status in proxy.answered)


def renewed(proxy: Proxy, number: int) -> None:
    """Return when the Lease was renewed so many times more."""
    before = renewals(proxy)
    eventually(lambda: renewals(proxy) >= before + number)


@pytest.mark.parametrize("jump", [600, -600], ids=["ahead", "back"])
def test_a_clock_that_jumps_neither_hastens_the_end_of_a_version_nor_puts_it_off(
    jump: int, undying: Operator, proxy: Proxy, fleet: Fleet, shell: Shell
) -> None:
    shell.apply(BROKEN)
    rollout = {"progressDeadlineSeconds": DEADLINE_SECONDS, "minReadySeconds": 0}
    fleet.apply({"london": {"rollout": rollout}})
    fleet.wait_until("Serving", {"london": {}})
    began = time.monotonic()
    fleet.apply({"london": {"colour": "black", "rollout": rollout}})
    renewed(proxy, 1)
    proxy.clock_ahead_by = jump
    fleet.wait_until("RolledBack", {"london": {}}, seconds=8 * DEADLINE_SECONDS)
    assert time.monotonic() - began > DEADLINE_SECONDS / 2, "condemned by a clock"


def test_too_many_requests_for_everything_are_waited_out(
    undying: Operator, proxy: Proxy, fleet: Fleet
) -> None:
    fleet.apply({"london": {}})
    fleet.wait_until("Serving", {"london": {}})
    rule = proxy.fail(lambda _: True, 429)
    fleet.apply({"london": {"colour": "green"}})
    eventually(lambda: sum(map(of_leases, proxy.seen)) >= 3 and rule.met >= 3)
    proxy.clear()
    fleet.wait_until("Serving", {"london": {"colour": "green"}})


def test_a_renewal_that_hangs_costs_no_leadership(undying: Operator, proxy: Proxy) -> None:
    held = proxy.hold(of_leases, after=False)
    eventually(held.arrived.is_set)
    renewed(proxy, 4)
    held.let_go.set()


def test_connections_that_are_open_and_dead_cost_no_leadership(
    operator: Operator, proxy: Proxy, fleet: Fleet
) -> None:
    process = operator.process
    many = {f"app-{number}": {"replicas": 0} for number in range(20)}
    fleet.apply(many)
    fleet.wait_until("ScaledToZero", many)
    assert proxy.freeze() > 5, "a pool of connections"
    renewed(proxy, 7)
    assert process
    assert process.poll() is None
    operator.stop()
    operator.ensure_leading()


def test_an_etcd_that_is_restored_from_a_backup_is_followed(
    undying: Operator, proxy: Proxy, plane: Cluster, fleet: Fleet, tmp_path: Path
) -> None:
    fleet.apply({"london": {"colour": "yellow"}})
    fleet.wait_until("Serving", {"london": {"colour": "yellow"}})
    proxy.grant(of_leases)
    components.backup(plane, tmp_path / "etcd")
    proxy.clear()
    late = {"london": {"colour": "green"}, "paris": {}}
    fleet.apply(late)
    fleet.wait_until("Serving", late)
    proxy.grant(of_leases)
    components.restore(plane, tmp_path / "etcd")
    proxy.clear()
    assert "paris" not in fleet.statuses()
    for wish in ({"london": {"colour": "red"}}, {"paris": {"colour": "green"}}):
        fleet.apply(wish)
        fleet.wait_until("Serving", wish)
