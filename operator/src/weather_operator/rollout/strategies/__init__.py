"""What a strategy decides, whichever it is."""

from dataclasses import dataclass
from enum import StrEnum

from weather_operator.rollout.image_wait import MissingImage
from weather_operator.rollout.revisions import ReplicaSetRevision, Revision
from weather_operator.rollout.trial import Trial
from weather_operator.rollout.windows import Closed


class Action(StrEnum):
    """What to do with the Deployment's template.

    After MARK_FAILED nothing is written but the status: it has to say that the revision failed
    before the last good one comes back, so that no process that ends in between tries it again.
    After MARK a trial is in another phase, and nothing but the status is written either.
    """

    ROLL_OUT = "roll out"
    HOLD = "hold"
    MARK_FAILED = "mark failed"
    MARK = "mark"
    ROLL_BACK = "roll back"

    @property
    def only_says(self) -> bool:
        """Whether nothing is written but the status."""
        return self in (Action.MARK_FAILED, Action.MARK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """That the trial of the revision in the status ended now, for a cause or without blame."""

    cause: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the Deployment is to have.

    `template_from` is whose template it gets instead of the spec's, `rollback_to` the revision that
    a failed one goes back to, `rollback_blocked` why that is not done, `paused` whether the
    Deployment stands still, `waits_for` for what it stays as it is until its turn comes,
    `outside_window` when the next change window opens if none is open now, `untried` why there is
    no trial although the strategy asks for one. `trial` is how far a trial is, which `ended` where
    it has just failed or was given up. `keeps_stable` leaves the Deployment as it is, and
    `removes_canary` takes the canary's objects away. `lacks_gates` are the pods for which a rollout
    stands still: nobody knows whether a load balancer sends to them. `missing_image` is what the
    registry lacks of what is rolled out; with HOLD, that is waited for.
    """

    action: Action = Action.ROLL_OUT
    template_from: ReplicaSetRevision | None = None
    rollback_to: Revision | None = None
    rollback_blocked: str = ""
    paused: bool = False
    waits_for: str = ""
    outside_window: Closed | None = None
    untried: str = ""
    trial: Trial | None = None
    ended: Ended | None = None
    keeps_stable: bool = False
    removes_canary: bool = False
    lacks_gates: tuple[str, ...] = ()
    missing_image: MissingImage | None = None
