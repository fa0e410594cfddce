from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from support.providers import Clock
from weather_webapp.breaker import OPENS_AFTER, PAUSES, Breaker, pause_after
from weather_webapp.budget import Budget
from weather_webapp.providers import Failure, ProviderError

UNAVAILABLE = ProviderError(Failure.UNAVAILABLE)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock, Random(1))


def test_it_opens_after_failures_in_a_row(breaker: Breaker) -> None:
    for _ in range(OPENS_AFTER - 1):
        breaker.failed(UNAVAILABLE)
    breaker.succeeded()
    for _ in range(OPENS_AFTER - 1):
        breaker.failed(UNAVAILABLE)
    assert breaker.refusal() is None
    again_at = breaker.failed(UNAVAILABLE)
    assert breaker.refusal() == (Failure.UNAVAILABLE, again_at)


@pytest.mark.parametrize("failure", [Failure.KEY_REFUSED, Failure.QUOTA_EXCEEDED])
def test_key_and_quota_open_it_at_once(breaker: Breaker, failure: Failure) -> None:
    breaker.failed(ProviderError(failure))
    assert breaker.is_open
    assert breaker.refusal()


def test_after_the_pause_one_call_tries(breaker: Breaker, clock: Clock) -> None:
    clock.now = breaker.failed(ProviderError(Failure.QUOTA_EXCEEDED))
    assert breaker.refusal() is None
    assert breaker.enter()
    refusal = breaker.refusal()
    assert refusal
    assert refusal[1] > clock.now
    breaker.leave(tried=True)
    breaker.succeeded()
    assert breaker.refusal() is None
    assert not breaker.is_open


def test_a_try_that_fails_opens_it_again_for_longer(breaker: Breaker, clock: Clock) -> None:
    first = breaker.failed(ProviderError(Failure.QUOTA_EXCEEDED)) - clock.now
    clock.pass_by(minutes=2)
    breaker.enter()
    second = breaker.failed(ProviderError(Failure.QUOTA_EXCEEDED)) - clock.now
    breaker.leave(tried=True)
    assert second > first
    assert breaker.refusal()


def test_a_try_that_is_given_up_leaves_the_next_one_free(breaker: Breaker, clock: Clock) -> None:
    clock.now = breaker.failed(ProviderError(Failure.QUOTA_EXCEEDED))
    breaker.enter()
    breaker.leave(tried=True)
    assert breaker.refusal() is None


def test_a_call_from_before_that_ends_admits_no_second_try(breaker: Breaker, clock: Clock) -> None:
    assert not breaker.enter()
    clock.now = breaker.failed(ProviderError(Failure.QUOTA_EXCEEDED))
    assert breaker.enter()
    breaker.leave(tried=False)
    assert breaker.refusal()


@pytest.mark.parametrize("failure", Failure)
def test_pauses_grow_up_to_a_bound_and_are_never_shorter_than_asked(failure: Failure) -> None:
    now, random = Clock().now, Random(1)
    first, longest = PAUSES[failure]
    for times in range(1, 2000, 7):
        pause = pause_after(ProviderError(failure), times, now, random)
        assert first <= pause <= longest * 1.5
    pauses = {pause_after(ProviderError(failure), 1, now, random) for _ in range(10)}
    assert len(pauses) == 10


def test_the_pause_doubles() -> None:
    class Level(Random):
        def uniform(self, a: float, b: float) -> float:
            return 0

    pauses = [pause_after(UNAVAILABLE, n, Clock().now, Level()).seconds for n in range(1, 7)]
    assert pauses == [15, 30, 60, 120, 240, 300]


def test_a_quota_is_waited_for_until_it_is_renewed() -> None:
    now = datetime(2025, 11, 23, 10, 44, tzinfo=UTC)
    hour = ProviderError(Failure.QUOTA_EXCEEDED, 429, quota="hour")
    day = ProviderError(Failure.QUOTA_EXCEEDED, 429, quota="day")
    renewed = datetime(2025, 11, 23, 11, tzinfo=UTC)
    assert renewed <= now + pause_after(hour, 1, now, Random(1)) <= renewed + timedelta(minutes=1)
    midnight = datetime(2025, 11, 24, tzinfo=UTC)
    assert midnight <= now + pause_after(day, 1, now, Random(1)) <= midnight + timedelta(minutes=1)


def test_a_budget_is_full_at_first_and_fills_evenly(clock: Clock) -> None:
    budget = Budget(6, clock)
    assert [budget.take(2) for _ in range(4)] == [True, True, True, False]
    clock.pass_by(seconds=19)
    assert not budget.take(2)
    clock.pass_by(seconds=1)
    assert budget.take(2)
    budget.give_back(1)
    assert budget.left == pytest.approx(1)
    clock.pass_by(hours=1)
    assert budget.left == 6
    clock.pass_by(hours=-2)
    assert budget.left == 6


def test_a_budget_smaller_than_what_one_answer_needs_allows_it_when_full(clock: Clock) -> None:
    budget = Budget(1, clock)
    assert budget.take(2)
    assert not budget.take(1)
    clock.pass_by(minutes=1)
    assert budget.take(2)
