"""What an app's status remembers: how its rollouts ended, and which revisions failed."""

from collections.abc import Mapping
from typing import Any

from weather_operator.kinds import Manifest
from weather_operator.model import WeatherApp
from weather_operator.progress import Progress, seconds_between
from weather_operator.revisions import Revision

SUCCEEDED = "Succeeded"
ROLLED_BACK = "RolledBack"
SUPERSEDED = "Superseded"

ROLLING_OUT = "RollingOut"

_FAILURES = 10
_LONGEST = 512

Status = Mapping[str, Any]


def last_good(status: Status) -> str | None:
    """Return the revision that became fully available last and has not failed since."""
    failed = {each["revision"] for each in status.get("failedRevisions", ())}
    good = (
        each["revision"]
        for each in status.get("history", ())
        if each["outcome"] == SUCCEEDED and each["revision"] not in failed
    )
    return next(good, None)


def failure(status: Status, revision: str, *, attempt: int) -> Manifest | None:
    """Return what is known of a revision's failure, None once a higher attempt is asked for."""
    for each in status.get("failedRevisions", ()):
        if each["revision"] == revision and each["attempt"] >= attempt:
            found: Manifest = each
            return found
    return None


def remember(
    app: WeatherApp, carried: Revision | None, progress: Progress, *, cause: str | None, now: str
) -> Manifest:
    """Return the history, newest first, and the failures after what was observed.

    `carried` is the revision of the live template; a `cause` says that it failed just now.
    """
    failed = list(app.status.get("failedRevisions", ()))
    history = list(app.status.get("history", ()))
    if superseded := _superseded(app.status, carried):
        history.insert(0, _entry(app.status, superseded, SUPERSEDED, now))
    if carried and (outcome := _outcome(progress, cause)):
        failed = [each for each in failed if each["revision"] != carried.revision]
        if cause is not None:
            failed.insert(0, _failure(carried, app.rollout.attempt, cause, now))
        if outcome != SUCCEEDED or last_good(app.status) != carried.revision:
            history.insert(0, _entry(app.status, carried, outcome, now))
    return {
        "failedRevisions": failed[:_FAILURES],
        "history": _bounded(history, app.rollout.history_limit),
    }


def _outcome(progress: Progress, cause: str | None) -> str | None:
    """Return how the carried revision ended now; of no pods none can have failed or done well."""
    if cause is not None:
        return ROLLED_BACK
    return SUCCEEDED if progress.complete and progress.wanted else None


def _failure(carried: Revision, attempt: int, cause: str, now: str) -> Manifest:
    return {
        "revision": carried.revision,
        "version": carried.version,
        "at": now,
        "reason": cause[:_LONGEST],
        "attempt": attempt,
    }


def _entry(status: Status, ended: Revision, outcome: str, now: str) -> Manifest:
    rollout = status.get("rollout", {})
    started = rollout["startedAt"] if rollout.get("revision") == ended.revision else now
    seconds = max(round(seconds_between(started, now)), 0)
    return {**ended.manifest(), "at": now, "outcome": outcome, "seconds": seconds}


def _superseded(status: Status, carried: Revision | None) -> Revision | None:
    """Return the revision that was being rolled out before, if it is another one by now."""
    rollout = status.get("rollout", {})
    revision = rollout.get("revision")
    if rollout.get("phase") != ROLLING_OUT or carried is None or revision == carried.revision:
        return None
    return Revision(
        revision=revision, version=rollout["to"], colour=rollout["colour"], image=rollout["image"]
    )


def _bounded(history: list[Manifest], limit: int) -> list[Manifest]:
    """Shorten the history, but never by the newest success: a rollback goes there."""
    kept = history[:limit]
    good = next((each for each in history if each["outcome"] == SUCCEEDED), None)
    return kept if good is None or good in kept else [*kept[:-1], good]
