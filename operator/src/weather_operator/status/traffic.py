"""What is to be said where visitors are not divided as was set."""

from weather_operator.kube.resources import HTTP_ROUTE, INGRESS
from weather_operator.model import Blocker
from weather_operator.render import child_name
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.state import RolloutState, seconds_between
from weather_operator.rollout.weights import SHARE_SECONDS, is_share_unproven


def share_blockers(observed: Observed, rollout: RolloutState | None) -> tuple[Blocker, ...]:
    """Return the share of a trial that is still not as set a minute after it was taken up."""
    trial = rollout.trial if rollout else None
    if trial is None or trial.set_at is None or not is_share_unproven(observed, trial):
        return ()
    if seconds_between(trial.set_at, observed.now) < SHARE_SECONDS:
        return ()
    message = (
        f"{trial.weight} % is set and taken up, and the canary's pods got {trial.share:g} % of "
        f"{trial.requests} requests, so the step does not count: see whether what the route leads "
        "through divides by weight, and whether visitors come past it"
    )
    kind = HTTP_ROUTE if observed.app.gateway else INGRESS
    about = f"{kind.name}/{child_name(observed.app)}"
    return (Blocker(reason="WeightNotObserved", message=message, object=about),)
