"""From measurements to results: no evidence condemns nobody, and proves nothing."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from weather_operator.analysis.counters import Counters
from weather_operator.analysis.evaluate import (
    Measured,
    ProbeAnswers,
    QueryAnswer,
    evaluate,
    quantile,
    share_of,
)
from weather_operator.model.strategies import (
    Check,
    Latency,
    Probe,
    PrometheusQuery,
    SuccessRate,
)
from weather_operator.rollout.interval import CheckResult, Verdict

INF = float("inf")
BOTH = Check(name="success", success_rate=SuccessRate(min_percent=90, max_below_stable=1))
RELATIVE = Check(name="success", success_rate=SuccessRate(min_percent=None, max_below_stable=1))
LATENCY = Check(
    name="latency",
    latency=Latency(quantile_percent=95, max_milliseconds=500, max_above_stable=100),
)
PROBE = Check(name="page", probe=Probe(path="/weather.json", requests=20, min_percent=90))
QUERY = Check(name="own", prometheus=PrometheusQuery(query="up", min=1, max=3))


def counters(
    good: float, bad: float = 0, *, seconds: float = 0.1, silent: tuple[str, ...] = ()
) -> Counters:
    total = good + bad
    buckets = {bound: total if bound >= seconds else 0 for bound in (0.05, 0.1, 0.5, 1.0, INF)}
    requests: Mapping[str, float] = {"2xx": good, "5xx": bad}
    return Counters(requests=requests, buckets=buckets, pods=1, silent_pods=silent)


def result(
    check: Check,
    canary: Counters | None = None,
    stable: Counters | None = None,
    *,
    probe: ProbeAnswers | None = None,
    query: QueryAnswer | None = None,
    min_requests: int = 20,
) -> CheckResult:
    measured = Measured(
        canary=canary,
        stable=stable,
        probes={"page": probe} if probe else {},
        queries={"own": query} if query else {},
    )
    return evaluate(check, measured, min_requests=min_requests)


def test_a_success_rate_is_held_against_both_bounds() -> None:
    found = result(BOTH, counters(200), counters(2000))
    assert (found.verdict, found.value, found.threshold) == ("Passed", 100, 99)
    found = result(BOTH, counters(80, 20), counters(2000))
    assert (found.verdict, found.value, found.threshold) == ("Failed", 80, 90)
    assert "at least 90 % should" in found.message
    found = result(BOTH, counters(190, 10), counters(2000))
    assert (found.verdict, found.value, found.threshold) == ("Failed", 95, 99)
    assert "stable's 100 %" in found.message


def test_one_failure_of_a_few_is_chance_where_only_stable_is_the_bound() -> None:
    assert result(RELATIVE, counters(19, 1), counters(2000)).verdict == Verdict.PASSED
    assert result(RELATIVE, counters(12, 8), counters(2000)).verdict == Verdict.FAILED


def test_a_failure_that_stable_has_too_is_nobodys_fault() -> None:
    assert result(RELATIVE, counters(95, 5), counters(950, 50)).verdict == Verdict.PASSED


def test_too_few_requests_are_no_evidence() -> None:
    found = result(BOTH, counters(0, 19), counters(2000))
    assert (found.verdict, found.value) == (Verdict.UNKNOWN, None)
    assert found.message == "only 19 requests came, 20 are needed"


def test_a_silent_pod_never_lets_a_check_pass_nor_saves_it() -> None:
    silent = ("london-canary-1",)
    found = result(BOTH, counters(200, silent=silent), counters(2000))
    assert found.verdict == Verdict.UNKNOWN
    assert "london-canary-1 did not say what it has answered" in found.message
    assert result(BOTH, counters(50, 50, silent=silent), counters(2000)).verdict == "Failed"
    assert result(BOTH, counters(0, silent=silent), counters(9)).message.startswith(silent[0])


def test_where_stable_has_no_visitors_left_the_absolute_bound_decides_alone() -> None:
    found = result(BOTH, counters(200), counters(3))
    assert found.verdict == Verdict.PASSED
    assert "not compared: only 3 requests came to stable" in found.message
    assert result(RELATIVE, counters(200), counters(3)).verdict == Verdict.UNKNOWN
    assert result(BOTH, counters(200), counters(0, silent=("a",))).verdict == Verdict.UNKNOWN
    assert result(BOTH, counters(200), Counters()).verdict == Verdict.UNKNOWN


def test_a_latency_is_held_against_both_bounds() -> None:
    found = result(LATENCY, counters(100, seconds=0.1), counters(1000, seconds=0.1))
    assert found.verdict == Verdict.PASSED
    assert found.value == pytest.approx(97.5)
    assert found.threshold == pytest.approx(197.5)
    found = result(LATENCY, counters(100, seconds=1), counters(1000, seconds=0.1))
    assert (found.verdict, found.threshold) == (Verdict.FAILED, 500)
    found = result(LATENCY, counters(100, seconds=0.5), counters(1000, seconds=0.1))
    assert found.verdict == Verdict.FAILED
    assert found.threshold == pytest.approx(197.5)
    assert result(LATENCY, counters(100, seconds=0.5), counters(3)).verdict == Verdict.PASSED


@pytest.mark.parametrize(
    ("buckets", "expected"),
    [
        ({0.1: 0, 0.5: 100, INF: 100}, 0.1 + 0.4 * 0.95),
        ({0.1: 100, INF: 100}, 0.095),
        ({0.1: 50, INF: 100}, 0.1),
        ({0.1: 0, INF: 0}, None),
        ({}, None),
        ({0.1: 5}, None),
    ],
)
def test_a_quantile_is_interpolated(buckets: dict[float, float], expected: float | None) -> None:
    assert quantile(95, buckets) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("answers", "verdict", "words"),
    [
        (ProbeAnswers(statuses={"2xx": 20}), "Passed", "20 of 20 requests to /weather.json"),
        (ProbeAnswers(statuses={"2xx": 17, "3xx": 1, "5xx": 2}), "Passed", "18 of 20"),
        (ProbeAnswers(statuses={"2xx": 17, "5xx": 3}), "Failed", "17 of 20"),
        (ProbeAnswers(statuses={"2xx": 17}, unanswered=3), "Failed", "3 were not answered"),
        (ProbeAnswers(statuses={}, unanswered=20), "Unknown", "can the operator reach"),
        (ProbeAnswers(statuses={"2xx": 19}), "Unknown", "19 of 20 requests were made"),
        (ProbeAnswers(statuses={"2xx": 20}, problem="away"), "Unknown", "away"),
        (None, "Unknown", "no request was made"),
    ],
)
def test_probes(answers: ProbeAnswers | None, verdict: str, words: str) -> None:
    found = result(PROBE, probe=answers)
    assert found.verdict == verdict
    assert words in found.message


@pytest.mark.parametrize(
    ("answer", "verdict", "threshold"),
    [
        (QueryAnswer(value=2), "Passed", 3),
        (QueryAnswer(value=0.5), "Failed", 1),
        (QueryAnswer(value=3.1), "Failed", 3),
        (QueryAnswer(value=float("nan")), "Unknown", None),
        (QueryAnswer(value=INF), "Unknown", None),
        (QueryAnswer(problem="away"), "Unknown", None),
        (None, "Unknown", None),
    ],
)
def test_queries(answer: QueryAnswer | None, verdict: str, threshold: float | None) -> None:
    found = result(QUERY, query=answer)
    assert (found.verdict, found.threshold) == (verdict, threshold)


def test_at_step_0_nobody_was_asked() -> None:
    assert result(BOTH).verdict == result(LATENCY).verdict == Verdict.UNKNOWN


def test_the_share_needs_every_pods_word() -> None:
    assert share_of(counters(10), counters(90)) == (10, 100)
    assert share_of(counters(10), counters(90, silent=("a",))) == (None, 100)
    assert share_of(counters(0), counters(0)) == (None, 0)


numbers = st.integers(0, 3000)
checks = st.sampled_from([BOTH, RELATIVE, LATENCY])
times = st.sampled_from([0.05, 0.1, 0.5, 1.0])


@given(checks, numbers, numbers, numbers, numbers, times, st.integers(1, 500))
def test_fewer_than_min_requests_never_fail_nor_pass(
    check: Check, good: int, bad: int, stable: int, worse: int, seconds: float, lacking: int
) -> None:
    canary, least = counters(good, bad, seconds=seconds), good + bad + lacking
    found = result(check, canary, counters(stable, worse), min_requests=least)
    assert found.verdict == Verdict.UNKNOWN


@given(st.sampled_from([BOTH, RELATIVE]), numbers, numbers, numbers, numbers, st.booleans())
def test_more_failures_never_turn_failed_into_passed(
    check: Check, good: int, bad: int, stable: int, worse: int, instead: bool
) -> None:
    against = counters(stable, worse)
    if result(check, counters(good, bad), against).verdict != Verdict.FAILED:
        return
    more = counters(max(good - 1, 0) if instead else good, bad + 1)
    assert result(check, more, against).verdict == Verdict.FAILED
