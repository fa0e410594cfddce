from typing import Any

import pytest
from support.manifests import app_body, deployment, template
from weather_operator.model import WeatherApp, parse_app
from weather_operator.rollout.revisions import Revision, revision_in
from weather_operator.rollout.state import (
    Progress,
    last_good,
    min_available,
    progress_of,
    record_outcome,
)

NOW = "2026-01-01T10:00:00Z"
DONE = Progress(desired=2, replicas=2, updated=2, ready=2, available=2, observed=True)
HALF = Progress(desired=2, replicas=3, updated=1, ready=2, available=2, observed=True)


def revision(version: str) -> Revision:
    found = revision_in(template(version))
    assert found
    return found


R1, R2, R3 = map(revision, ("1.0.0", "2.0.0", "3.0.0"))


def entry(one: Revision, outcome: str = "Succeeded") -> dict[str, Any]:
    return {**one.manifest(), "at": "before", "outcome": outcome, "seconds": 1}


def app(*, limit: int = 10, attempt: int = 0, **status: Any) -> WeatherApp:
    return parse_app(app_body(status=status, rollout={"historyLimit": limit, "attempt": attempt}))


def outcomes(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["version"], each["outcome"]) for each in found["history"]]


def test_a_success_is_told_once_with_its_duration() -> None:
    rollout = {"revision": "r2", "startedAt": "2026-01-01T09:59:18Z", "phase": "RollingOut"}
    found = record_outcome(app(history=[entry(R1)], rollout=rollout), R2, DONE, cause=None, now=NOW)
    assert found["history"][0] == {
        **R2.manifest(), "at": NOW, "outcome": "Succeeded", "seconds": 42,
    }  # fmt: skip
    again = record_outcome(app(**found), R2, DONE, cause=None, now=NOW)
    assert again == found


def test_a_failure_is_remembered_with_its_cause_and_attempt() -> None:
    found = record_outcome(
        app(history=[entry(R1)], attempt=2), R2, HALF, cause="it crashed", now=NOW
    )
    assert outcomes(found) == [("2.0.0", "RolledBack"), ("1.0.0", "Succeeded")]
    assert found["failedRevisions"] == [
        {"revision": "r2", "version": "2.0.0", "at": NOW, "reason": "it crashed", "attempt": 2}
    ]
    healed = record_outcome(app(**found), R2, DONE, cause=None, now=NOW)
    assert healed["failedRevisions"] == []
    assert outcomes(healed)[0] == ("2.0.0", "Succeeded")


def test_another_wish_supersedes_the_one_on_its_way() -> None:
    rollout = {
        "phase": "RollingOut", "revision": "r2", "to": "2.0.0", "colour": "green",
        "image": "weather:2.0.0", "startedAt": "2026-01-01T09:59:50Z",
    }  # fmt: skip
    found = record_outcome(app(history=[entry(R1)], rollout=rollout), R3, HALF, cause=None, now=NOW)
    assert found["history"][0] == {
        **R2.manifest(), "at": NOW, "outcome": "Superseded", "seconds": 10,
    }  # fmt: skip
    both = record_outcome(app(history=[entry(R1)], rollout=rollout), R3, DONE, cause=None, now=NOW)
    assert outcomes(both)[:2] == [("3.0.0", "Succeeded"), ("2.0.0", "Superseded")]


def test_no_pods_prove_nothing() -> None:
    off = Progress(desired=0, observed=True)
    assert outcomes(record_outcome(app(), R2, off, cause=None, now=NOW)) == []


def test_the_history_keeps_the_last_good_whatever_the_limit() -> None:
    tries = [entry(R3, "RolledBack"), entry(R2, "RolledBack"), entry(R1), entry(R3, "Superseded")]
    for limit, kept in ((1, ["r1"]), (2, ["r3", "r1"]), (3, ["r3", "r2", "r1"])):
        found = record_outcome(app(history=tries, limit=limit), R1, HALF, cause=None, now=NOW)
        assert [each["revision"] for each in found["history"]] == kept


def test_the_last_good_is_the_newest_success_that_has_not_failed_since() -> None:
    history = [entry(R3, "RolledBack"), entry(R2), entry(R1)]
    assert last_good({"history": history}) == "r2"
    assert last_good({"history": history, "failedRevisions": [{"revision": "r2"}]}) == "r1"
    assert last_good({}) is None


@pytest.mark.parametrize(
    ("desired", "unavailable", "expected"),
    [(3, 0, 3), (3, 1, 2), (3, "50%", 2), (10, "25%", 8), (1, 1, 1), (2, "100%", 1), (0, 0, 0)],
)
def test_the_minimum_available(desired: int, unavailable: int | str, expected: int) -> None:
    assert min_available(desired, unavailable) == expected


def test_a_pod_that_flaps_is_no_progress() -> None:
    status = {"replicas": 3, "updatedReplicas": 1, "availableReplicas": 2, "readyReplicas": 2}
    flapping = deployment(replicas=3, updated=1, available=2)
    flapping["status"]["readyReplicas"] = 3
    assert not progress_of(flapping, desired=2).has_progressed_since(status)
    assert progress_of(
        deployment(replicas=2, updated=1, available=2), desired=2
    ).has_progressed_since(status)
