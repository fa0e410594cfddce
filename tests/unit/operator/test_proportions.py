"""What numbers of cases say of proportions, against what is known of them."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from weather_operator.rollout.proportions import (
    SHARE_SAMPLE,
    chance_of_at_least,
    is_share_as_set,
    least_difference,
    pooled_share,
    wilson_interval,
)


def test_the_published_examples() -> None:
    # Newcombe 1998, method 10 at 95 %: 56/70 - 48/80 is 0.0524 at least, 9/10 - 3/10 is 0.1705.
    low, high = wilson_interval(56, 70, z=1.96)
    assert low == pytest.approx(0.6918, abs=2e-4)
    assert high == pytest.approx(0.8769, abs=2e-4)
    assert least_difference((56, 70), (48, 80), z=1.96) == pytest.approx(0.0524, abs=1e-4)
    assert least_difference((9, 10), (3, 10), z=1.96) == pytest.approx(0.1705, abs=1e-4)


def test_no_cases_say_nothing() -> None:
    assert wilson_interval(0, 0, z=2) == (0, 1)
    assert least_difference((0, 0), (5, 10)) == least_difference((5, 10), (0, 0)) == -1


def test_chance_alone_passes_the_bound_in_one_of_a_hundred_cases() -> None:
    chance = random.Random(5)

    def successes(total: int) -> int:
        return sum(chance.random() < 0.95 for _ in range(total))

    passed = sum(
        least_difference((successes(400), 400), (successes(60), 60)) > 0 for _ in range(1500)
    )
    assert passed < 0.025 * 1500


@given(st.integers(1, 2000), st.integers(1, 2000), st.data())
def test_one_more_failure_never_makes_the_difference_smaller(
    stable: int, canary: int, data: st.DataObject
) -> None:
    served = data.draw(st.integers(0, stable))
    good = data.draw(st.integers(1, canary))
    before = least_difference((served, stable), (good, canary))
    assert least_difference((served, stable), (good - 1, canary)) >= before - 1e-12
    assert least_difference((served, stable), (good, canary + 1)) >= before - 1e-12


def test_a_share_is_judged_by_how_many_requests_it_is_of() -> None:
    assert is_share_as_set(10, 14, 150) is True
    assert is_share_as_set(10, 14, 20_000) is False
    assert is_share_as_set(10, 0, 2000) is False
    assert is_share_as_set(10, 0, 99) is None
    assert is_share_as_set(10, None, 2000) is None
    assert is_share_as_set(100, 100, 2000) is True
    assert is_share_as_set(0, 0, 2000) is True


def test_a_few_visitors_who_come_past_the_router_are_no_other_share() -> None:
    assert is_share_as_set(50, 40, 100_000) is True
    assert is_share_as_set(50, 33, 100_000) is False
    assert is_share_as_set(50, 100, 100_000) is False


def test_the_tail_of_the_binomial_distribution() -> None:
    assert chance_of_at_least(3, 3, 0.5) == pytest.approx(1 / 8)
    assert chance_of_at_least(2, 3, 0.5) == pytest.approx(1 / 2)
    assert chance_of_at_least(10, 10, 0.1) == pytest.approx(1e-10)
    assert chance_of_at_least(60_000, 100_000, 0.5) == pytest.approx(0)
    assert chance_of_at_least(1, 9, 0) == 0


@pytest.mark.parametrize("weight", [1, 5, 10, 50, 95])
@pytest.mark.parametrize("requests", [7, 40, 130, 1500])
def test_chance_alone_makes_no_other_share_of_many_intervals(weight: int, requests: int) -> None:
    chance = random.Random(weight * requests)
    known: tuple[float | None, int] = (None, 0)
    blamed = 0
    for _ in range(400):
        share = 100 * sum(chance.random() < weight / 100 for _ in range(requests)) / requests
        known = pooled_share(known, share, requests)
        blamed += is_share_as_set(weight, *known) is False
    assert blamed == 0
    assert known[1] == max(SHARE_SAMPLE, requests)


def test_a_share_that_is_amended_is_seen() -> None:
    known: tuple[float | None, int] = (0, SHARE_SAMPLE)
    intervals = 0
    while is_share_as_set(10, *known) is False:
        known = pooled_share(known, 10, 200)
        intervals += 1
    assert intervals <= 4
    assert pooled_share((0, SHARE_SAMPLE), 10, 5 * SHARE_SAMPLE) == (10, 5 * SHARE_SAMPLE)
