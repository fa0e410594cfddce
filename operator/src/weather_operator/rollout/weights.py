"""Which share of the visitors a canary gets: what its step says, as far as its pods carry it."""

from weather_operator.kube.resources import AUTOSCALER
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.state import seconds_between
from weather_operator.rollout.traffic import WHOLE, canary_size, divides_requests, is_routed
from weather_operator.rollout.trial import ENDING, SHIFTING, TRYING, Trial, steps_of
from weather_operator.rollout.windows import closed

SHARE_SECONDS = 60
"""How long a router may take until it divides the visitors as it says."""

LOAD_SECONDS = 60
"""How long an autoscaler may take to see a load: it looks every 15 s, and so do metrics."""

_LEAST_PODS = 0.75
"""With which part of its pods a canary keeps its weight: a drained node may take one of four."""


def has_pods_for(observed: Observed, trial: Trial) -> bool:
    """Tell whether as many of the canary's pods are available as its weight takes to rise."""
    size = canary_size(observed.app, trial.weight, observed.progress.desired)
    progress = observed.canary_progress
    return progress.observed and progress.available >= size


def routed_weight(observed: Observed, trial: Trial) -> int:
    """Return which percentage of the visitors the canary gets now.

    It rises once all the pods for it are available, and falls with them: to the highest step that
    those that are left can take. Where no other pods serve, the visitors stay with those that do.
    While a trial is frozen no weight rises to a step that is yet to begin.
    """
    if not observed.canary_progress.available:
        return 0
    if trial.phase not in (*TRYING, *ENDING) and not observed.progress.available:
        return WHOLE
    if trial.weight == 0:
        return 0
    if trial.phase == SHIFTING:
        carries = has_pods_for(observed, trial) and not is_frozen(observed)
    else:
        carries = _carries(observed, trial, trial.weight)
    if carries:
        return trial.weight
    lower = [each.weight for each in steps_of(observed.app)[: max(trial.step - 1, 0)]]
    return max((each for each in lower if _carries(observed, trial, each)), default=0)


def least_stable(observed: Observed, trial: Trial) -> int:
    """Return how many stable pods an autoscaler leaves while a trial has visitors, and after it.

    A way back has to land on as many as there were, whatever the load was meanwhile; so what was
    held stays until the autoscaler has seen the load that came with it.
    """
    return trial.stable if trial.weight else min(_min_replicas(observed), trial.stable)


def is_held_for_load(observed: Observed, trial: Trial) -> bool:
    """Tell whether an autoscaler has yet to see the load of the stable pods without a canary."""
    scaling = observed.app.autoscaling
    if scaling is None or min(_min_replicas(observed), trial.stable) <= scaling.min_replicas:
        return False
    return trial.set_at is None or seconds_between(trial.set_at, observed.now) < LOAD_SECONDS


def _min_replicas(observed: Observed) -> int:
    autoscaler = observed.child(AUTOSCALER)
    return autoscaler["spec"].get("minReplicas", 1) if autoscaler else 0


def is_frozen(observed: Observed) -> bool:
    """Tell whether a pause, a window or a release that is gone holds every step where it is."""
    rollout = observed.app.rollout
    is_held = rollout.paused or bool(observed.apply_errors)
    return is_held or closed(rollout.windows, observed.now) is not None


def _carries(observed: Observed, trial: Trial, weight: int) -> bool:
    """Tell whether the canary's pods are enough for a weight that they have had.

    Stable pods that come with the load take pods of the canary to rise, and none to stay.
    """
    available, stable = observed.canary_progress.available, observed.progress
    if not stable.available:
        return available > 0
    size = canary_size(observed.app, weight, min(trial.stable, stable.desired))
    return available >= _LEAST_PODS * size


def is_held(observed: Observed, trial: Trial) -> bool:
    """Tell whether the visitors are divided as the step says, and the pods for it are there."""
    if trial.step == 0 or not observed.canary_progress.available:
        return True  # without pods, the trial begins anew
    is_carried = _carries(observed, trial, trial.weight)
    return is_carried and is_routed(observed, trial.weight)


def is_share_unproven(observed: Observed, trial: Trial) -> bool:
    """Tell whether visitors are known not to be divided as the weight that was taken up says."""
    return divides_requests(observed.app) and trial.is_share_off
