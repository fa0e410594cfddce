"""Which time is believed."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from weather_operator.kube.clock import ServerClock

SECONDS = st.floats(min_value=0.001, max_value=5)


class Machine:
    """A machine's clock since its boot, and a server whose date is another."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.server_began = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)

    def clock(self) -> float:
        return self.seconds

    def server(self) -> datetime:
        return self.server_began + timedelta(seconds=self.seconds - 1000)

    def header(self) -> str:
        return f"{self.server():%a, %d %b %Y %H:%M:%S GMT}"


def test_the_servers_time_goes_on_between_its_answers() -> None:
    machine = Machine()
    clock = ServerClock(clock=machine.clock)
    clock.set(machine.header())
    assert clock.now() == "2031-05-06T07:08:09Z"
    machine.seconds += 3661
    assert clock.now() == "2031-05-06T08:09:10Z"


@pytest.mark.parametrize("header", ["", "soon", "Tue, 99 May 2031 07:08:09 GMT"])
def test_without_a_date_the_machines_own_time_goes_on(header: str) -> None:
    machine = Machine()
    clock = ServerClock(clock=machine.clock)
    clock.set(header)
    machine.seconds += 3600
    told = datetime.fromisoformat(clock.now())
    assert abs(told - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=1)


@pytest.mark.parametrize("jump", [600, -600])
def test_a_clock_that_is_set_is_followed_slowly(jump: int) -> None:
    machine = Machine()
    clock = ServerClock(clock=machine.clock)
    clock.set(machine.header())
    machine.server_began += timedelta(seconds=jump)
    told = [datetime.fromisoformat(clock.now())]
    for _ in range(1300):
        machine.seconds += 1
        clock.set(machine.header())
        told.append(datetime.fromisoformat(clock.now()))
    seconds = [(later - earlier).total_seconds() for earlier, later in pairwise(told)]
    assert all(0 <= each <= 5 for each in seconds)
    assert set(seconds[:100]) <= {0, 1, 2}
    assert 9 <= (told[20] - told[0]).total_seconds() <= 31, "a deadline comes, and not at once"
    assert abs(told[-1] - machine.server()) < timedelta(seconds=2)


def test_of_two_servers_whose_clocks_differ_none_makes_time_jump() -> None:
    machine = Machine()
    clock = ServerClock(clock=machine.clock)
    told = []
    for number in range(60):
        machine.seconds += 1
        machine.server_began += timedelta(seconds=600 if number % 2 else -600)
        clock.set(machine.header())
        told.append(datetime.fromisoformat(clock.now()))
    assert all(0 <= (b - a).total_seconds() <= 2 for a, b in pairwise(told))


@given(st.lists(SECONDS, max_size=50))
def test_it_is_late_by_a_second_at_most_and_never_goes_back(pauses: list[float]) -> None:
    machine = Machine()
    clock = ServerClock(clock=machine.clock)
    clock.set(machine.header())
    told = [clock.now()]
    for pause in pauses:
        machine.seconds += pause
        told.append(clock.now())
        late = machine.server() - datetime.fromisoformat(told[-1])
        assert timedelta() <= late < timedelta(seconds=2)
        clock.set(machine.header())
        told.append(clock.now())
    assert told == sorted(told)
