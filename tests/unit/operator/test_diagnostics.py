"""When pods are read: that is dear where many apps change at once."""

import asyncio
from typing import Any

import pytest
from support.manifests import app_body, deployment
from weather_operator.controller.diagnostics import (
    DIAGNOSTICS_DELAY_SECONDS,
    Diagnostics,
    diagnostics_delay,
)
from weather_operator.kube.resources import DEPLOYMENT, POD, Kind
from weather_operator.model.parsing import parse_app
from weather_operator.rollout.observed import Observed

AT = "2026-01-01T10:00:{:02}Z"
DEADLINE = "2026-01-01T10:02:00Z"
"""Two minutes, the time that an app has, after it last got further, at 10:00:00."""


class Pods:
    """Where pods are read. There are none: what matters here is whether anybody looks."""

    def __init__(self) -> None:
        self.reads = 0

    async def list(self, kind: Kind, **_selection: str) -> tuple[list[Any], str]:
        assert kind is POD
        self.reads += 1
        return [], "1"


UNDER_WAY = {
    "phase": "RollingOut",
    "to": "2.0.0",
    "revision": "r2",
    "colour": "green",
    "image": "weather:2.0.0",
}


def reads(
    *,
    second: int,
    rolling_out: int = 1,
    seen: bool = True,
    updated: int = 1,
    blocked: bool = False,
    **change: str,
) -> bool:
    """Tell whether pods are read, so many seconds after an app last got further."""
    before = {"updatedReplicas": 1, "availableReplicas": 2, "replicas": 3}
    rollout: dict[str, Any] = {
        **UNDER_WAY,
        "startedAt": "2026-01-01T09:50:00Z",
        "progressedAt": AT.format(0),
        "deadline": DEADLINE,
        "reached": {"desired": 2, "updated": 1, "available": 2, "old": 2},
        **change,
    }
    known = [{"reason": "Unhealthy", "message": "", "since": AT.format(0)}] if blocked else []
    app = parse_app(app_body(status={**before, "rollout": rollout, "blockers": known}))
    live = deployment(replicas=3, updated=updated, available=2, observed=seen)
    pods = Pods()
    diagnostics = Diagnostics(pods)  # type: ignore[arg-type] # the one verb that it uses
    observed = Observed(app=app, now=AT.format(second), children={(DEPLOYMENT, "london"): live})
    found = diagnostics.pod_blockers(observed, delay=diagnostics_delay(rolling_out))
    asyncio.run(found)
    return pods.reads > 0


@pytest.mark.parametrize(
    ("second", "rolling_out", "expected"),
    [(2, 1, False), (3, 1, True), (3, 30, True), (9, 100, False), (10, 100, True)],
)
def test_a_change_that_gets_no_further_is_asked_about_sooner_where_few_change(
    second: int, rolling_out: int, expected: bool
) -> None:
    assert reads(second=second, rolling_out=rolling_out) is expected


def test_nothing_is_asked_before_the_controller_has_seen_the_change() -> None:
    assert not reads(second=30, seen=False)


def test_nothing_is_asked_of_a_change_that_just_got_further() -> None:
    assert not reads(second=30, updated=2)


def test_what_was_in_the_way_is_asked_about_again_although_the_change_got_further() -> None:
    assert reads(second=1, updated=2, blocked=True)


def test_past_its_deadline_a_change_is_asked_about_whatever_else_goes_on() -> None:
    past = AT.format(1)
    assert reads(second=1, rolling_out=10_000, seen=False, deadline=past)


def test_all_changes_together_ask_ten_times_a_second_at_most() -> None:
    assert diagnostics_delay(0) == DIAGNOSTICS_DELAY_SECONDS
    assert all(number / diagnostics_delay(number) <= 10 for number in (1, 100, 1000, 10_000))


OVERDUE = {**UNDER_WAY, "startedAt": AT.format(0), "deadline": AT.format(9)}


def found(*, failure: str = "", now: str = AT.format(10), seen: bool = True) -> list[str]:
    """The blockers of a change that should have got further at 10:00:09; there are no pods."""
    live = deployment(replicas=3, updated=1, available=2, observed=seen)
    if failure:
        condition = {"type": "ReplicaFailure", "status": "True", "message": failure}
        live["status"]["conditions"] = [condition]
    app = parse_app(app_body(status={"rollout": OVERDUE}))
    observed = Observed(app=app, now=now, children={(DEPLOYMENT, "london"): live})
    diagnostics = Diagnostics(Pods())  # type: ignore[arg-type] # the one verb that it uses
    blockers = asyncio.run(diagnostics.pod_blockers(observed, delay=3))
    assert not any(each.condemns for each in blockers)
    return [f"{each.reason} {each.object}: {each.message}" for each in blockers]


def test_past_its_deadline_a_change_always_names_what_is_late() -> None:
    assert found(now=AT.format(8)) == []
    missing = "PodsMissing Deployment/london: its controller has not"
    assert found() == [f"{missing} made the new pods yet"]
    assert found(seen=False) == [f"{missing} seen the change yet"]


def test_what_refuses_the_pods_is_told_at_once_and_after_the_deadline() -> None:
    for now in (AT.format(1), AT.format(10)):
        (only,) = found(failure="exceeded quota: small", now=now)
        assert only == "QuotaExceeded Deployment/london: exceeded quota: small"
