from typing import Any

from support.manifests import app_body, template
from weather_operator.model import WeatherApp
from weather_operator.model.parsing import parse_app
from weather_operator.rollout.progress import Progress
from weather_operator.rollout.revisions import Revision, revision_in
from weather_operator.rollout.state import (
    RolloutState,
    last_good,
    record_outcome,
    rollout_state,
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
    rollout = {
        "phase": "RollingOut", "revision": "r2", "to": "2.0.0", "colour": "green",
        "image": "weather:2.0.0", "startedAt": "2026-01-01T09:59:18Z",
    }  # fmt: skip
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
    (failed,) = found["failedRevisions"]
    assert failed == {
        "revision": "r2",
        "version": "2.0.0",
        "image": R2.image,
        "at": NOW,
        "reason": "it crashed",
        "attempt": 2,
    }
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


class Rollout:
    """A rollout of 2.0.0 over 1.0.0, pass after pass: each status is what the next one reads."""

    def __init__(self, **spec: Any) -> None:
        self.status: dict[str, Any] = {"version": "1.0.0", "replicas": 2, "history": [entry(R1)]}
        self.spec = spec

    def look(self, now: str, *, timed: bool = True, **progress: Any) -> RolloutState:
        """What is seen at this time."""
        seen: dict[str, Any] = {
            "desired": 2,
            "replicas": 3,
            "updated": 1,
            "available": 2,
            "observed": True,
        }
        app = parse_app(app_body(status=self.status, rollout=self.spec))
        found = rollout_state(
            app, R2, Progress(**{**seen, **progress}), now=now, has_deadline=timed
        )
        assert found
        self.status["rollout"] = found.manifest()
        return found


def at(seconds: int) -> str:
    return f"2026-01-01T10:{seconds // 60:02}:{seconds % 60:02}Z"


def test_what_gets_further_has_longer() -> None:
    rollout = Rollout()
    assert rollout.look(at(0)).deadline == at(120)
    assert rollout.look(at(50), updated=2, replicas=3).deadline == at(170)
    assert rollout.look(at(60), updated=2, replicas=2, available=1).deadline == at(180)


def test_pods_that_come_and_go_again_are_no_progress() -> None:
    rollout = Rollout()
    rollout.look(at(0))
    for second in range(4, 100, 4):
        flips = second // 4 % 2
        found = rollout.look(at(second), updated=1 - flips, available=2 - flips, replicas=3 - flips)
        assert found.deadline == at(120)


def test_scaling_is_no_progress() -> None:
    rollout = Rollout()
    rollout.look(at(0))
    for second, desired in enumerate((3, 2, 5, 2, 9), start=10):
        pods: dict[str, Any] = {"desired": desired, "replicas": desired + 1, "available": desired}
        assert rollout.look(at(second), **pods).deadline == at(120)
    # Two of the two pods that were wanted all the time are new; those beyond count for nothing.
    for second, updated in ((60, 2), (70, 5), (80, 9)):
        found = rollout.look(at(second), desired=9, replicas=12, updated=updated, available=9)
        assert found.deadline == at(180)


def test_nothing_has_begun_before_its_controller_has_seen_it() -> None:
    rollout = Rollout()
    stale: dict[str, Any] = {"observed": False, "updated": 2, "replicas": 2}
    found = rollout.look(at(0), **stale)
    assert (found.deadline, found.reached, found.started_at) == (None, None, at(0))
    assert rollout.look(at(30)).deadline == at(150)
    # A number changes in between: what is not seen yet is neither progress nor a new beginning.
    assert rollout.look(at(40), **stale).deadline == at(150)


def test_a_time_that_a_fast_clock_wrote_is_not_believed() -> None:
    rollout = Rollout()
    rollout.look("2026-01-01T10:10:00Z")
    assert rollout.look(at(0)).deadline == at(120)
    assert rollout.look(at(60)).deadline == at(120)


def test_a_changed_deadline_counts_from_the_last_progress() -> None:
    rollout = Rollout()
    rollout.look(at(0))
    rollout.spec = {"progressDeadlineSeconds": 30}
    assert rollout.look(at(10)).deadline == at(30)


def test_a_pause_and_a_new_attempt_begin_anew() -> None:
    rollout = Rollout()
    rollout.look(at(0))
    assert rollout.look(at(10), timed=False).deadline is None
    assert rollout.look(at(60)).deadline == at(180)
    rollout.spec = {"attempt": 1}
    found = rollout.look(at(90))
    assert (found.started_at, found.deadline) == (at(90), at(210))


def test_what_goes_back_to_the_last_good_one_in_the_middle_is_no_scaling() -> None:
    rollout = Rollout()
    rollout.look(at(0))
    stale = Progress(desired=2, replicas=2, updated=2)
    back = parse_app(app_body(status=rollout.status))
    found = rollout_state(back, R1, stale, now=at(5), has_deadline=True)
    assert found
    assert found.phase == "RollingOut"
