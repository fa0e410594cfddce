"""What the condition Ready says, and with it who has to act: the operator, or a person."""

from collections.abc import Sequence
from dataclasses import dataclass

from weather_operator.kube.resources import Manifest
from weather_operator.model import APPROVE_ANNOTATION, Blocker
from weather_operator.render.load_balancers import min_ready_seconds, sends_to_pods
from weather_operator.rollout.interval import Verdict
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.plan import Plan
from weather_operator.rollout.revisions import Revision
from weather_operator.rollout.state import ROLLING_BACK, SCALING, RolloutState, failure
from weather_operator.rollout.strategies import Action, Decision
from weather_operator.rollout.trial import (
    ABORTING,
    AWAITING_APPROVAL,
    DRAINING,
    PROMOTING,
    SHIFTING,
    Trial,
)
from weather_operator.rollout.weights import has_pods_for
from weather_operator.status.conflicts import AUTOSCALER_CONFLICT
from weather_operator.status.url import is_taken_up, pending

WAITING = "Waiting"
"""The reason while others are rolled out first."""

WAITING_FOR_IMAGE = "WaitingForImage"
"""The reason while a release's image is given time to appear in its registry."""

WAITING_FOR_WINDOW = "WaitingForWindow"
"""The reason while no change window is open."""

ADDRESS_PENDING = "AddressPending"
"""The reason while the pods serve and the way in has no address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyCondition:
    """Ready's status, reason and message, and the two conditions that tell who has to act."""

    ready: bool
    reason: str
    message: str
    reconciling: bool = False
    stalled: bool = False


def ready_condition(observed: Observed, plan: Plan, url: str | None) -> ReadyCondition:
    """Return what Ready says: what only a person can change goes first."""
    app, decision, progress = observed.app, plan.decision, observed.progress
    if app.suspend:
        message = "the operator changes nothing until spec.suspend is false"
        return ReadyCondition(ready=False, reason="Suspended", message=message)
    if observed.apply_errors:
        return _hindered(observed.apply_errors)
    is_as_asked = plan.desired in (None, observed.live)
    is_off = progress.complete and progress.desired == app.first_replicas == 0
    if is_off and plan.rollout is None and is_as_asked:
        return _serving(observed, "ScaledToZero", "switched off: replicas is 0")
    if plan.rollout and plan.rollout.trial and not (decision and decision.rollback_to):
        return _tried(observed, plan, plan.rollout, plan.rollout.trial)
    if decision and decision.rollback_to:
        return _rolled_back(observed, plan, decision.rollback_to)
    if decision and decision.outside_window:
        message = (
            f"{_change(observed, plan)} waits for its window: {decision.outside_window.message}"
        )
        return _reconciling(WAITING_FOR_WINDOW, message)
    if decision and decision.waits_for:
        message = f"{_change(observed, plan)} waits for {decision.waits_for}"
        return _reconciling(WAITING, message)
    if decision and decision.missing_image and decision.action is Action.HOLD:
        missing = decision.missing_image
        message = f"{_change(observed, plan)} waits until {missing.until}: {missing.message}"
        return _reconciling(WAITING_FOR_IMAGE, message)
    stands = decision and (decision.action is Action.HOLD or decision.paused)
    if decision and stands and not decision.lacks_gates:
        return _on_hold(observed, plan, decision)
    if plan.rollout:
        return _under_way(observed, plan, plan.rollout)
    if not progress.complete:
        name = plan.desired or "the version"
        message = f"rolling out {name}: its Deployment is to be made"
        return _reconciling("RollingOut", message)
    if not is_as_asked:
        waits = "waits for its image's digest" if observed.is_digest_pending else "is to begin"
        return _reconciling("RollingOut", f"{_change(observed, plan)} {waits}")
    if scaling := _yet_to_scale(observed):
        return _reconciling(SCALING, scaling)
    if not progress.desired:
        return _without_pods(observed)
    if url is None or not is_taken_up(observed):
        return _reconciling(ADDRESS_PENDING, _pending(observed))
    return _serving(observed, "Serving", f"{observed.live} serves with {pods(progress.available)}")


def _yet_to_scale(observed: Observed) -> str:
    """Say that the autoscaler has yet to bring the pods into its range; empty where they are.

    Its controller needs no metrics for that, and looks every 15 s.
    """
    scaling, number = observed.app.autoscaling, observed.progress.desired
    if scaling is None or observed.is_scaled_by_others():
        return ""
    least, most = scaling.min_replicas, scaling.max_replicas
    if least <= number <= most:
        return ""
    return f"the autoscaler has yet to bring {pods(number)} to at least {least}, at most {most}"


