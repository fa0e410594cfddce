"""What is said of a revision that is tried: by the checks of its analysis, and by people.

Checks speak through the intervals that a trial counts. People speak through annotations of the app;
what they said before a trial began is not about it.
"""

from weather_operator.model import (
    ABORT_ANNOTATION,
    APPROVE_ANNOTATION,
    PROMOTE_ANNOTATION,
    WeatherApp,
)
from weather_operator.model.strategies import ABORT, Analysis
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.revisions import Revision
from weather_operator.rollout.state import seconds_between
from weather_operator.rollout.traffic import divides_requests
from weather_operator.rollout.trial import Trial, intervals_in, step_at


def said(app: WeatherApp) -> tuple[str, ...]:
    """Return people's decisions as kubectl annotate takes them."""
    decisions = (
        (APPROVE_ANNOTATION, app.approved),
        (ABORT_ANNOTATION, app.aborted),
        (PROMOTE_ANNOTATION, app.promoted),
    )
    return tuple(f"{annotation}={value}" for annotation, value in decisions if value)


def is_said(app: WeatherApp, annotation: str, decision: str, trial: Trial) -> bool:
    """Tell whether a person has decided so in this trial; what follows an @ is theirs."""
    decisions = (each for each in said(app) if each not in trial.earlier)
    return any(each.partition("@")[0] == f"{annotation}={decision}" for each in decisions)


def is_approved(observed: Observed, desired: Revision, trial: Trial) -> bool:
    """Tell whether a person has approved this step of this revision."""
    decision = f"{desired.revision}/{trial.step}"
    return is_said(observed.app, APPROVE_ANNOTATION, decision, trial)


def analysis_of(observed: Observed) -> Analysis | None:
    """Return the analysis by which a trial is judged, None where it goes by time."""
    return observed.app.rollout.analysis if observed.is_analysed else None


def counted(
    observed: Observed, desired: Revision, trial: Trial, analysis: Analysis | None
) -> Trial:
    """Return the trial with the interval that has ended by now, if one has."""
    if analysis is None:
        return trial
    unknown_fails = analysis.on_unknown == ABORT
    return trial.counted(
        observed.interval,
        desired.revision,
        unknown_fails=unknown_fails,
        is_share_proof=divides_requests(observed.app),
    )


def has_done_well(observed: Observed, trial: Trial, analysis: Analysis | None) -> bool:
    """Tell whether a step has lasted: in good intervals, and without an analysis in seconds."""
    step = step_at(observed.app, trial.step)
    seconds = step.duration_seconds if step else 0
    if analysis:
        return trial.passed >= intervals_in(analysis, seconds)
    since = trial.set_at
    return since is not None and seconds_between(since, observed.now) >= seconds


def failed_checks(trial: Trial) -> str:
    """Say which checks failed, and what they measured, for people."""
    bad = [each for each in trial.checks if each["verdict"] != "Passed"]
    return "; ".join(_describe(each) for each in bad) or "its checks failed"


def _describe(check: dict[str, object]) -> str:
    value, bound = check.get("value"), check.get("threshold")
    measured = f" at {value}, the bound is {bound}" if value is not None else ""
    message = f": {check['message']}" if check.get("message") else ""
    return f"the check {check['name']} came out {check['verdict']}{measured}{message}"
