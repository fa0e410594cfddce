"""How far a change is, since when and until when it may take, and how those before it ended."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from weather_operator.kube.resources import Manifest
from weather_operator.model import Release, WeatherApp
from weather_operator.render.load_balancers import progress_deadline_seconds
from weather_operator.rollout.progress import Progress, Reached, min_available, reached_before
from weather_operator.rollout.revisions import Revision
from weather_operator.rollout.trial import PROMOTING, ROLLING, Trial

Status = Mapping[str, Any]

ROLLING_OUT, ROLLING_BACK, SCALING = ROLLING
"""The phases of a change."""

_ROLLOUTS = (ROLLING_OUT, ROLLING_BACK, PROMOTING)

SUCCEEDED, ROLLED_BACK, SUPERSEDED = "Succeeded", "RolledBack", "Superseded"
"""The outcomes that the history tells."""

_MOST_FAILURES = 10
_LONGEST_REASON = 512


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

    `min_available` is how many pods serve meanwhile. `attempt` is the spec's, `reached` how far it
    has been, None before the Deployment's controller has seen it. It `progressed_at` last, and has
    until its `deadline` to get further; both are None for what has no deadline. Times are in
    RFC 3339. `trial` is there while pods are tried beside those that serve.
    """

    phase: str
    source: str | None
    target: Revision
    min_available: int
    attempt: int
    started_at: str
    reached: Reached | None = None
    progressed_at: str | None = None
    deadline: str | None = None
    trial: Trial | None = None

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
            "attempt": self.attempt,
            "reached": self.reached and self.reached.manifest(),
            "startedAt": self.started_at,
            "progressedAt": self.progressed_at,
            "deadline": self.deadline,
            **(self.trial.manifest() if self.trial else {}),
        }
        return {name: value for name, value in shown.items() if value is not None}


def rollout_state(
    app: WeatherApp, live: Revision | None, progress: Progress, *, now: str, has_deadline: bool
) -> RolloutState | None:
    """Return the change that the live revision is in, None where there is none.

    A change keeps its start, and its deadline too as long as it gets no further: whatever else of
    the spec changes, but for a higher attempt. Scaling has no deadline, nor has what stands still.
    """
    if live is None or progress.complete:
        return None
    phase = _phase(app, live, progress)
    before = app.status.get("rollout", {})
    known = (before.get("phase"), before.get("revision"), before.get("attempt"))
    same = known == (phase, live.revision, app.rollout.attempt)
    before = before if same else {}
    reached = _reached(before, progress)
    at = None
    if phase != SCALING and has_deadline:
        at = progressed_at(before, reached, now)
    limit = progress_deadline_seconds(app)
    return RolloutState(
        phase=phase,
        source=before.get("from") if same else app.status.get("version"),
        target=live,
        min_available=_min_available(app, progress),
        attempt=app.rollout.attempt,
        started_at=started_at(before, now),
        reached=reached,
        progressed_at=at,
        deadline=later(at, limit) if at else None,
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
        attempt=app.rollout.attempt,
        started_at=started_at(before if begun else {}, now),
    )


def _phase(app: WeatherApp, live: Revision, progress: Progress) -> str:
    """Tell a rollout from a change of number; one that began as a rollout stays one to its end."""
    before = app.status.get("rollout", {})
    if before.get("revision") == live.revision and before["phase"] in _ROLLOUTS:
        phase: str = before["phase"]
        return phase
    is_other = before.get("revision", live.revision) != live.revision
    proven = last_good(app.status) == live.revision and not is_other
    return SCALING if proven and progress.updated == progress.replicas else ROLLING_OUT


def _min_available(app: WeatherApp, progress: Progress) -> int:
    """Return the smaller of the old and the new minimum.

    A first rollout, and one that ends being switched off, have no old one.
    """
    new = min_available(progress.desired, app.rollout)
    served = app.status.get("replicas", 0) if "version" in app.status else 0
    old = app.status.get("rollout", {}).get("floor") or min_available(served, app.rollout)
    return min(old or new, new)


def _reached(before: Manifest, progress: Progress) -> Reached | None:
    known = reached_before(before)
    if not progress.observed:
        return known
    return known.after(progress) if known else Reached.of(progress)


def started_at(before: Manifest, now: str) -> str:
    """Return when a change began: now where it is new, or a fast clock wrote another time."""
    at: str = before.get("startedAt", now)
    return min(at, now)


