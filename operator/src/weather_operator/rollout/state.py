"""How far a change is, since when and until when it may take, and how those before it ended."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from weather_operator.kube.resources import Manifest
from weather_operator.model import WeatherApp
from weather_operator.rollout.revisions import Revision

Status = Mapping[str, Any]

ROLLING_OUT, ROLLING_BACK, SCALING = "RollingOut", "RollingBack", "Scaling"
"""The phases of a change."""

SUCCEEDED, ROLLED_BACK, SUPERSEDED = "Succeeded", "RolledBack", "Superseded"
"""The outcomes that the history tells."""

_MOST_FAILURES = 10
_LONGEST_REASON = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a Deployment is, in pods. `failure` is in its controller's own words."""

    desired: int
    replicas: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    observed: bool = False
    failure: str = ""

    @property
    def complete(self) -> bool:
        """Whether every desired pod is of the newest revision and available, and no other left."""
        return self.observed and (self.desired == self.replicas == self.updated == self.available)

    def has_progressed_since(self, status: Mapping[str, Any]) -> bool:
        """Tell whether a rollout got further since a status was written.

        A pod that turns ready and crashes again and again is no progress: it neither lets another
        one be updated nor an old one go.
        """
        updated: int = status.get("updatedReplicas", 0)
        available: int = status.get("availableReplicas", 0)
        outdated: int = status.get("replicas", 0) - updated
        return (
            self.updated > updated
            or self.available > available
            or self.replicas - self.updated < outdated
        )


def progress_of(deployment: Manifest | None, *, desired: int) -> Progress:
    """Read a live Deployment; without one, nothing of the desired number is there."""
    if deployment is None:
        return Progress(desired=desired)
    status: Manifest = deployment.get("status", {})
    conditions = {each["type"]: each for each in status.get("conditions", ())}
    failed = conditions.get("ReplicaFailure", {})
    return Progress(
        desired=deployment["spec"].get("replicas", desired),
        replicas=status.get("replicas", 0),
        updated=status.get("updatedReplicas", 0),
        ready=status.get("readyReplicas", 0),
        available=status.get("availableReplicas", 0),
        observed=status.get("observedGeneration", 0) >= deployment["metadata"]["generation"],
        failure=failed.get("message", "") if failed.get("status") == "True" else "",
    )


def min_available(desired: int, max_unavailable: int | str) -> int:
    """Return how many of the desired pods may not be missing; of any there are, at least one.

    `max_unavailable` is a number or a percentage, which the Deployment's controller rounds down.
    """
    if isinstance(max_unavailable, str):
        max_unavailable = math.floor(desired * int(max_unavailable.removesuffix("%")) / 100)
    return max(desired - max_unavailable, min(desired, 1))


