"""Change windows: when they are open, when the next one opens, and what waits for it."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.simulation import Simulation
from weather_operator.model import WEATHER_APP, Window
from weather_operator.rollout.windows import closed
from weather_operator.status.conditions import condition

NIGHT = {"start": "22:00", "end": "04:00"}


def window(start: str, end: str, *days: str, zone: str = "UTC") -> Window:
    return Window(days=days, start=start, end=end, time_zone=zone)


def opens_at(now: str, *windows: Window) -> str | None:
    found = closed(windows, now)
    return found.opens_at if found else "open"


@pytest.mark.parametrize(
    ("windows", "now", "expected"),
    [
        ([], "2026-11-26T12:00:00Z", "open"),
        ([window("09:00", "17:00")], "2026-11-26T12:00:00Z", "open"),
        ([window("09:00", "17:00")], "2026-11-26T09:00:00Z", "open"),
        ([window("09:00", "17:00")], "2026-11-26T17:00:00Z", "2026-11-27T09:00:00Z"),
        ([window("09:00", "17:00", "Mon")], "2026-11-26T12:00:00Z", "2026-11-30T09:00:00Z"),
        ([window("09:00", "17:00", "Thu")], "2026-11-26T18:00:00Z", "2026-12-03T09:00:00Z"),
        ([window("22:00", "04:00", "Wed")], "2026-11-26T03:59:59Z", "open"),
        ([window("22:00", "04:00", "Wed")], "2026-11-26T04:00:00Z", "2026-12-02T22:00:00Z"),
        ([window("00:00", "24:00", "Thu")], "2026-11-26T23:59:59Z", "open"),
        ([window("00:00", "24:00", "Thu")], "2026-11-27T00:00:00Z", "2026-12-03T00:00:00Z"),
        ([window("00:00", "00:00", "Thu")], "2026-11-26T12:00:00Z", "open"),
        ([window("24:00", "00:00", "Wed")], "2026-11-26T12:00:00Z", "open"),
        ([window("24:00", "04:00", "Wed")], "2026-11-26T12:00:00Z", "2026-12-03T00:00:00Z"),
        ([window("09:00", "10:00", "Fri"), window("20:00", "21:00", "Thu")],
         "2026-11-26T12:00:00Z", "2026-11-26T20:00:00Z"),
        ([window("09:00", "17:00", zone="America/New_York")], "2026-11-26T13:59:00Z",
         "2026-11-26T14:00:00Z"),
        ([window("09:00", "17:00", zone="America/New_York")], "2026-07-26T13:00:00Z", "open"),
        ([window("09:00", "17:00", "Mon", zone="Asia/Tokyo")], "2026-11-29T23:59:00Z",
         "2026-11-30T00:00:00Z"),
        # In the night of the change of the clocks the window is an hour longer, or shorter.
        ([window("00:00", "06:00", zone="Europe/London")], "2026-10-25T05:30:00Z", "open"),
        ([window("00:00", "06:00", zone="Europe/London")], "2026-03-29T05:30:00Z",
         "2026-03-29T23:00:00Z"),
        # One that would begin in the hour that is left out, and ends soon after it.
        ([window("02:30", "03:15", zone="Europe/Berlin")], "2026-03-29T12:00:00Z",
         "2026-03-30T00:30:00Z"),
        ([window("02:30", "03:15", "Sun", zone="Europe/Berlin")], "2026-03-28T12:00:00Z",
         "2026-04-05T00:30:00Z"),
        ([window("09:00", "17:00", zone="Europe/Lodon")], "2026-11-26T12:00:00Z", None),
        ([window("09:00", "17:00", zone="../etc")], "2026-11-26T12:00:00Z", None),
    ],
)  # fmt: skip
def test_a_window_is_open_or_it_is_known_when_one_opens(
    windows: list[Window], now: str, expected: str | None
) -> None:
    assert opens_at(now, *windows) == expected


clocks = st.times().map(lambda each: each.strftime("%H:%M"))
zones = st.sampled_from(["UTC", "Europe/London", "America/New_York", "Asia/Kathmandu"])
days = st.sets(st.sampled_from(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]))
windows = st.builds(
    lambda start, end, days, zone: window(start, end, *sorted(days), zone=zone),
    clocks, clocks, days, zones,
)  # fmt: skip


@given(
    st.lists(windows, min_size=1, max_size=3),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
)
def test_when_it_says_that_one_opens_one_is_open_and_not_a_second_before(
    some: list[Window], moment: datetime
) -> None:
    now = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    opening = opens_at(now, *some)
    if opening is None or opening == "open":
        assert opening == "open", "these time zones are known"
        return
    assert now < opening
    assert opens_at(opening, *some) == "open"
    before = datetime.fromisoformat(opening) - timedelta(seconds=1)
    assert opens_at(before.strftime("%Y-%m-%dT%H:%M:%SZ"), *some) != "open"


async def test_a_change_waits_for_its_window_and_begins_when_it_opens() -> None:
    simulation = await Simulation.of(colour="yellow", rollout={"windows": [NIGHT]})
    await simulation.converge()
    assert simulation.ready() == "Serving", "a new site waits for nothing"
    simulation.change(colour="green", rollout={"windows": [NIGHT]})
    outcome = None
    for _ in range(4):
        outcome = await simulation.reconcile()
        simulation.turn()
    ready = condition(simulation.body(WEATHER_APP)["status"], "Ready")
    assert ready["reason"] == "WaitingForWindow"
    assert ready["message"] == (
        "1.0.0 to 2.0.0 waits for its window: the next one opens at 2026-01-01T22:00:00Z"
    )
    assert outcome
    assert outcome.requeue_after == 12 * 3600 - simulation.seconds
    assert simulation.body(WEATHER_APP)["status"]["colour"] == "yellow"
    simulation.change(colour="green", replicas=4, rollout={"windows": [NIGHT]})
    for _ in range(6):
        await simulation.reconcile()
        simulation.turn()
    assert simulation.body(WEATHER_APP)["status"]["ready"] == "4/4", "scaling waits for nothing"
    simulation.seconds += 12 * 3600
    await simulation.converge()
    assert simulation.body(WEATHER_APP)["status"]["colour"] == "green"
    assert simulation.ready() == "Serving"


async def test_a_way_back_waits_for_no_window() -> None:
    simulation = await Simulation.of(colour="yellow")
    await simulation.converge()
    simulation.change(colour="red")
    for _ in range(4):
        await simulation.reconcile()
        simulation.turn()
    assert simulation.ready() == "RollingOut"
    simulation.change(colour="yellow", rollout={"windows": [NIGHT]})
    await simulation.converge()
    assert simulation.ready() == "Serving"
    assert simulation.body(WEATHER_APP)["status"]["colour"] == "yellow"
