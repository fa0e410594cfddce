"""What lists become, and when they are made again; what kopf leaves in its tasks is not logged."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from kopf._cogs.clients.api import iter_jsonlines
from support.fake_api_server import FakeApiServer, Request
from support.virtual_time import in_virtual_time, now
from weather_operator.kube.cache import Cache
from weather_operator.kube.errors import ApiError, RefusedError, UnavailableError, error_of
from weather_operator.kube.informers import Informers, _first_end, mute_kopf_logs
from weather_operator.kube.resources import (
    DEPLOYMENT,
    GATEWAY,
    NODE,
    SERVICE,
    Key,
    Kind,
    Manifest,
    key_of,
)

KINDS = (DEPLOYMENT, SERVICE, NODE, GATEWAY)
RESYNC_SECONDS = 600


@dataclass
class Recording:
    """A handler that keeps the cache, as handlers do, and what it was called with."""

    cache: Cache = field(default_factory=lambda: Cache(KINDS))
    events: list[tuple[str | None, str]] = field(default_factory=list)
    touched: list[Kind] = field(default_factory=list)
    enqueued: list[float] = field(default_factory=list)

    def on_event(self, kind: Kind, type_: str | None, body: Manifest) -> None:
        update = self.cache.remove if type_ == "DELETED" else self.cache.put
        update(kind, body)
        self.events.append((type_, f"{kind.name} {key_of(body)}"))

    def touch(self, kind: Kind) -> None:
        self.touched.append(kind)

    def enqueue_all(self) -> None:
        self.enqueued.append(now())

    def needs_optional_kinds(self) -> bool:
        return True


async def server_with(*objects: tuple[Kind, str, str]) -> FakeApiServer:
    """A server with objects: kind, key, and the value of a label."""
    server = FakeApiServer()
    for kind, name, label in objects:
        *namespace, name = name.split("/")
        metadata = {"name": name, "labels": {"of": label}}
        if namespace:
            metadata["namespace"] = namespace[0]
        await server.create(kind, {"metadata": metadata, "spec": {}})
    return server


def informers(
    server: FakeApiServer, handler: Recording, *, namespaces: tuple[str, ...] = ()
) -> Informers:
    return Informers(
        server,
        handler.cache,
        handler,
        kinds=KINDS,
        essential=(DEPLOYMENT,),
        optional=(GATEWAY,),
        label_selectors={SERVICE: "of=us"},
        namespaces=namespaces,
        resync_seconds=RESYNC_SECONDS,
    )


def failing(kind: Kind, error: ApiError) -> Callable[[Request], None]:
    def fail(request: Request) -> None:
        if request.kind is kind:
            raise error

    return fail


FORBIDDEN = RefusedError(403, "Forbidden", "may not list")
DOWN = UnavailableError(503, "ServiceUnavailable", "etcd is away")


async def test_a_list_hands_on_what_is_there_and_what_is_gone() -> None:
    server = await server_with(
        (DEPLOYMENT, "a/x", "us"), (SERVICE, "a/x", "us"), (SERVICE, "a/y", "them"), (NODE, "n", "")
    )
    handler = Recording()
    listing = informers(server, handler)
    await listing.list_all()
    assert sorted(handler.events, key=str) == [
        (None, "Deployment a/x"),
        (None, "Node n"),
        (None, "Service a/x"),
    ]
    handler.events.clear()
    server.remove(SERVICE, Key(namespace="a", name="x"))
    await listing.list_all()
    assert ("DELETED", "Service a/x") in handler.events
    assert len(handler.events) == 3
    assert set(handler.touched) == set(KINDS)


async def test_an_object_that_loses_the_label_is_gone() -> None:
    server = await server_with((SERVICE, "a/x", "us"))
    handler = Recording()
    listing = informers(server, handler)
    await listing.list_all()
    metadata = {**handler.cache.get(SERVICE, Key(namespace="a", name="x"))["metadata"]}  # type: ignore[index]
    server.edit(SERVICE, Key(namespace="a", name="x"), metadata={**metadata, "labels": {}})
    await listing.list_all()
    assert handler.events[-1] == ("DELETED", "Service a/x")


async def test_only_the_named_namespaces_are_listed_and_what_belongs_to_none() -> None:
    server = await server_with(
        (DEPLOYMENT, "a/x", ""), (DEPLOYMENT, "b/x", ""), (DEPLOYMENT, "c/x", ""), (NODE, "n", "")
    )
    handler = Recording()
    await informers(server, handler, namespaces=("a", "b")).list_all()
    assert {name for _, name in handler.events} == {"Deployment a/x", "Deployment b/x", "Node n"}


async def test_a_kind_that_may_not_be_listed_is_done_without_until_it_may(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, handler = await server_with((NODE, "n", "")), Recording()
    listing = informers(server, handler)
    server.before = failing(NODE, FORBIDDEN)
    await listing.list_all()
    await listing.list_all()
    assert [record.getMessage() for record in caplog.records] == [
        "a kind cannot be listed: grant the chart's roles"
    ]
    assert NODE not in handler.touched, "its age must grow"
    server.before = lambda _: None
    assert handler.enqueued == []
    await listing.list_all()
    assert handler.events == [(None, "Node n")]
    assert len(handler.enqueued) == 1


async def test_a_kind_that_the_cluster_lacks_is_up_to_date(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, handler = FakeApiServer(), Recording()
    server.unserved = {GATEWAY}
    await informers(server, handler).list_all()
    assert GATEWAY in handler.touched
    assert caplog.records == []


@pytest.mark.parametrize(("kind", "error"), [(DEPLOYMENT, FORBIDDEN), (NODE, DOWN)])
async def test_without_an_essential_kind_or_an_answer_there_is_no_list(
    kind: Kind, error: ApiError
) -> None:
    server = FakeApiServer()
    server.before = failing(kind, error)
    with pytest.raises(type(error)):
        await informers(server, Recording()).list_all()


@in_virtual_time
async def test_everything_is_listed_again_when_the_interval_is_over() -> None:
    server, handler = FakeApiServer(), Recording()
    relisting = asyncio.ensure_future(informers(server, handler).relist())
    await asyncio.sleep(10 * RESYNC_SECONDS)
    relisting.cancel()
    assert 9 <= len(handler.enqueued) <= 11
    gaps = [b - a for a, b in zip(handler.enqueued, handler.enqueued[1:], strict=False)]
    assert all(0.9 * RESYNC_SECONDS <= gap <= 1.1 * RESYNC_SECONDS for gap in gaps)
    assert len(set(gaps)) > 1, "two operators must not list at the same times for ever"


@in_virtual_time
async def test_many_requests_at_once_are_one_list_and_nobody_is_enqueued_for_it() -> None:
    server, handler = FakeApiServer(), Recording()
    listing = informers(server, handler)
    relisting = asyncio.ensure_future(listing.relist())
    await asyncio.sleep(1)
    for _ in range(5):
        listing.request_relist()
        await asyncio.sleep(0.1)
    await asyncio.sleep(10)
    relisting.cancel()
    assert handler.touched.count(NODE) == 1
    assert handler.enqueued == []


@in_virtual_time
async def test_a_list_that_fails_is_tried_again_until_it_works(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, handler = FakeApiServer(), Recording()
    listing = informers(server, handler)
    relisting = asyncio.ensure_future(listing.relist())
    server.before = failing(NODE, DOWN)
    listing.request_relist()
    await asyncio.sleep(10)
    assert NODE not in handler.touched
    server.before = lambda _: None
    await asyncio.sleep(2)
    assert NODE in handler.touched
    relisting.cancel()
    assert [record.getMessage() for record in caplog.records] == ["could not list everything"]


async def test_a_kind_whose_definition_is_gone_went_with_all_its_objects() -> None:
    server = await server_with((GATEWAY, "a/x", ""), (DEPLOYMENT, "a/x", ""), (NODE, "n", ""))
    handler = Recording()
    listing = informers(server, handler)
    await listing.list_all()
    server.unserved = {GATEWAY, DEPLOYMENT}
    handler.events.clear()
    await listing.list_all()
    assert set(handler.events) == {
        ("DELETED", "Gateway a/x"),
        ("DELETED", "Deployment a/x"),
        (None, "Node n"),
    }


async def test_a_built_in_kind_that_is_not_found_for_once_has_lost_none_of_its_objects() -> None:
    server = await server_with((NODE, "n", ""), (SERVICE, "a/x", "us"))
    handler = Recording()
    listing = informers(server, handler)
    await listing.list_all()
    server.unserved = {SERVICE}
    handler.events.clear()
    await listing.list_all()
    assert handler.events == [(None, "Node n")]
    assert handler.cache.get(SERVICE, Key(namespace="a", name="x"))
    server.unserved = set()
    await listing.list_all()
    assert (None, "Service a/x") in handler.events


async def test_a_kind_that_cannot_be_listed_just_now_hinders_no_other() -> None:
    server, handler = await server_with((NODE, "n", ""), (SERVICE, "a/x", "us")), Recording()
    server.before = failing(DEPLOYMENT, DOWN)
    with pytest.raises(UnavailableError):
        await informers(server, handler).list_all()
    assert set(handler.events) == {(None, "Node n"), (None, "Service a/x")}


async def test_what_the_handler_raises_is_logged_and_hinders_no_other_object(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Raising(Recording):
        def on_event(self, kind: Kind, type_: str | None, body: Manifest) -> None:
            if body["metadata"]["name"] == "odd":
                raise KeyError("spec")
            super().on_event(kind, type_, body)

    server, handler = await server_with((NODE, "odd", ""), (NODE, "n", "")), Raising()
    await informers(server, handler).list_all()
    assert handler.events == [(None, "Node n")]
    [record] = caplog.records
    assert (record.getMessage(), vars(record)["object"]) == (
        "an event could not be taken in",
        "Node odd",
    )
    assert record.exc_info


async def test_after_a_restored_backup_the_cache_is_as_the_server_and_the_streams_begin_anew() -> (
    None
):
    server, handler = await server_with((NODE, "kept", ""), (NODE, "new", "")), Recording()
    listing = informers(server, handler)
    await listing.list_all()
    lost = listing._history_lost
    await listing.list_all()
    assert not lost.is_set()
    restored = await server_with((NODE, "kept", ""))
    node = restored.body(NODE, Key(name="kept"))
    assert node
    older = {**node, "metadata": {**node["metadata"], "resourceVersion": "7"}}
    listing._client = restored
    restored._objects[NODE, Key(name="kept")] = older
    await listing.list_all()
    assert [each["metadata"] for each in handler.cache.all(NODE)] == [older["metadata"]]
    assert lost.is_set()
    assert not listing._history_lost.is_set()


async def test_streams_end_with_one_of_their_tasks_or_for_a_reason_to_begin_anew() -> None:
    async def break_down() -> None:
        raise KeyError("kind")

    reason, never = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(never.wait())
    waiting = asyncio.create_task(_first_end([running], {"restored": reason.wait}))
    await asyncio.sleep(0)
    assert not waiting.done()
    reason.set()
    assert await waiting == "restored"
    running.cancel()
    broken = asyncio.create_task(break_down())
    assert await _first_end([broken], {"restored": never.wait}) == repr(KeyError("kind"))


class BrokenOff:
    """A stream that was closed while it was read, as aiohttp has it."""

    async def iter_chunked(self, _size: int) -> AsyncIterator[bytes]:
        raise RuntimeError("Connection closed.")
        yield b""


async def in_kopf() -> None:
    stream: Any = BrokenOff()
    async for _ in iter_jsonlines(stream):
        pass


async def in_ours() -> None:
    answer: Any = None
    error_of(500, answer)


@pytest.mark.parametrize(("fails", "is_logged"), [(in_kopf, False), (in_ours, True)])
async def test_of_errors_in_libraries_only_ours_are_logged(
    fails: Callable[[], Any], is_logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    mute_kopf_logs()
    try:
        await fails()
    except (RuntimeError, TypeError) as error:
        logging.getLogger("asyncio").error("Task exception was never retrieved", exc_info=error)
    assert bool(caplog.records) == is_logged
