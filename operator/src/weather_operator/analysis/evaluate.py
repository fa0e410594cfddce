"""From what was measured in one interval to the result of each check; no I/O and no clock.

Each check is Passed, Failed or Unknown. Unknown is what nothing is known of: no data, a source that
is away, fewer requests than `minRequests`. An absolute bound is held against what was measured. A
bound relative to the stable track fails only where `least_difference` of the two proportions is
above it, so that a few requests condemn nobody; Newcombe's and Wilson's papers are named there. A
quantile is interpolated within its bucket, as Prometheus' histogram_quantile does.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from weather_operator.analysis.counters import INFINITY, Counters
from weather_operator.model.strategies import Check, Latency, Probe, PrometheusQuery, SuccessRate
from weather_operator.rollout.interval import CheckResult, Verdict
from weather_operator.rollout.proportions import least_difference


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswers:
    """What requests of our own were answered with, by class of status, and those without answer.

    `problem` says why they are no evidence, in words; empty where they are.
    """

    statuses: Mapping[str, int]
    unanswered: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryAnswer:
    """The one number that a query gave, or why there is none."""

    value: float | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All that was measured in one interval.

    `canary` and `stable` are None at step 0, where nobody visits the canary. Probes and queries are
    by the name of their check.
    """

    canary: Counters | None
    stable: Counters | None
    probes: Mapping[str, ProbeAnswers]
    queries: Mapping[str, QueryAnswer]


def evaluate(check: Check, measured: Measured, *, min_requests: int) -> CheckResult:
    """Return how one check came out."""
    if check.probe:
        return _probe(check.name, check.probe, measured.probes.get(check.name))
    if check.prometheus:
        return _query(check.name, check.prometheus, measured.queries.get(check.name))
    canary, stable = measured.canary, measured.stable
    if canary is None or stable is None:
        return _unknown(check.name, "the pods were not asked")
    if problem := _too_little(canary, min_requests):
        return _unknown(check.name, problem)
    if check.success_rate:
        return _success_rate(check.name, check.success_rate, canary, stable, min_requests)
    if check.latency:
        return _latency(check.name, check.latency, canary, stable, min_requests)
    return _unknown(check.name, "this operator does not know this kind of check")


def share_of(canary: Counters, stable: Counters) -> tuple[float | None, int]:
    """Return the canary's share of the requests in percent, and how many those were in all.

    The share is None where a pod that should have said its part did not, or nobody visited.
    """
    total = canary.total + stable.total
    if canary.silent_pods or stable.silent_pods or total <= 0:
        return None, round(total)
    return 100 * canary.total / total, round(total)


