"""What a Deployment must carry now, and why: the template of the spec, the live or the last good.

One decision for all changes; an upgrade, a downgrade and a changed mind do not differ. It is made
anew in every pass from what the objects say, so that nothing is lost when a process ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from weather_operator.kube.resources import Manifest
from weather_operator.model import WeatherApp
from weather_operator.render.labels import COLOUR_LABEL, VERSION_LABEL
from weather_operator.rollout.revisions import ReplicaSetRevision, Revision
from weather_operator.rollout.state import Progress, RolloutState, failure, last_good, rollout_state

_NOWHERE = "there is no other version that has served to go back to"


class Step(StrEnum):
    """What to do with the Deployment's template.

    FAIL is not carried out at once: the status has to say that the revision failed before the last
    good one comes back, so that no process that ends in between tries it a second time.
    """

    ROLL_OUT = "roll out"
    HOLD = "hold"
    MARK_FAILED = "mark failed"
    ROLL_BACK = "roll back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that a decision is made from.

    `held` is what the ReplicaSets hold, None while they have not been read.
    """

    app: WeatherApp
    desired: Revision
    live: Revision | None
    progress: Progress
    now: str
    held: Sequence[ReplicaSetRevision] | None = None

    @property
    def rollout_state(self) -> RolloutState | None:
        """The change that the live revision is in."""
        standing = _stands_still(self, self.live)
        return rollout_state(self.app, self.live, self.progress, now=self.now, standing=standing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do.

    `carried` is what the Deployment carries instead of the template of the spec, `good` where a
    failed revision goes back to, `rollback_blocked` why that is not done, `frozen` whether the Deployment
    stands still.
    """

    step: Step = Step.ROLL_OUT
    carried: ReplicaSetRevision | None = None
    good: Revision | None = None
    rollback_blocked: str = ""
    frozen: bool = False


def decide(seen: Situation) -> Decision | None:
    """Return what to do, None when that takes the ReplicaSets and they have not been read."""
    if seen.live == seen.desired and seen.progress.complete:
        return Decision()  # it serves, whatever was said of it before
    if failure(seen.app.status, seen.desired.revision, attempt=seen.app.rollout.attempt):
        return _go_back(seen)
    if seen.live is None:
        return Decision(frozen=_stands_still(seen, seen.desired))
    if seen.live == seen.desired:
        return _supervise(seen)
    if seen.app.rollout.paused and seen.desired.revision != last_good(seen.app.status):
        return None if seen.held is None else _hold(seen, seen.live, seen.held)
    return Decision()


def carry(manifest: Manifest, decision: Decision) -> Manifest:
    """Return the Deployment's manifest as decided."""
    metadata, spec = manifest["metadata"], {**manifest["spec"], "paused": decision.frozen}
    if carried := decision.carried:
        spec["template"] = carried.template
        labels = {
            VERSION_LABEL: carried.revision.version,
            COLOUR_LABEL: carried.revision.colour,
        }
        metadata = {**metadata, "labels": {**metadata["labels"], **labels}}
    return {**manifest, "metadata": metadata, "spec": spec}


def _supervise(seen: Situation) -> Decision | None:
    """Let the desired revision come up, until its deadline."""
    keep = Decision(frozen=_stands_still(seen, seen.desired))
    change = seen.rollout_state
    if change is None or not change.is_overdue(seen.now) or not seen.progress.observed:
        return keep
    if not seen.app.rollout.auto_rollback or seen.progress.wanted == 0:
        return keep
    if seen.held is None:
        return None
    good = _last_good(seen, seen.held)
    if good is None or (rollback_blocked := _rollback_blocked(good, seen.held, seen.desired)):
        return replace(keep, rollback_blocked=rollback_blocked if good else _NOWHERE)
    return Decision(step=Step.MARK_FAILED, good=good.revision)


def _go_back(seen: Situation) -> Decision | None:
    """Leave a failed revision for the last good one, or stay where that would make it worse."""
    if seen.live is None:
        return Decision()  # the ReplicaSets went with their Deployment
    if seen.held is None:
        return None
    good = _last_good(seen, seen.held)
    if good and seen.live == good.revision:
        return Decision(step=Step.HOLD, carried=good, good=good.revision)
    rollback_blocked = _rollback_blocked(good, seen.held, seen.live) if good else _NOWHERE
    if good and not rollback_blocked:
        return Decision(step=Step.ROLL_BACK, carried=good, good=good.revision)
    return replace(_hold(seen, seen.live, seen.held), rollback_blocked=rollback_blocked)


def _hold(seen: Situation, live: Revision, held: Sequence[ReplicaSetRevision]) -> Decision:
    """Keep what the Deployment carries."""
    carried = None if live == seen.desired else _find(held, live.revision)
    return Decision(step=Step.HOLD, carried=carried, frozen=_stands_still(seen, live))


def _stands_still(seen: Situation, revision: Revision | None) -> bool:
    """Tell whether a pause holds this revision: all but the one that serves."""
    if revision is None or not seen.app.rollout.paused:
        return False
    return revision.revision != last_good(seen.app.status)


def _last_good(seen: Situation, held: Sequence[ReplicaSetRevision]) -> ReplicaSetRevision | None:
    """Return what to go back to: the last success or, where that is lost, what serves most."""
    revision = last_good(seen.app.status)
    if revision == seen.desired.revision:
        return None
    if revision and (found := _find(held, revision)):
        return found
    failed = {each["revision"] for each in seen.app.status.get("failedRevisions", ())}
    others = (
        each
        for each in held
        if each.revision != seen.desired and each.revision.revision not in failed
    )
    return next((each for each in others if each.available), None)


def _rollback_blocked(
    good: ReplicaSetRevision, held: Sequence[ReplicaSetRevision], live: Revision
) -> str:
    """Return why a return to the last good revision would make it worse, empty if it would not.

    The Deployment's controller keeps the floor in any case; but it would trade pods that serve for
    pods of a revision that, by its own pods, does not.
    """
    if good.is_broken:
        return f"{good.revision} has no available pod either"
    current = _find(held, live.revision)
    serving = current.available if current else 0
    if not good.is_intact and good.available < serving:
        return f"{good.revision} serves with {good.available} pods, this with {serving}"
    return ""


def _find(held: Sequence[ReplicaSetRevision], revision: str) -> ReplicaSetRevision | None:
    return next((each for each in held if each.revision.revision == revision), None)
