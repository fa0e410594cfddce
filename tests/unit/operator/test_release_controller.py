"""The releases' controller beside an object that it cannot read."""

import asyncio
from dataclasses import dataclass
from typing import Any, cast

import pytest
from support.fake_api_server import FakeApiServer
from support.virtual_time import in_virtual_time, now
from weather_operator.controller.event_handlers import new_cache
from weather_operator.kube.resources import Key, Kind, Manifest
from weather_operator.model import WEATHER_RELEASE
from weather_operator.releases.controller import ReleaseController
from weather_operator.releases.digests import DigestResolver, Lookup
from weather_operator.releases.lookups import Lookups


@dataclass
class Answers:
    """A registry that has every image."""

    async def look_up(self, image: str, *, pinned: str | None) -> Lookup:
        return Lookup(digest="sha256:1")


@dataclass
class Nobody:
    """Who does nothing about a change."""

    def on_event(self, kind: Kind, type_: str | None, body: Manifest) -> None:
        """Take in nothing."""

    def enqueue_for_release(self, body: Manifest) -> None:
        """Look at nothing."""


@in_virtual_time
async def test_a_release_that_cannot_be_read_is_named_once_and_the_others_are_looked_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, cache = FakeApiServer(), new_cache()
    whole: dict[str, Any] = {"version": "1.0.0", "colour": "yellow", "image": "weather:1"}
    for name, spec in (("0-broken", {"version": "0.0.1"}), ("whole", whole)):
        body = await server.create(WEATHER_RELEASE, {"metadata": {"name": name}, "spec": spec})
        cache.put(WEATHER_RELEASE, body)
    controller = ReleaseController(
        server,
        cache,
        Nobody(),
        cast(DigestResolver, Answers()),
        lookups=Lookups(asyncio.Event()),
        refresh_seconds=60,
        now=lambda: "2026-01-01T00:00:00Z",
        clock=now,
    )
    running = asyncio.ensure_future(controller.run())
    await asyncio.sleep(300)
    running.cancel()
    answered = server.body(WEATHER_RELEASE, Key(namespace="", name="whole"))
    assert answered
    assert answered["status"]["digest"] == "sha256:1"
    (warning,) = caplog.records
    assert (warning.message[:24], vars(warning)["releases"]) == (
        "releases cannot be read:",
        ["0-broken"],
    )
