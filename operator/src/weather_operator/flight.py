"""The change that an app is in: from what to what, since when, and until when it may take."""

from dataclasses import dataclass

from weather_operator.history import ROLLING_OUT, last_good
from weather_operator.kinds import Manifest
from weather_operator.model import WeatherApp
from weather_operator.progress import Progress, floor, later
from weather_operator.revisions import Revision

ROLLING_BACK = "RollingBack"
SCALING = "Scaling"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """A change in flight. `floor` is how many pods serve meanwhile; times are in RFC 3339."""

    phase: str
    source: str | None
    target: Revision
    floor: int
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
            "floor": self.floor,
            "startedAt": self.started_at,
            "deadline": self.deadline,
        }
        return {name: value for name, value in shown.items() if value is not None}


def flight(
    app: WeatherApp, carried: Revision | None, progress: Progress, *, now: str, standing: bool
) -> Flight | None:
    """Return the change of the live template's revision in flight, None where there is none.

    A change keeps its start, and its deadline too as long as it gets no further and the app's spec
    stays the same. Scaling has no deadline, nor has what `standing` says to stand still.
    """
    if carried is None or progress.complete:
        return None
    phase = _phase(app, carried, progress)
    before = app.status.get("rollout", {})
    same = (before.get("phase"), before.get("revision")) == (phase, carried.revision)
    timed = phase != SCALING and not standing
    return Flight(
        phase=phase,
        source=before.get("from") if same else app.status.get("version"),
        target=carried,
        floor=_floor(app, progress),
        started_at=before["startedAt"] if same else now,
        deadline=_deadline(app, progress, before if same else {}, now) if timed else None,
    )


def rollback(app: WeatherApp, failed: Revision, good: Revision, *, now: str) -> Flight:
    """Return the change that begins when a revision has failed."""
    before = app.status.get("rollout", {})
    begun = (before.get("phase"), before.get("revision")) == (ROLLING_BACK, good.revision)
    return Flight(
        phase=ROLLING_BACK,
        source=failed.version,
        target=good,
        floor=before.get("floor", 0),
        started_at=before["startedAt"] if begun else now,
    )


def _phase(app: WeatherApp, carried: Revision, progress: Progress) -> str:
    """Tell a rollout from a change of number; one that began as a rollout stays one to its end."""
    before = app.status.get("rollout", {})
    if before.get("revision") == carried.revision and before["phase"] != SCALING:
        phase: str = before["phase"]
        return phase
    proven = last_good(app.status) == carried.revision
    return SCALING if proven and progress.updated == progress.replicas else ROLLING_OUT


def _floor(app: WeatherApp, progress: Progress) -> int:
    """Return the smaller of the old and the new floor.

    A first rollout, and one that ends being switched off, have no old one.
    """
    limit = app.rollout.max_unavailable
    new = floor(progress.wanted, limit)
    served = app.status.get("replicas", 0) if "version" in app.status else 0
    old = app.status.get("rollout", {}).get("floor") or floor(served, limit)
    return min(old or new, new)


def _deadline(app: WeatherApp, progress: Progress, before: Manifest, now: str) -> str | None:
    fresh = app.status.get("observedGeneration") != app.generation
    deadline: str | None = before.get("deadline")
    if deadline and not fresh and not progress.is_beyond(app.status):
        return deadline
    # What the Deployment's controller has not seen yet has not begun.
    begun = deadline is not None or progress.observed
    return later(now, app.rollout.progress_deadline_seconds) if begun else None
