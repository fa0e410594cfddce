from typing import Any

from support.manifests import app_body, template
from weather_operator.model import WeatherApp, parse_app
from weather_operator.rollout.revisions import Revision, revision_in
from weather_operator.rollout.state import Progress, last_good, remember

NOW = "2026-01-01T10:00:00Z"
DONE = Progress(wanted=2, replicas=2, updated=2, ready=2, available=2, observed=True)
HALF = Progress(wanted=2, replicas=3, updated=1, ready=2, available=2, observed=True)


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
    found = remember(app(history=[entry(R1)], rollout=rollout), R2, DONE, cause=None, now=NOW)
    assert found["history"][0] == {
        **R2.manifest(), "at": NOW, "outcome": "Succeeded", "seconds": 42,
    }  # fmt: skip
    again = remember(app(**found), R2, DONE, cause=None, now=NOW)
    assert again == found


def test_a_failure_is_remembered_with_its_cause_and_attempt() -> None:
    found = remember(app(history=[entry(R1)], attempt=2), R2, HALF, cause="it crashed", now=NOW)
    assert outcomes(found) == [("2.0.0", "RolledBack"), ("1.0.0", "Succeeded")]
    assert found["failedRevisions"] == [
        {"revision": "r2", "version": "2.0.0", "at": NOW, "reason": "it crashed", "attempt": 2}
    ]
    healed = remember(app(**found), R2, DONE, cause=None, now=NOW)
    assert healed["failedRevisions"] == []
    assert outcomes(healed)[0] == ("2.0.0", "Succeeded")


def test_another_wish_supersedes_the_one_on_its_way() -> None:
    rollout = {
        "phase": "RollingOut", "revision": "r2", "to": "2.0.0", "colour": "green",
        "image": "weather:2.0.0", "startedAt": "2026-01-01T09:59:50Z",
    }  # fmt: skip
    found = remember(app(history=[entry(R1)], rollout=rollout), R3, HALF, cause=None, now=NOW)
    assert found["history"][0] == {
        **R2.manifest(), "at": NOW, "outcome": "Superseded", "seconds": 10,
    }  # fmt: skip
    both = remember(app(history=[entry(R1)], rollout=rollout), R3, DONE, cause=None, now=NOW)
    assert outcomes(both)[:2] == [("3.0.0", "Succeeded"), ("2.0.0", "Superseded")]


def test_no_pods_prove_nothing() -> None:
    off = Progress(wanted=0, observed=True)
    assert outcomes(remember(app(), R2, off, cause=None, now=NOW)) == []


def test_the_history_keeps_the_last_good_whatever_the_limit() -> None:
    tries = [entry(R3, "RolledBack"), entry(R2, "RolledBack"), entry(R1), entry(R3, "Superseded")]
    for limit, kept in ((1, ["r1"]), (2, ["r3", "r1"]), (3, ["r3", "r2", "r1"])):
        found = remember(app(history=tries, limit=limit), R1, HALF, cause=None, now=NOW)
        assert [each["revision"] for each in found["history"]] == kept


def test_the_last_good_is_the_newest_success_that_has_not_failed_since() -> None:
    history = [entry(R3, "RolledBack"), entry(R2), entry(R1)]
    assert last_good({"history": history}) == "r2"
    assert last_good({"history": history, "failedRevisions": [{"revision": "r2"}]}) == "r1"
    assert last_good({}) is None
