"""A trial: a revision in pods of its own beside those that serve, and how far it is.

The status has all of it, and is written before anything follows from it: whoever reads the status
next goes on from there, and where it is lost there is no trial, so that nothing gets visitors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from weather_operator.kube.resources import Manifest
from weather_operator.model import WeatherApp
from weather_operator.model.strategies import Analysis, CanaryStep
from weather_operator.rollout.interval import Interval, Verdict
from weather_operator.rollout.proportions import is_share_as_set, pooled_share

PREPARING, TESTING, SHIFTING, ANALYSING = "Preparing", "Testing", "Shifting", "Analysing"
AWAITING_APPROVAL, PROMOTING = "AwaitingApproval", "Promoting"
DRAINING, ABORTING = "Draining", "Aborting"

TRYING = (PREPARING, TESTING, SHIFTING, ANALYSING, AWAITING_APPROVAL)
"""The phases in which the pods that served before are left as they are."""

ENDING = (DRAINING, ABORTING)
"""The phases in which the visitors leave the canary, and then its objects go."""


ROLLING = ("RollingOut", "RollingBack", "Scaling")
"""The phases of the pods that serve themselves, which end a trial too."""

_PHASES = (*TRYING, PROMOTING, *ROLLING, *ENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Where a trial is. Step 0 has no visitors; `weight` is what the step gives it, in percent.

    `set_at` is when that was taken up, None before. `stable` is how many pods served when it began.
    `epoch` and `number` name the interval that was counted last, `passed` the good ones in this
    step and `failed` those that failed in a row; `checks` is what the status tells of each. `share`
    is what was observed since the weight was taken up, of so many `requests`. `earlier`
    are people's decisions that were there when it began: they were about another trial.
    """

    phase: str
    strategy: str
    step: int
    steps: int
    weight: int
    stable: int
    possible: int | None = None
    set_at: str | None = None
    epoch: str = ""
    number: int = 0
    passed: int = 0
    failed: int = 0
    share: float | None = None
    requests: int = 0
    checks: tuple[Manifest, ...] = ()
    earlier: tuple[str, ...] = ()

    def at(self, phase: str, *, step: int | None = None, weight: int | None = None) -> Self:
        """Return the trial in another phase; another step or weight begins anew to count.

        Whoever shifts has yet to see the weight taken up, also where it was before.
        """
        step = self.step if step is None else step
        weight = self.weight if weight is None else weight
        moved = replace(self, phase=phase, step=step, weight=weight)
        if (step, weight) != (self.step, self.weight):
            moved = replace(moved, passed=0, failed=0)
        if weight == self.weight and phase != SHIFTING:
            return moved
        return replace(moved, set_at=None, possible=None, share=None, requests=0)

    def counted(
        self,
        interval: Interval | None,
        revision: str,
        *,
        unknown_fails: bool,
        is_share_proof: bool,
    ) -> Self:
        """Return the trial after an interval, which counts once and only for its own step.

        None is good for a step whose weight is not taken up yet, or whose visitors do not get it
        where `is_share_proof` of that; a failed one has failed all the same.
        """
        known = (revision, self.step, self.set_at or "")
        if interval is None or (interval.revision, interval.step, interval.since) != known:
            return self
        if interval.epoch == self.epoch and interval.number <= self.number:
            return self
        verdict = interval.verdict
        fails = verdict is Verdict.FAILED or (verdict is Verdict.UNKNOWN and unknown_fails)
        passes = verdict is Verdict.PASSED
        seen = self
        if self.is_set and interval.share is not None:
            pooled = pooled_share((self.share, self.requests), interval.share, interval.requests)
            seen = replace(self, share=pooled[0], requests=pooled[1])
        is_at_step = self.is_set or self.step == 0
        is_proof = is_at_step and not (is_share_proof and seen.is_share_off)
        return replace(
            seen,
            epoch=interval.epoch,
            number=interval.number,
            passed=self.passed + (passes and is_proof),
            failed=self.failed + 1 if fails else (0 if passes else self.failed),
            checks=tuple(_tally(self.checks, each) for each in _results(interval)),
        )

    @property
    def is_set(self) -> bool:
        """Whether the weight was taken up."""
        return self.set_at is not None

    @property
    def is_share_off(self) -> bool:
        """Whether the visitors were counted and are not divided as was set."""
        return self.is_set and is_share_as_set(self.weight, self.share, self.requests) is False

    def manifest(self) -> Manifest:
        """Return the trial as the status shows it."""
        weight = {
            "desired": self.weight,
            "possible": self.possible,
            "set": self.weight if self.is_set else None,
            "observed": self.share,
            "requests": self.requests or None,
        }
        intervals = {
            "epoch": self.epoch,
            "number": self.number,
            "passed": self.passed,
            "failed": self.failed,
        }
        shown = {
            "phase": self.phase,
            "strategy": self.strategy,
            "step": self.step,
            "steps": self.steps,
            "weight": {name: value for name, value in weight.items() if value is not None},
            "setAt": self.set_at,
            "stableReplicas": self.stable,
            "intervals": intervals if self.epoch else None,
            "analysis": list(self.checks) or None,
            "earlierDecisions": list(self.earlier) or None,
        }
        return {name: value for name, value in shown.items() if value is not None}


