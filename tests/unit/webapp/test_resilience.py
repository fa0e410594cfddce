from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from support.providers import Clock
from weather_webapp.errors import Failure, ProviderError
from weather_webapp.resilience import (
    BACKOFF,
    FAILURES_TO_OPEN,
    CircuitBreaker,
    TokenBucket,
    backoff_after,
)

UNAVAILABLE = ProviderError(Failure.UNAVAILABLE)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(clock, Random(1))


def test_it_opens_after_failures_in_a_row(breaker: CircuitBreaker) -> None:
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.record_failure(UNAVAILABLE)
    breaker.record_success()
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.record_failure(UNAVAILABLE)
    assert breaker.rejection() is None
    again_at = breaker.record_failure(UNAVAILABLE)
    assert breaker.rejection() == (Failure.UNAVAILABLE, again_at)


@pytest.mark.parametrize("failure", [Failure.KEY_REFUSED, Failure.QUOTA_EXCEEDED])
def test_key_and_quota_open_it_at_once(breaker: CircuitBreaker, failure: Failure) -> None:
    breaker.record_failure(ProviderError(failure))
    assert breaker.is_open
    assert breaker.rejection()


def test_after_the_pause_one_call_tries(breaker: CircuitBreaker, clock: Clock) -> None:
    clock.now = breaker.record_failure(ProviderError(Failure.QUOTA_EXCEEDED))
    assert breaker.rejection() is None
    assert breaker.begin_call()
    rejection = breaker.rejection()
    assert rejection
    assert rejection[1] > clock.now
    breaker.end_call(probed=True)
    breaker.record_success()
    assert breaker.rejection() is None
    assert not breaker.is_open


def test_after_the_clock_was_set_back_one_call_tries(breaker: CircuitBreaker, clock: Clock) -> None:
    breaker.record_failure(ProviderError(Failure.QUOTA_EXCEEDED))
    clock.advance(hours=-5)
    assert breaker.rejection() is None
    assert breaker.begin_call()
    assert breaker.rejection()


def test_a_try_that_fails_opens_it_again_for_longer(breaker: CircuitBreaker, clock: Clock) -> None:
    first = breaker.record_failure(ProviderError(Failure.QUOTA_EXCEEDED)) - clock.now
    clock.advance(minutes=2)
    breaker.begin_call()
    second = breaker.record_failure(ProviderError(Failure.QUOTA_EXCEEDED)) - clock.now
    breaker.end_call(probed=True)
    assert second > first
    assert breaker.rejection()


def test_failures_that_come_together_open_it_for_no_longer(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    retries = [breaker.record_failure(UNAVAILABLE) for _ in range(4 * FAILURES_TO_OPEN)]
    assert max(retries) - clock.now <= 1.5 * BACKOFF[Failure.UNAVAILABLE][0]


def test_a_try_that_is_given_up_leaves_the_next_one_free(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    clock.now = breaker.record_failure(ProviderError(Failure.QUOTA_EXCEEDED))
    breaker.begin_call()
    breaker.end_call(probed=True)
    assert breaker.rejection() is None


def test_a_call_from_before_that_ends_admits_no_second_try(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    assert not breaker.begin_call()
    clock.now = breaker.record_failure(ProviderError(Failure.QUOTA_EXCEEDED))
    assert breaker.begin_call()
    breaker.end_call(probed=False)
    assert breaker.rejection()


@pytest.mark.parametrize("failure", Failure)
def test_pauses_grow_up_to_a_bound_and_are_never_shorter_than_asked(failure: Failure) -> None:
    now, random = Clock().now, Random(1)
    first, longest = BACKOFF[failure]
    for times in range(1, 2000, 7):
        pause = backoff_after(ProviderError(failure), times, now, random)
        assert first <= pause <= longest * 1.5
    pauses = {backoff_after(ProviderError(failure), 1, now, random) for _ in range(10)}
    assert len(pauses) == 10


def test_the_pause_doubles() -> None:
    class Level(Random):
        def uniform(self, a: float, b: float) -> float:
            return 0

    pauses = [backoff_after(UNAVAILABLE, n, Clock().now, Level()).seconds for n in range(1, 7)]
    assert pauses == [15, 30, 60, 120, 240, 300]


def test_a_quota_is_waited_for_until_it_is_renewed() -> None:
    now = datetime(2025, 11, 23, 10, 44, tzinfo=UTC)
    hour = ProviderError(Failure.QUOTA_EXCEEDED, 429, quota="hour")
    day = ProviderError(Failure.QUOTA_EXCEEDED, 429, quota="day")
    renewed = datetime(2025, 11, 23, 11, tzinfo=UTC)
    assert renewed <= now + backoff_after(hour, 1, now, Random(1)) <= renewed + timedelta(minutes=1)
    midnight = datetime(2025, 11, 24, tzinfo=UTC)
    assert (
        midnight <= now + backoff_after(day, 1, now, Random(1)) <= midnight + timedelta(minutes=1)
    )


def test_a_budget_is_full_at_first_and_fills_evenly(clock: Clock) -> None:
    bucket = TokenBucket(6, clock)
    assert [bucket.take(2) for _ in range(4)] == [True, True, True, False]
    clock.advance(seconds=19)
    assert not bucket.take(2)
    clock.advance(seconds=1)
    assert bucket.take(2)
    bucket.put_back(1)
    assert bucket.available == pytest.approx(1)
    clock.advance(hours=1)
    assert bucket.available == 6
    clock.advance(hours=-2)
    assert bucket.available == 6


def test_a_budget_smaller_than_what_one_answer_needs_allows_it_when_full(clock: Clock) -> None:
    bucket = TokenBucket(1, clock)
    assert bucket.take(2)
    assert not bucket.take(1)
    clock.advance(minutes=1)
    assert bucket.take(2)
