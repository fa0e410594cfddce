"""The operator is killed before and after every single write, and starts again.

One app for each point at which it can die: the proxy holds each app's n-th write until all are
held, then the process is killed once. What comes of them is compared with an app left in peace.
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from support.deadlines import eventually
from support.faults import WRITES, Held, Proxy
from support.fleet import Fleet, assert_alike
from support.kubectl import Shell
from support.operator import Operator, release

Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a user does: from an app that serves, or from none, to another wish."""

    before: Spec | None
    after: Spec
    ends: str = "Serving"


# kwok's nodes have no address, so no NodePort has a URL.
NODE_PORT = {"service": {"type": "NodePort", "port": 8080}}

BROKEN = release("9.9.9", "black", "weather-broken:9.9.9")
SOON = {"progressDeadlineSeconds": 10, "minReadySeconds": 0}

WORK = {
    "create": Work(before=None, after={"colour": "green"}),
    "upgrade": Work(before={"colour": "yellow"}, after={"colour": "green"}),
    "downgrade": Work(before={"colour": "red"}, after={"colour": "green"}),
    "scale": Work(before={"replicas": 1}, after={"replicas": 3}),
    "type": Work(before={}, after=NODE_PORT, ends="AddressPending"),
    "rollback": Work(
        before={"rollout": SOON}, after={"colour": "black", "rollout": SOON}, ends="RolledBack"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What work that nobody disturbed left behind, and what it took."""

    writes: int
    to_children: int
    changes: Counter[tuple[str, str]]
    world: dict[str, Any]


def changes(proxy: Proxy, app: str) -> Counter[tuple[str, str]]:
    """The objects of an app that were created and deleted through the proxy."""
    found: Counter[tuple[str, str]] = Counter()
    for asked, status in proxy.answered:
        if asked.app == app and asked.kind not in ("events", "leases"):
            if asked.verb in ("apply", "create") and status == 201:
                found["create", asked.kind] += 1
            if asked.verb == "delete" and status == 200:
                found["delete", asked.kind] += 1
    return found


def rest(proxy: Proxy) -> None:
    """Return when the operator has written nothing for a second."""

    def rests() -> bool:
        return time.monotonic() - proxy.last_write > 1

    eventually(rests)


def settle(fleet: Fleet, proxy: Proxy, apps: Mapping[str, Spec], ends: str = "Serving") -> None:
    fleet.apply(apps)
    fleet.wait_until(ends, apps)
    rest(proxy)


def undisturbed(fleet: Fleet, proxy: Proxy, work: Work) -> Reference:
    """Do the work in peace."""
    app = "reference"
    if work.before is not None:
        settle(fleet, proxy, {app: work.before})
    proxy.clear()
    settle(fleet, proxy, {app: work.after}, work.ends)
    writes = [each.kind for each in proxy.seen if each.app == app and each.verb in WRITES]
    return Reference(
        writes=len(writes),
        to_children=sum(kind not in ("weatherapps", "events") for kind in writes),
        changes=changes(proxy, app),
        world=fleet.worlds()[app],
    )


def hold_each(proxy: Proxy, writes: int) -> dict[str, Held]:
    """Arm a hold for one app at each point, before and after each write."""

    def hold(app: str, number: int, *, after: bool) -> Held:
        return proxy.hold(lambda asked: (asked.app, asked.number) == (app, number), after=after)

    return {
        f"dies-{'after' if after else 'before'}-{number}": hold(
            f"dies-{'after' if after else 'before'}-{number}", number, after=after
        )
        for number in range(1, writes + 1)
        for after in (False, True)
    }


def kill_at_the_points(
    operator: Operator, held: dict[str, Held], fleet: Fleet, work: Work
) -> set[str]:
    """Kill the operator once every app is held, or is done without having come to its point."""

    def missing() -> dict[str, Spec]:
        return {app: work.after for app, each in held.items() if not each.arrived.is_set()}

    def all_there() -> bool:
        if apps := missing():
            fleet.assert_told(work.ends, apps)
        return True

    eventually(all_there, every=0.5)
    missed = set(missing())
    operator.kill()
    for each in held.values():
        each.let_go.set()
    return missed


@pytest.mark.parametrize("name", WORK)
def test_a_kill_at_any_write_ends_as_no_kill_does(
    name: str, operator: Operator, proxy: Proxy, shell: Shell, namespace: str
) -> None:
    work = WORK[name]
    shell.apply(BROKEN)
    fleet = Fleet(shell=shell, namespace=namespace)
    reference = undisturbed(fleet, proxy, work)
    held = hold_each(proxy, reference.writes)
    if work.before is not None:
        proxy.clear()
        settle(fleet, proxy, dict.fromkeys(held, work.before))
        proxy.clear()
        held = hold_each(proxy, reference.writes)
    fleet.apply(dict.fromkeys(held, work.after))
    missed = kill_at_the_points(operator, held, fleet, work)
    operator.ensure_leading()
    fleet.wait_until(work.ends, dict.fromkeys(held, work.after))
    rest(proxy)
    assert_alike(fleet, held, reference.world)
    assert {app: changes(proxy, app) for app in held} == dict.fromkeys(held, reference.changes)
    # Of what tells of progress there is more or less, as the pods come up.
    assert len(held) - len(missed) >= 2 * (reference.to_children + 1)
