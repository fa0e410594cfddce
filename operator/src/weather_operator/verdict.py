"""What the condition Ready says, and with it who has to act: the operator, or a person."""

from collections.abc import Sequence
from dataclasses import dataclass

from weather_operator.blockers import Blocker
from weather_operator.flight import ROLLING_BACK, SCALING, Flight
from weather_operator.history import failure
from weather_operator.kinds import Manifest
from weather_operator.model import WeatherApp
from weather_operator.progress import Progress
from weather_operator.revisions import Revision
from weather_operator.rollout import Decision, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Ready's status, reason and message, and the two conditions that tell who has to act."""

    ready: bool
    reason: str
    message: str
    reconciling: bool = False
    stalled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a verdict is about: the wish and what is live, how far it is, and what is in the way.

    `desired` and `decision` are None where the wish could not be looked up or is not acted on.
    """

    app: WeatherApp
    desired: Revision | None
    live: Revision | None
    decision: Decision | None
    progress: Progress
    flight: Flight | None
    refusals: Sequence[Blocker]
    hindrances: Sequence[Blocker]
    now: str


def judge(case: Case) -> Verdict | None:
    """Decide what is the matter, None when nothing is: what only a person can change goes first."""
    if case.app.suspend:
        message = "suspended: the operator changes nothing until spec.suspend is false"
        return Verdict(ready=False, reason="Suspended", message=message)
    if case.refusals:
        first = case.refusals[0]
        return Verdict(ready=False, reason=first.reason, message=first.message, stalled=True)
    if case.progress.complete and case.progress.wanted == 0:
        return Verdict(ready=True, reason="ScaledToZero", message="switched off: replicas is 0")
    if case.decision and case.decision.good:
        return _judge_rollback(case, case.decision.good)
    if case.decision and (case.decision.step is Step.HOLD or case.decision.frozen):
        return _judge_hold(case, case.decision)
    if case.flight:
        return _judge_flight(case, case.flight)
    if not case.progress.complete:
        return Verdict(
            ready=False,
            reason="RollingOut",
            message=f"rolling out {case.desired or 'the version'}: its Deployment is to be made",
            reconciling=True,
        )
    return None


def why_failed(hindrances: Sequence[Blocker]) -> str:
    """Return the causes in one line."""
    told = "; ".join(f"{each.reason}: {each.message}" for each in hindrances)
    return told or "its pods were not available in time"


def _judge_rollback(case: Case, good: Revision) -> Verdict:
    failed, before = _failed(case), _named_beside(good, case.desired)
    back = case.flight is not None and case.flight.phase == ROLLING_BACK
    if not back:
        message = f"{failed}; {before} serves on. {_retry(case)}"
        return Verdict(ready=False, reason="RolledBack", message=message, stalled=True)
    if case.flight and case.flight.is_overdue(case.now):
        why = why_failed(case.hindrances)
        message = f"{failed}, and {before} does not come back either: {why}. {_retry(case)}"
        return _exceeded(message)
    message = f"{failed}; back to {before}, with {pods(case.progress.available)} available"
    return Verdict(ready=False, reason=ROLLING_BACK, message=message, reconciling=True)


def _named_beside(good: Revision, failed: Revision | None) -> str:
    """Name what serves, so that it is told from what failed where only settings differ."""
    return f"{good} with its former settings" if str(good) == str(failed) else str(good)


def _judge_hold(case: Case, decision: Decision) -> Verdict:
    if decision.objection:
        message = f"{_failed(case)}. Not rolled back: {decision.objection}. {_retry(case)}"
        return _exceeded(message)
    # A change of number goes on; it is the new version that waits.
    held = case.flight is not None and case.flight.phase != SCALING
    where = f" at {_counts(case)}" if held else ""
    message = f"paused{where}: {_change(case)} waits until spec.rollout.paused is false"
    return Verdict(ready=False, reason="Paused", message=message)


def _judge_flight(case: Case, flight: Flight) -> Verdict:
    if flight.is_overdue(case.now):
        message = f"{_way(case)} is stuck: {_counts(case)}. {why_failed(case.hindrances)}"
        if case.decision and case.decision.objection:
            message += f". Not rolled back: {case.decision.objection}"
        return _exceeded(message)
    if case.hindrances:
        first = case.hindrances[0]
        message = f"{_way(case)} waits, {first.reason}: {first.message}"
        return Verdict(ready=False, reason="Blocked", message=message, reconciling=True)
    message = f"{_way(case)}: {_counts(case)}"
    return Verdict(ready=False, reason=flight.phase, message=message, reconciling=True)


def _exceeded(message: str) -> Verdict:
    return Verdict(ready=False, reason="ProgressDeadlineExceeded", message=message, stalled=True)


def _failed(case: Case) -> str:
    return f"{case.desired} failed, {_failure(case).get('reason') or why_failed(case.hindrances)}"


def _retry(case: Case) -> str:
    attempt = max(_failure(case).get("attempt", 0), case.app.rollout.attempt) + 1
    return f"Change the app, or set spec.rollout.attempt to {attempt} to try again"


def _failure(case: Case) -> Manifest:
    """Return what is known of the desired revision's failure; at first only this pass knows."""
    if case.desired is None:
        return {}
    attempt = case.app.rollout.attempt
    return failure(case.app.status, case.desired.revision, attempt=attempt) or {}


def _way(case: Case) -> str:
    if case.flight and case.flight.phase == SCALING:
        return f"scaling {case.flight.target.version}"
    return _change(case)


def _change(case: Case) -> str:
    target, served = case.desired or case.live, case.app.status.get("version")
    if target and served and served != target.version:
        return f"{served} to {target.version}"
    return f"rolling out {target.version if target else 'the version'}"


def _counts(case: Case) -> str:
    progress = case.progress
    told = f"{progress.updated} of {pods(progress.wanted)} updated, {progress.available} available"
    old = progress.replicas - progress.updated
    if not old or progress.updated < progress.wanted:
        return told  # while new ones come up it is no news that there are old ones
    return f"{told}, {pods(old)} of before left"


def pods(number: int) -> str:
    """Return a number of pods in words."""
    return "1 pod" if number == 1 else f"{number} pods"