def quantile(percent: float, buckets: Mapping[float, float]) -> float | None:
    """Return below how many seconds so many percent of the requests were answered.

    None without requests. Of what is above the highest finite bound only that bound is known.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds and bounds[-1] == INFINITY else 0.0
    if total <= 0:
        return None
    rank, below, lower = total * percent / 100, 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= rank and buckets[bound] > below:
            if bound == INFINITY:
                return lower
            return lower + (bound - lower) * max(rank - below, 0.0) / (buckets[bound] - below)
        below, lower = buckets[bound], bound if bound != INFINITY else lower
    return lower


def _success_rate(
    name: str, bounds: SuccessRate, canary: Counters, stable: Counters, min_requests: int
) -> CheckResult:
    rate = 100 * canary.successes / canary.total
    of = f"{rate:.4g} % of {canary.total:.0f} requests succeeded"
    if bounds.min_percent is not None and rate < bounds.min_percent:
        message = f"{of}, at least {bounds.min_percent:g} % should"
        return _result(name, Verdict.FAILED, rate, bounds.min_percent, message)
    threshold, problem = bounds.min_percent, ""
    if bounds.max_below_stable is not None:
        problem = _incomparable(stable, min_requests)
        if not problem:
            rate_of_stable = 100 * stable.successes / stable.total
            relative = rate_of_stable - bounds.max_below_stable
            least = least_difference(
                (stable.successes, stable.total), (canary.successes, canary.total)
            )
            if 100 * least > bounds.max_below_stable:
                message = (
                    f"{of}, of stable's {rate_of_stable:.4g} %: more than "
                    f"{bounds.max_below_stable:g} points less, which is no chance"
                )
                return _result(name, Verdict.FAILED, rate, relative, message)
            threshold = relative if threshold is None else max(threshold, relative)
    return _passed(name, rate, threshold, of, canary, problem, bounds.min_percent is not None)


def _latency(
    name: str, bounds: Latency, canary: Counters, stable: Counters, min_requests: int
) -> CheckResult:
    percent = bounds.quantile_percent
    found = quantile(percent, canary.buckets)
    if found is None:
        return _unknown(name, "the canary's pods count no durations")
    value = 1000 * found
    of = f"{percent:g} % of {canary.total:.0f} requests took {value:.4g} ms at most"
    if bounds.max_milliseconds is not None and value > bounds.max_milliseconds:
        message = f"{of}, {bounds.max_milliseconds} ms are allowed"
        return _result(name, Verdict.FAILED, value, bounds.max_milliseconds, message)
    threshold: float | None = bounds.max_milliseconds
    problem = ""
    if bounds.max_above_stable is not None:
        problem = _incomparable(stable, min_requests)
        found = None if problem else quantile(percent, stable.buckets)
        if found is not None:
            relative = 1000 * found + bounds.max_above_stable
            if value > relative:
                message = f"{of}, stable's {1000 * found:.4g} ms: more than allowed above it"
                return _result(name, Verdict.FAILED, value, relative, message)
            threshold = relative if threshold is None else min(threshold, relative)
        elif not problem:
            problem = "the stable pods count no durations"
    return _passed(name, value, threshold, of, canary, problem, bounds.max_milliseconds is not None)


def _passed(
    name: str,
    value: float,
    threshold: float | None,
    of: str,
    canary: Counters,
    problem: str,
    has_absolute: bool,
) -> CheckResult:
    """Return Passed, or Unknown where a pod was silent or nothing was there to compare with.

    Where stable has too few visitors by now, an absolute bound of the same check decides alone.
    """
    if canary.silent_pods:
        return _unknown(name, f"{of}, but {_silent(canary)}", value=value)
    if problem and not (has_absolute and problem.startswith(_FEW)):
        return _unknown(name, f"{of}, but it cannot be compared: {problem}", value=value)
    message = f"{of}; not compared: {problem}" if problem else of
    return _result(name, Verdict.PASSED, value, threshold, message)


def _probe(name: str, bounds: Probe, answers: ProbeAnswers | None) -> CheckResult:
    if answers is None:
        return _unknown(name, "no request was made")
    if answers.problem:
        return _unknown(name, answers.problem)
    total = sum(answers.statuses.values()) + answers.unanswered
    if total < bounds.requests:
        return _unknown(name, f"{total} of {bounds.requests} requests were made in time")
    if answers.unanswered == total:
        problem = f"none of {total} requests was answered: can the operator reach the Service?"
        return _unknown(name, problem)
    good = sum(answers.statuses.get(each, 0) for each in ("2xx", "3xx"))
    value = 100 * good / total
    message = f"{good} of {total} requests to {bounds.path} were answered well"
    if answers.unanswered:
        message += f", {answers.unanswered} were not answered"
    verdict = Verdict.FAILED if value < bounds.min_percent else Verdict.PASSED
    return _result(name, verdict, value, bounds.min_percent, message)


def _query(name: str, bounds: PrometheusQuery, answer: QueryAnswer | None) -> CheckResult:
    if answer is None:
        return _unknown(name, "Prometheus was not asked")
    value = answer.value
    if value is None or not math.isfinite(value):
        return _unknown(name, answer.problem or f"the query gives {value}")
    message = f"the query gives {value:.4g}"
    if bounds.min is not None and value < bounds.min:
        text = f"{message}, at least {bounds.min:g} is wanted"
        return _result(name, Verdict.FAILED, value, bounds.min, text)
    if bounds.max is not None and value > bounds.max:
        text = f"{message}, at most {bounds.max:g} is allowed"
        return _result(name, Verdict.FAILED, value, bounds.max, text)
    threshold = bounds.max if bounds.max is not None else bounds.min
    return _result(name, Verdict.PASSED, value, threshold, message)


_FEW = "only "


def _too_little(canary: Counters, min_requests: int) -> str:
    """Say why the canary cannot be judged; empty where it can."""
    if canary.total >= max(min_requests, 1):
        return ""
    if canary.silent_pods:
        return _silent(canary)
    if not canary.pods:
        return "no pod of the canary gave a measurement of this interval"
    return f"{_FEW}{canary.total:.0f} requests came, {min_requests} are needed"


def _incomparable(stable: Counters, min_requests: int) -> str:
    if stable.total >= max(min_requests, 1):
        return ""
    if stable.silent_pods or not stable.pods:
        return _silent(stable) if stable.silent_pods else "no stable pod gave a measurement"
    return f"{_FEW}{stable.total:.0f} requests came to stable, {min_requests} are needed"


def _silent(counters: Counters) -> str:
    names = counters.silent_pods
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more} did not say what it has answered"


def _result(
    name: str, verdict: Verdict, value: float, threshold: float | None, message: str
) -> CheckResult:
    return CheckResult(
        name=name,
        verdict=verdict,
        value=round(value, 3),
        threshold=None if threshold is None else round(threshold, 3),
        message=message,
    )


def _unknown(name: str, message: str, *, value: float | None = None) -> CheckResult:
    rounded = None if value is None else round(value, 3)
    return CheckResult(name=name, verdict=Verdict.UNKNOWN, value=rounded, message=message)