def _without_pods(observed: Observed) -> ReadyCondition:
    """Say that nothing serves, and who has seen to that although the spec asks for pods."""
    message = f"no pods, of {observed.app.first_replicas} asked for"
    scaler = next((each for each in observed.conflicts if each.reason == AUTOSCALER_CONFLICT), None)
    if scaler is None:
        return _reconciling(SCALING, message)
    message = f"{message}. {_about(scaler)}"
    return ReadyCondition(ready=False, reason=scaler.reason, message=message)


def _tried(observed: Observed, plan: Plan, rollout: RolloutState, trial: Trial) -> ReadyCondition:
    """Say how far a trial is, and what it waits for."""
    decision, app, name = plan.decision, observed.app, rollout.target.version
    if decision and decision.outside_window:
        message = (
            f"{name} stays at {_at(trial)} until its window: {decision.outside_window.message}"
        )
        return _reconciling(WAITING_FOR_WINDOW, message)
    if app.rollout.paused:
        message = f"{name} stays at {_at(trial)} until spec.rollout.paused is false"
        return ReadyCondition(ready=False, reason="Paused", message=message)
    if trial.phase == AWAITING_APPROVAL:
        revision = f"{rollout.target.revision}/{trial.step}"
        message = (
            f"{name} did well at {_at(trial)}, and goes on once a person approves it: kubectl "
            f"weather approve {app.key.name}, or the annotation {APPROVE_ANNOTATION}={revision}"
        )
        return ReadyCondition(ready=False, reason=AWAITING_APPROVAL, message=message)
    if trial.phase == PROMOTING:
        message = f"{name} has passed and replaces what served: {_counts(observed, rollout)}"
        message += _evidence(observed, trial)
    elif trial.phase == ABORTING:
        message = f"{name} gets no visitors any more; what served before serves on"
    elif trial.phase == DRAINING:
        message = f"{name} serves, and its canary goes"
    else:
        message = f"{name} is tried at {_at(trial)}, {pods(observed.canary_progress.available)}"
        message += _evidence(observed, trial)
    if observed.pod_blockers:
        return _blocked(observed, message)
    return _reconciling(trial.phase, message)


def _at(trial: Trial) -> str:
    where = f"{trial.weight} % of the visitors"
    if trial.possible is not None and trial.possible != trial.weight:
        where += f" ({trial.possible} % possible with this number of pods)"
    return f"{where} (step {trial.step} of {trial.steps})"


def _evidence(observed: Observed, trial: Trial) -> str:
    """Say which checks do not pass, and what is missing where a weight is not taken up."""
    bad = [each for each in trial.checks if each["verdict"] != Verdict.PASSED]
    if bad:
        return "; " + ", ".join(f"{each['name']} {each['verdict']}" for each in bad)
    if trial.phase == SHIFTING and has_pods_for(observed, trial):
        return "; what divides the visitors has yet to take up the weight"
    return ""


def _pending(observed: Observed) -> str:
    """Say what is waited for, and what its controller warns of."""
    warnings = [_about(each) for each in observed.pod_blockers or ()]
    return ". ".join([pending(observed), *warnings[:1]])


def why_failed(observed: Observed) -> str:
    """Return the causes in one line: what its own containers show, where they show anything."""
    shown = observed.evidence or observed.pod_blockers or ()
    causes = "; ".join(f"{each.reason}: {each.message}" for each in shown)
    return causes or "its pods were not available in time"


def updated_pods(observed: Observed, rollout: RolloutState | None) -> int:
    """Return how many pods are of the live revision: none before its controller has seen it."""
    is_unseen = rollout and rollout.reached is None and not observed.progress.observed
    return 0 if is_unseen else observed.progress.updated


def pods(number: int) -> str:
    """Return a number of pods in words."""
    return "1 pod" if number == 1 else f"{number} pods"


def _hindered(apply_errors: Sequence[Blocker]) -> ReadyCondition:
    """Say what was refused: what needs a person first."""
    first = min(apply_errors, key=lambda each: each.transient)
    return ReadyCondition(
        ready=False,
        reason=first.reason,
        message=first.message,
        reconciling=first.transient,
        stalled=not first.transient,
    )


def _serving(observed: Observed, reason: str, message: str) -> ReadyCondition:
    """Say that the site serves; what others have changed is said with it."""
    if conflicts := observed.conflicts:
        reason, message = conflicts[0].reason, f"{message}. {_about(conflicts[0])}"
    return ReadyCondition(ready=True, reason=reason, message=message)


def _about(blocker: Blocker) -> str:
    return f"{blocker.object}: {blocker.message}"


def _rolled_back(observed: Observed, plan: Plan, good: Revision) -> ReadyCondition:
    failed, before = _failed(observed, plan), _named_beside(good, plan.desired)
    if plan.rollout is None or plan.rollout.phase != ROLLING_BACK:
        message = f"{failed}; {before} serves on. {_retry(observed, plan)}"
        return ReadyCondition(ready=False, reason="RolledBack", message=message, stalled=True)
    if _has_failed(observed, plan.rollout):
        why = why_failed(observed)
        message = f"{failed}, and {before} does not come back either: {why}. "
        return _exceeded(message + _retry(observed, plan))
    available = pods(observed.progress.available)
    message = f"{failed}; back to {before}, with {available} available"
    if plan.rollout.is_overdue(observed.now):
        return _blocked(observed, message)
    return _reconciling(ROLLING_BACK, message)