def seconds_between(start: str, end: str) -> float:
    """Return how long it is from one time in RFC 3339 to another."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def later(time: str, seconds: int) -> str:
    """Return the time in RFC 3339 so many seconds after another."""
    moment = datetime.fromisoformat(time) + timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutState:
    """A change that is under way, from the version `source` to the revision `target`.

    `min_available` is how many pods serve meanwhile; times are in RFC 3339.
    """

    phase: str
    source: str | None
    target: Revision
    min_available: int
    started_at: str
    deadline: str | None = None

    def is_overdue(self, now: str) -> bool:
        """Tell whether the deadline has passed."""
        return self.deadline is not None and self.deadline <= now

    def manifest(self) -> Manifest:
        """Return the change as the status shows it."""
        shown = {
            "phase": self.phase,
            "from": self.source,
            "to": self.target.version,
            "revision": self.target.revision,
            "colour": self.target.colour,
            "image": self.target.image,
            "floor": self.min_available,
            "startedAt": self.started_at,
            "deadline": self.deadline,
        }
        return {name: value for name, value in shown.items() if value is not None}


def rollout_state(
    app: WeatherApp, live: Revision | None, progress: Progress, *, now: str, has_deadline: bool
) -> RolloutState | None:
    """Return the change that the live revision is in, None where there is none.

    A change keeps its start, and its deadline too as long as it gets no further and the app's spec
    stays the same. Scaling has no deadline, nor has what stands still.
    """
    if live is None or progress.complete:
        return None
    phase = _phase(app, live, progress)
    before = app.status.get("rollout", {})
    same = (before.get("phase"), before.get("revision")) == (phase, live.revision)
    timed = phase != SCALING and has_deadline
    return RolloutState(
        phase=phase,
        source=before.get("from") if same else app.status.get("version"),
        target=live,
        min_available=_min_available(app, progress),
        started_at=before["startedAt"] if same else now,
        deadline=_deadline(app, progress, before if same else {}, now) if timed else None,
    )


def rollback_state(app: WeatherApp, failed: Revision, good: Revision, *, now: str) -> RolloutState:
    """Return the change that begins when a revision has failed."""
    before = app.status.get("rollout", {})
    begun = (before.get("phase"), before.get("revision")) == (ROLLING_BACK, good.revision)
    return RolloutState(
        phase=ROLLING_BACK,
        source=failed.version,
        target=good,
        min_available=before.get("floor", 0),
        started_at=before["startedAt"] if begun else now,
    )


def _phase(app: WeatherApp, live: Revision, progress: Progress) -> str:
    """Tell a rollout from a change of number; one that began as a rollout stays one to its end."""
    before = app.status.get("rollout", {})
    if before.get("revision") == live.revision and before["phase"] != SCALING:
        phase: str = before["phase"]
        return phase
    proven = last_good(app.status) == live.revision
    return SCALING if proven and progress.updated == progress.replicas else ROLLING_OUT


def _min_available(app: WeatherApp, progress: Progress) -> int:
    """Return the smaller of the old and the new minimum.

    A first rollout, and one that ends being switched off, have no old one.
    """
    limit = app.rollout.max_unavailable
    new = min_available(progress.desired, limit)
    served = app.status.get("replicas", 0) if "version" in app.status else 0
    old = app.status.get("rollout", {}).get("floor") or min_available(served, limit)
    return min(old or new, new)


def _deadline(app: WeatherApp, progress: Progress, before: Manifest, now: str) -> str | None:
    fresh = app.status.get("observedGeneration") != app.generation
    deadline: str | None = before.get("deadline")
    if deadline and not fresh and not progress.has_progressed_since(app.status):
        return deadline
    # What the Deployment's controller has not seen yet has not begun.
    begun = deadline is not None or progress.observed
    return later(now, app.rollout.progress_deadline_seconds) if begun else None


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


def record_outcome(
    app: WeatherApp, live: Revision | None, progress: Progress, *, cause: str | None, now: str
) -> Manifest:
    """Return the history, newest first, and the failures after what was observed.

    `live` is the revision of the live template; a `cause` says that it failed just now.
    """
    failed = list(app.status.get("failedRevisions", ()))
    history = list(app.status.get("history", ()))
    if superseded := _superseded(app.status, live):
        history.insert(0, _entry(app.status, superseded, SUPERSEDED, now))
    if live and (outcome := _outcome(progress, cause)):
        failed = [each for each in failed if each["revision"] != live.revision]
        if cause is not None:
            failed.insert(0, _failure(live, app.rollout.attempt, cause, now))
        if outcome != SUCCEEDED or last_good(app.status) != live.revision:
            history.insert(0, _entry(app.status, live, outcome, now))
    return {
        "failedRevisions": failed[:_MOST_FAILURES],
        "history": _bounded(history, app.rollout.history_limit),
    }


def _outcome(progress: Progress, cause: str | None) -> str | None:
    """Return how the live revision ended now; of no pods none can have failed or done well."""
    if cause is not None:
        return ROLLED_BACK
    return SUCCEEDED if progress.complete and progress.desired else None


def _failure(live: Revision, attempt: int, cause: str, now: str) -> Manifest:
    return {
        "revision": live.revision,
        "version": live.version,
        "at": now,
        "reason": cause[:_LONGEST_REASON],
        "attempt": attempt,
    }


def _entry(status: Status, ended: Revision, outcome: str, now: str) -> Manifest:
    rollout = status.get("rollout", {})
    started = rollout["startedAt"] if rollout.get("revision") == ended.revision else now
    seconds = max(round(seconds_between(started, now)), 0)
    return {**ended.manifest(), "at": now, "outcome": outcome, "seconds": seconds}


def _superseded(status: Status, live: Revision | None) -> Revision | None:
    """Return the revision that was being rolled out before, if it is another one by now."""
    rollout = status.get("rollout", {})
    revision = rollout.get("revision")
    if rollout.get("phase") != ROLLING_OUT or live is None or revision == live.revision:
        return None
    return Revision(
        revision=revision, version=rollout["to"], colour=rollout["colour"], image=rollout["image"]
    )


def _bounded(history: list[Manifest], limit: int) -> list[Manifest]:
    """Shorten the history, but never by the newest success: a rollback goes there."""
    kept = history[:limit]
    good = next((each for each in history if each["outcome"] == SUCCEEDED), None)
    return kept if good is None or good in kept else [*kept[:-1], good]
