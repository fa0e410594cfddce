"""A revision that is tried beside the one that serves, as a WeatherApp's status tells it."""

from collections.abc import Iterator
from dataclasses import dataclass

from weather_operator.kube.resources import Manifest
from weather_operator.model.parsing import readable_status
from weather_operator.rollout.state import revision_tried
from weather_operator.rollout.trial import trial_before


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a check of the analysis found last; `verdict` is Passed, Failed or Unknown."""

    name: str
    verdict: str
    value: float | None
    threshold: float | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Where a trial is: at `step` of `steps`, 0 while it gets no visitors.

    Weights are in percent of the visitors: what the step asks for and, None where they are not
    known, what the pods make possible, what was set, and what was counted, of how many requests.
    `interval` names the one that the checks are of.
    """

    strategy: str
    phase: str
    version: str
    colour: str
    revision: str
    step: int
    steps: int
    desired: float
    possible: float | None
    set: float | None
    observed: float | None
    requests: int
    interval: str
    checks: tuple[CheckResult, ...]


def trial_of(app: Manifest) -> Trial | None:
    """Return the trial that an app's status tells of, None where nothing is tried."""
    status = readable_status(app.get("status", {}))
    trial, tried = trial_before(status), revision_tried(status)
    if trial is None or tried is None:
        return None
    return Trial(
        strategy=trial.strategy,
        phase=trial.phase,
        version=tried.version,
        colour=tried.colour,
        revision=tried.revision,
        step=trial.step,
        steps=trial.steps,
        desired=trial.weight,
        possible=trial.possible,
        set=trial.weight if trial.is_set else None,
        observed=trial.share,
        requests=trial.requests,
        interval=f"{trial.epoch}/{trial.number}",
        checks=tuple(map(_check, trial.checks)),
    )


def share(trial: Trial) -> str:
    """Return how much of the visitors the revision gets, in words."""
    named = {
        "wanted": trial.desired,
        "possible": trial.possible,
        "set": trial.set,
        "observed": trial.observed,
    }
    parts = [f"{value:g} % {name}" for name, value in named.items() if value is not None]
    if trial.observed is not None:
        parts[-1] += f" of {trial.requests} requests"
    return ", ".join(parts) or "no visitors yet"


def finding(check: CheckResult) -> str:
    """Return what a check found, in words."""
    measured = "" if check.value is None else f" {check.value:g}"
    bound = "" if check.threshold is None else f" (bound {check.threshold:g})"
    message = f": {check.message}" if check.message else ""
    return f"{check.name} {check.verdict}{measured}{bound}{message}"


def sentences(trial: Trial) -> Iterator[str]:
    """Say where the trial is and what its checks found."""
    yield (
        f"{trial.version} is tried ({trial.strategy}), step {trial.step} of {trial.steps}: "
        f"{share(trial)}."
    )
    for check in trial.checks:
        yield f"The check {finding(check)}."


def _check(body: Manifest) -> CheckResult:
    return CheckResult(
        name=body["name"],
        verdict=body["verdict"],
        value=body.get("value"),
        threshold=body.get("threshold"),
        message=body.get("message", ""),
    )