def _named_beside(good: Revision, failed: Revision | None) -> str:
    """Name what serves, so that it differs from what failed where only settings do."""
    return f"{good} with its former settings" if str(good) == str(failed) else str(good)


def _on_hold(observed: Observed, plan: Plan, decision: Decision) -> ReadyCondition:
    if decision.rollback_blocked:
        failed, retry = _failed(observed, plan), _retry(observed, plan)
        return _exceeded(f"{failed}. Not rolled back: {decision.rollback_blocked}. {retry}")
    # A change of number goes on; it is the new version that waits.
    is_half_way = plan.rollout is not None and plan.rollout.phase != SCALING
    where = f" at {_counts(observed, plan.rollout)}," if is_half_way else ""
    message = f"{_change(observed, plan)} waits{where} until spec.rollout.paused is false"
    return ReadyCondition(ready=False, reason="Paused", message=message)


def _under_way(observed: Observed, plan: Plan, rollout: RolloutState) -> ReadyCondition:
    if rollout.phase == SCALING:
        name = f"scaling {rollout.target.version}"
    else:
        name = _change(observed, plan)
        if plan.decision and plan.decision.untried:
            name += f", not tried before: {plan.decision.untried}"
    if _has_failed(observed, rollout):
        message = f"{name} is stuck: {_counts(observed, rollout)}. {why_failed(observed)}"
        if plan.decision and plan.decision.rollback_blocked:
            message += f". Not rolled back: {plan.decision.rollback_blocked}"
        return _exceeded(message)
    if observed.pod_blockers:
        return _blocked(observed, name)
    return _reconciling(rollout.phase, f"{name}: {_counts(observed, rollout)}")


def _has_failed(observed: Observed, rollout: RolloutState) -> bool:
    """Tell whether a change is over its deadline by its own fault."""
    return rollout.is_overdue(observed.now) and bool(observed.evidence)


def _blocked(observed: Observed, what: str) -> ReadyCondition:
    """Say what a change waits for: it goes on by itself once that is there."""
    first = next(iter(observed.pod_blockers or ()), None)
    cause = f", {first.reason}: {first.message}" if first else ""
    at = f" ({first.object})" if first and first.object else ""
    return _reconciling("Blocked", f"{what} waits{cause}{at}")


def _reconciling(reason: str, message: str) -> ReadyCondition:
    return ReadyCondition(ready=False, reason=reason, message=message, reconciling=True)


def _exceeded(message: str) -> ReadyCondition:
    reason = "ProgressDeadlineExceeded"
    return ReadyCondition(ready=False, reason=reason, message=message, stalled=True)


def _failed(observed: Observed, plan: Plan) -> str:
    ended = plan.decision.ended if plan.decision else None
    reason = (ended and ended.cause) or _failure(observed, plan).get("reason")
    return f"{plan.desired} failed, {reason or why_failed(observed)}"


def _retry(observed: Observed, plan: Plan) -> str:
    before = _failure(observed, plan).get("attempt", 0)
    attempt = max(before, observed.app.rollout.attempt) + 1
    return f"Change the app, or set spec.rollout.attempt to {attempt} to try again"


def _failure(observed: Observed, plan: Plan) -> Manifest:
    """Return what is known of the desired revision's failure; at first only this pass knows."""
    if plan.desired is None:
        return {}
    app = observed.app
    return failure(app.status, plan.desired.revision, attempt=app.rollout.attempt) or {}


def _change(observed: Observed, plan: Plan) -> str:
    """Name the change from what serves, also where no status has said yet what that is."""
    target, live = plan.desired or observed.live, observed.live
    served = observed.app.status.get("version")
    if not served and live and observed.progress.complete:
        served = live.version
    if target and served and served != target.version:
        return f"{served} to {target.version}"
    return f"rolling out {target.version if target else 'the version'}"


def _counts(observed: Observed, rollout: RolloutState | None) -> str:
    progress, updated = observed.progress, updated_pods(observed, rollout)
    counts = f"{updated} of {pods(progress.desired)} updated, {progress.available} available"
    young = progress.ready - progress.available
    if young > 0 and sends_to_pods(observed.app):
        seconds = min_ready_seconds(observed.app)
        counts += f", {young} ready and given {seconds} s for the load balancer to know them"
    old = progress.replicas - updated
    if not old or updated < progress.desired:
        return counts  # while new ones come up it is no news that there are old ones
    return f"{counts}, {pods(old)} of before left"
