"""Events are counted up rather than repeated, and nothing depends on them."""

import pytest
from support.fake_api_server import FakeApiServer, Request
from weather_operator.kube.errors import RefusedError
from weather_operator.kube.events import Recorder
from weather_operator.kube.resources import EVENT, Manifest

LONDON = {
    "apiVersion": "example.org/v1",
    "kind": "City",
    "name": "london",
    "namespace": "default",
    "uid": "1",
}


class Clock:
    """A clock that is a second further each time that it is read."""

    def __init__(self) -> None:
        self.seconds = 0

    def __call__(self) -> str:
        self.seconds += 1
        return f"2026-01-01T10:00:{self.seconds:02}Z"


def recorder(server: FakeApiServer) -> Recorder:
    return Recorder(server, component="mapmaker", now=Clock())


def events(server: FakeApiServer) -> list[Manifest]:
    return [body for (kind, _), body in server.bodies().items() if kind is EVENT]


async def test_an_event_names_the_object_the_component_and_the_time() -> None:
    server = FakeApiServer()
    await recorder(server).record(LONDON, "Flooded", "the Thames is up", warning=True)
    (event,) = events(server)
    assert event["involvedObject"] == LONDON
    assert event["metadata"]["namespace"] == "default"
    assert event["metadata"]["name"].startswith("london.")
    assert (event["type"], event["reason"]) == ("Warning", "Flooded")
    assert event["message"] == "the Thames is up"
    assert (
        event["source"] == {"component": event["reportingComponent"]} == {"component": "mapmaker"}
    )
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-01-01T10:00:01Z"
    assert server.writes[0].part == "mapmaker"


async def test_the_same_event_again_is_counted_and_keeps_its_first_time() -> None:
    server = FakeApiServer()
    recording = recorder(server)
    for _ in range(3):
        await recording.record(LONDON, "Flooded", "the Thames is up", warning=True)
    (event,) = events(server)
    assert event["count"] == 3
    assert event["firstTimestamp"] == "2026-01-01T10:00:01Z"
    assert event["lastTimestamp"] == "2026-01-01T10:00:03Z"


@pytest.mark.parametrize(
    ("regarding", "reason", "message", "warning"),
    [
        ({**LONDON, "uid": "2"}, "Flooded", "the Thames is up", True),
        (LONDON, "Dry", "the Thames is up", True),
        (LONDON, "Flooded", "the Thames is down", True),
        (LONDON, "Flooded", "the Thames is up", False),
    ],
)
async def test_what_differs_in_anything_is_another_event(
    regarding: Manifest, reason: str, message: str, warning: bool
) -> None:
    server = FakeApiServer()
    recording = recorder(server)
    await recording.record(LONDON, "Flooded", "the Thames is up", warning=True)
    await recording.record(regarding, reason, message, warning=warning)
    assert [event["count"] for event in events(server)] == [1, 1]


async def test_a_long_message_is_cut_and_still_told_from_another() -> None:
    server = FakeApiServer()
    recording = recorder(server)
    for end in "ab":
        await recording.record(LONDON, "Flooded", "x" * 2000 + end, warning=True)
    assert [len(event["message"]) for event in events(server)] == [1024, 1024]


async def test_an_event_that_cannot_be_written_is_logged_and_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(_: Request) -> None:
        raise RefusedError(403, "Forbidden", "events is forbidden")

    server = FakeApiServer()
    server.before = refuse
    await recorder(server).record(LONDON, "Flooded", "the Thames is up", warning=True)
    assert [record.getMessage() for record in caplog.records] == ["an event was not written"]
    assert events(server) == []
