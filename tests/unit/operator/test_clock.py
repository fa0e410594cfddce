"""Which time is believed."""

from datetime import UTC, datetime, timedelta

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
