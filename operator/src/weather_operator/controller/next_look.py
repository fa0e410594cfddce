"""When to look at an app again, in seconds: at what goes on and no object's event tells of."""

from weather_operator.controller.diagnostics import DIAGNOSTICS_DELAY_SECONDS
from weather_operator.kube.resources import Manifest
from weather_operator.render.load_balancers import router_seconds
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.plan import Plan
from weather_operator.rollout.state import RolloutState, seconds_between
from weather_operator.rollout.strategies import Action
from weather_operator.rollout.traffic import is_anything_left
from weather_operator.rollout.trial import (
    ANALYSING,
    AWAITING_APPROVAL,
    ENDING,
    TRYING,
    Trial,
    seconds_of,
)
from weather_operator.rollout.weights import LOAD_SECONDS
from weather_operator.status.conditions import condition
from weather_operator.status.ready import ADDRESS_PENDING

_LONGEST_WAIT_SECONDS = 30.0
_LONGEST_ADDRESS_WAIT_SECONDS = 300.0


def at_rest(planned: Plan, status: Manifest, now: str) -> float | None:
    """Say when to look at an app of which nothing is rolled out; None waits for an event."""
    return _until_begin(planned, now) or _look_for_address(status, now)


def while_changing(observed: Observed, planned: Plan, soonest: float) -> float | None:
    """Say when to look at a rollout or a trial, `soonest` after so many seconds."""
    rollout = planned.rollout
    if rollout is None:
        return None
    if rollout.trial is None:
        return _next_look(rollout, observed.now, soonest)
    # What follows a trial may wait; its end does not.
    if rollout.trial.phase not in ENDING and (until := _until_begin(planned, observed.now)):
        return until
    return _next_look_at_trial(observed, rollout.trial, _next_look(rollout, observed.now, soonest))


def _next_look_at_trial(observed: Observed, trial: Trial, look: float) -> float | None:
    """Look at a trial when its interval or step may be over, or else after `look`.

    Of its objects we hear at once. What waits for a person is looked at when that one has written
    something.
    """
    app = observed.app
    if observed.is_analysed and app.rollout.analysis:
        return min(look, app.rollout.analysis.interval_seconds)
    if trial.phase == AWAITING_APPROVAL or (trial.phase in TRYING and app.rollout.paused):
        return None
    seconds = 0
    if trial.phase in ENDING:
        seconds = router_seconds(app) if is_anything_left(observed) else LOAD_SECONDS
    if trial.phase == ANALYSING:
        seconds = seconds_of(app, trial.step)
    if trial.set_at is None or not seconds:
        return look
    return min(look, max(seconds - seconds_between(trial.set_at, observed.now), 0.5))


def _until_begin(planned: Plan, now: str) -> float | None:
    """Say when the rollout begins that waits for a change window or an image."""
    decision = planned.decision
    if decision is None:
        return None
    at = decision.outside_window.opens_at if decision.outside_window else None
    if decision.missing_image and decision.action is Action.HOLD and not decision.waits_for:
        at = decision.missing_image.until
    return None if at is None else max(seconds_between(now, at), 1.0)


def _look_for_address(status: Manifest, now: str) -> float | None:
    """Say when to look again why there is no address: of warnings about a route nobody tells us."""
    ready = condition(status, "Ready")
    if ready["reason"] != ADDRESS_PENDING:
        return None
    age = seconds_between(ready["lastTransitionTime"], now)
    return min(max(age, DIAGNOSTICS_DELAY_SECONDS), _LONGEST_ADDRESS_WAIT_SECONDS)


def _next_look(change: RolloutState, now: str, soonest: float) -> float:
    """Look soon at a young change, seldom at an old one, and at its deadline."""
    age = seconds_between(change.started_at, now)
    look = max(min(age, _LONGEST_WAIT_SECONDS), soonest)
    left = seconds_between(now, change.deadline) if change.deadline else look
    return min(look, left) if left > 0 else look