def progressed_at(before: Manifest, reached: Reached | None, now: str) -> str | None:
    """Return when a change got further last: what its controller has not seen has not begun.

    A time that a fast clock wrote is not believed.
    """
    at: str | None = before.get("progressedAt")
    known = reached_before(before)
    if reached is None or at is None:
        return now if reached else None
    return now if known is None or reached.is_further_than(known) else min(at, now)


def last_good(status: Status) -> str | None:
    """Return the revision that became fully available last and has not failed since."""
    failed = {each["revision"] for each in status.get("failedRevisions", ())}
    good = (
        each["revision"]
        for each in status.get("history", ())
        if each["outcome"] == SUCCEEDED and each["revision"] not in failed
    )
    return next(good, None)


def recorded_image(status: Status, revision: str) -> str | None:
    """Return the image that a revision was declared with, None if that is not known.

    What a policy of the cluster made of it is another one.
    """
    for each in (*status.get("history", ()), status.get("rollout", {})):
        if each.get("revision") == revision:
            image: str | None = each.get("image")
            return image
    return None


def recorded_releases(status: Status) -> Iterator[tuple[str, Release]]:
    """Yield each revision that has ended, the newest first, with the release that it was of."""
    for each in status.get("history", ()):
        names = ("version", "colour", "image")
        yield each["revision"], Release(**{name: each.get(name, "") for name in names})


def revision_tried(status: Status) -> Revision | None:
    """Return the revision that the change in a status is about."""
    rollout = status.get("rollout")
    if rollout is None:
        return None
    return Revision(
        revision=rollout["revision"],
        version=rollout["to"],
        colour=rollout["colour"],
        image=rollout["image"],
    )


def failure(status: Status, revision: str, *, attempt: int) -> Manifest | None:
    """Return what is known of a revision's failure, None once a higher attempt is asked for."""
    for each in status.get("failedRevisions", ()):
        if each["revision"] == revision and each["attempt"] >= attempt:
            found: Manifest = each
            return found
    return None


def record_outcome(
    app: WeatherApp,
    live: Revision | None,
    progress: Progress,
    *,
    cause: str | None,
    now: str,
    tried: Revision | None = None,
    gave_up: bool = False,
) -> Manifest:
    """Return the history, newest first, and the failures after what was observed.

    `live` is the revision of the live template; a `cause` says that it failed just now, or the one
    that was `tried` did. `gave_up` says that this one is tried no longer: that is no failure, and
    takes none of before back.
    """
    failed = list(app.status.get("failedRevisions", ()))
    history = list(app.status.get("history", ()))
    if superseded := _superseded(app, live):
        history.insert(0, _entry(app.status, superseded, SUPERSEDED, now))
    if tried and (cause is not None or gave_up):
        if cause is not None:
            failed = [each for each in failed if each["revision"] != tried.revision]
            failed.insert(0, _failure(tried, app.rollout.attempt, cause, now))
        how = SUPERSEDED if cause is None else ROLLED_BACK
        history.insert(0, _entry(app.status, tried, how, now))
    elif live and (outcome := _outcome(progress, cause)):
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
        "image": live.image,
        "at": now,
        "reason": cause[:_LONGEST_REASON],
        "attempt": attempt,
    }


def _entry(status: Status, ended: Revision, outcome: str, now: str) -> Manifest:
    rollout = status.get("rollout", {})
    started = rollout["startedAt"] if rollout.get("revision") == ended.revision else now
    seconds = max(round(seconds_between(started, now)), 0)
    return {**ended.manifest(), "at": now, "outcome": outcome, "seconds": seconds}


def _superseded(app: WeatherApp, live: Revision | None) -> Revision | None:
    """Return the revision that was being rolled out before, if it is another one by now."""
    rollout = app.status.get("rollout", {})
    revision = rollout.get("revision")
    began = rollout.get("phase") == ROLLING_OUT
    began = began or (rollout.get("phase") == PROMOTING and "reached" in rollout)
    if not began or live is None or revision == live.revision:
        return None
    if failure(app.status, revision, attempt=app.rollout.attempt):
        return None  # it ended otherwise
    return revision_tried(app.status)


def _bounded(history: list[Manifest], limit: int) -> list[Manifest]:
    """Shorten the history, but never by the newest success: a rollback goes there."""
    kept = history[:limit]
    good = next((each for each in history if each["outcome"] == SUCCEEDED), None)
    return kept if good is None or good in kept else [*kept[:-1], good]