def trial_before(status: Mapping[str, Any]) -> Trial | None:
    """Return the trial that a status tells of, None where it is in a phase that nobody knows."""
    rollout: Manifest = status.get("rollout", {})
    if "strategy" not in rollout or rollout["phase"] not in _PHASES:
        return None
    weight, intervals = rollout.get("weight", {}), rollout.get("intervals", {})
    return Trial(
        phase=rollout["phase"],
        strategy=rollout["strategy"],
        step=rollout.get("step", 0),
        steps=rollout.get("steps", 0),
        weight=weight.get("desired", 0),
        possible=weight.get("possible"),
        stable=rollout.get("stableReplicas", 0),
        set_at=rollout.get("setAt"),
        epoch=intervals.get("epoch", ""),
        number=intervals.get("number", 0),
        passed=intervals.get("passed", 0),
        failed=intervals.get("failed", 0),
        share=weight.get("observed"),
        requests=weight.get("requests", 0),
        checks=tuple(rollout.get("analysis", ())),
        earlier=tuple(rollout.get("earlierDecisions", ())),
    )


def steps_of(app: WeatherApp) -> tuple[CanaryStep, ...]:
    """Return the steps of the app's strategy; a BlueGreen has one, the switch."""
    strategy = app.rollout.strategy
    if blue_green := strategy.blue_green:
        retain = blue_green.retain_seconds
        return (CanaryStep(weight=100, duration_seconds=retain, approval=False),)
    return strategy.steps


def step_at(app: WeatherApp, number: int) -> CanaryStep | None:
    """Return a step by its number, from 1; the last one where steps were taken away meanwhile.

    None at step 0, and where the strategy was taken away.
    """
    steps = steps_of(app)
    return steps[min(number, len(steps)) - 1] if steps and number > 0 else None


def seconds_of(app: WeatherApp, step: int) -> int:
    """Return how long a step takes at least: with an analysis, so many good intervals."""
    at, analysis = step_at(app, step), app.rollout.analysis
    seconds = at.duration_seconds if at else 0
    if analysis is None:
        return seconds
    return intervals_in(analysis, seconds) * analysis.interval_seconds


def intervals_in(analysis: Analysis, seconds: int) -> int:
    """Return how many good intervals a duration comes to, of which there is at least one."""
    return max(-(-seconds // analysis.interval_seconds), 1)


def _results(interval: Interval) -> list[Manifest]:
    return [
        {
            name: value
            for name, value in (
                ("name", each.name),
                ("verdict", each.verdict.value),
                ("value", each.value),
                ("threshold", each.threshold),
                ("message", each.message or None),
            )
            if value is not None
        }
        for each in interval.results
    ]


def _tally(before: tuple[Manifest, ...], result: Manifest) -> Manifest:
    known = next((each for each in before if each["name"] == result["name"]), {})
    verdict = result["verdict"]
    return {
        **result,
        "passed": known.get("passed", 0) + (verdict == Verdict.PASSED),
        "failed": known.get("failed", 0) + (verdict == Verdict.FAILED),
    }
