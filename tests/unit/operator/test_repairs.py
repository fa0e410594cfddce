"""How soon a field may be put back again."""

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from weather_operator.controller.repairs import (
    LONGEST_SECONDS,
    OVERRIDDEN_SECONDS,
    QUIET_SECONDS,
    Repairs,
)
from weather_operator.kube.apply import Cause, Difference, Field
from weather_operator.kube.resources import Key

LONDON = Key(namespace="default", name="london")
CHILD = ("Service/london", "weather-operator")
TYPE, PORT = ("f:spec", "f:type"), ("f:spec", "f:ports")
NOTHING = Difference()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def found(
    *fields: tuple[str, ...],
    declared: Any = "ours",
    live: Any = "theirs",
    cause: Cause = Cause.EDITED,
) -> Difference:
    return Difference(
        fields=tuple(Field(cause=cause, keys=keys, declared=declared, live=live) for keys in fields)
    )


def repaired_every(seconds: float, *, until: float) -> list[float]:
    """When a field is put back that somebody changes so often."""
    clock, times = Clock(), []
    repairs = Repairs(clock)
    while clock.now < until:
        if repairs.wait(LONDON, CHILD, found(TYPE)) == 0:
            repairs.record(LONDON, CHILD, found(TYPE), NOTHING)
            times.append(clock.now)
        clock.now += seconds
    return times


def test_a_first_repair_is_made_at_once_and_each_later_one_waits_twice_as_long() -> None:
    times = repaired_every(0.1, until=25)
    assert [round(each) for each in times] == [0, 1, 3, 7, 15]


def test_the_wait_has_an_end() -> None:
    times = repaired_every(10, until=10 * LONGEST_SECONDS)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(gaps) == LONGEST_SECONDS


def test_after_a_quiet_while_it_is_a_first_repair_again() -> None:
    clock = Clock()
    repairs = Repairs(clock)
    for _ in range(8):
        clock.now += LONGEST_SECONDS
        repairs.record(LONDON, CHILD, found(TYPE), NOTHING)
    assert repairs.wait(LONDON, CHILD, found(TYPE)) > 60
    clock.now += QUIET_SECONDS
    assert repairs.wait(LONDON, CHILD, found(TYPE)) == 0


def test_what_an_apply_did_not_change_is_left_alone_for_long() -> None:
    clock = Clock()
    repairs = Repairs(clock)
    outdated = found(TYPE, cause=Cause.OUTDATED)
    repairs.record(LONDON, CHILD, outdated, outdated)
    assert repairs.wait(LONDON, CHILD, outdated) == OVERRIDDEN_SECONDS
    assert repairs.wait(LONDON, CHILD, found(TYPE, live="another value")) == 1
    assert repairs.wait(LONDON, CHILD, found(TYPE, declared="new")) == 0
    assert repairs.wait(LONDON, CHILD, found(TYPE, PORT)) == 0
    clock.now += OVERRIDDEN_SECONDS
    assert repairs.wait(LONDON, CHILD, outdated) == 0


def test_a_change_of_ours_is_no_repair() -> None:
    repairs = Repairs(Clock())
    repairs.record(LONDON, CHILD, found(TYPE, cause=Cause.OUTDATED), NOTHING)
    assert repairs.wait(LONDON, CHILD, found(TYPE)) == 0


def test_apps_children_and_managers_are_apart_and_what_is_gone_is_forgotten() -> None:
    repairs = Repairs(Clock())
    repairs.record(LONDON, CHILD, found(TYPE), NOTHING)
    assert repairs.wait(LONDON, CHILD, found(TYPE)) == 1
    assert repairs.wait(LONDON, ("Service/london", "another"), found(TYPE)) == 0
    assert repairs.wait(Key(namespace="other", name="london"), CHILD, found(TYPE)) == 0
    repairs.forget(LONDON)
    assert repairs.wait(LONDON, CHILD, found(TYPE)) == 0


@given(st.lists(st.floats(0.05, 400), min_size=1, max_size=60))
def test_however_often_others_write_few_repairs_follow(gaps: list[float]) -> None:
    clock, times = Clock(), []
    repairs = Repairs(clock)
    for gap in gaps:
        if repairs.wait(LONDON, CHILD, found(TYPE)) == 0:
            repairs.record(LONDON, CHILD, found(TYPE), NOTHING)
            times.append(clock.now)
        clock.now += gap
    for number, (earlier, later) in enumerate(itertools.pairwise(times)):
        assert later - earlier >= min(2.0**number, LONGEST_SECONDS) - 1e-6
