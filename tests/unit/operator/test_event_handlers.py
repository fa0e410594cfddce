"""Whom an event concerns, how urgent it is, and how soon it is looked at."""

import asyncio
from typing import Any

import pytest
from support.manifests import app_body, deployment
from weather_operator.controller.event_handlers import (
    EventHandlers,
    delay_of,
    new_cache,
    priority_of,
)
from weather_operator.controller.workqueue import SETTLE_SECONDS, Priority, WorkQueue
from weather_operator.kube.resources import AUTOSCALER, DEPLOYMENT, NODE, Key, Manifest
from weather_operator.metrics import Metrics
from weather_operator.model import WEATHER_APP, WEATHER_RELEASE

TOLD = {"observedGeneration": 1, "conditions": [{"type": "Ready"}]}
UNSEEN = {"observedGeneration": 0}

HALF = deployment(replicas=3, updated=1, available=2)


def test_progress_is_looked_at_once_a_second_and_more_seldom_while_many_apps_roll_out() -> None:
    further = deployment(replicas=3, updated=2, available=2)
    delays = [delay_of(DEPLOYMENT, HALF, further, rolling_out=number) for number in (1, 10, 500)]
    assert delays == [1, 1, 50]


def test_an_end_and_what_may_need_a_repair_are_looked_at_soon_whatever_else_goes_on() -> None:
    assert delay_of(DEPLOYMENT, HALF, deployment(), rolling_out=500) < SETTLE_SECONDS
    edited = deployment(replicas=3, updated=1, available=2)
    edited["metadata"]["generation"] += 1
    annotated = {**edited, "spec": HALF["spec"]}
    assert delay_of(DEPLOYMENT, HALF, annotated, rolling_out=500) == 1, "its controller is first"
    edited["spec"] = {**edited["spec"], "minReadySeconds": 9}
    assert delay_of(DEPLOYMENT, HALF, edited, rolling_out=500) == SETTLE_SECONDS
    assert delay_of(DEPLOYMENT, None, HALF, rolling_out=500) == SETTLE_SECONDS


def body(*, status: Manifest | None = None, generation: int = 1, **metadata: Any) -> Manifest:
    """A WeatherApp; without a status it has none."""
    whole = app_body(status=status, generation=generation)
    if status is None:
        del whole["status"]
    return {**whole, "metadata": {**whole["metadata"], **metadata}}


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (body(status=TOLD), body(status=TOLD, generation=2), Priority.USER),
        (body(status=TOLD), body(status=TOLD, annotations={"by": "hand"}), Priority.USER),
        (body(status=TOLD), body(status=TOLD, deletionTimestamp="now"), Priority.USER),
        (None, body(status=TOLD, generation=2), Priority.USER),
        (None, body(), Priority.NEW),
        (None, body(status=UNSEEN), Priority.NEW),
        (body(), body(generation=2), Priority.NEW),
        (None, body(status=TOLD), Priority.RESYNC),
        (body(), body(status=TOLD, managedFields=[{}]), Priority.RESYNC),
        (body(status=TOLD), body(status={**TOLD, "url": "http://new"}), Priority.RESYNC),
    ],
    ids=[
        "the spec changed",
        "an annotation changed",
        "it is being deleted",
        "the spec changed while nobody looked",
        "it is new",
        "it is new and has what the definition fills in",
        "it is new and changed again",
        "nothing is new",
        "its first status was written",
        "its status was written",
    ],
)
def test_what_a_user_changed_is_the_most_urgent_and_the_echo_of_a_status_the_least(
    before: Manifest | None, now: Manifest, expected: Priority
) -> None:
    assert priority_of(before, now) is expected


def handlers_of(*apps: Manifest) -> tuple[EventHandlers, WorkQueue]:
    """Event handlers that know these apps, and the queue that they add to."""
    cache, queue = new_cache(), WorkQueue()
    for number, app in enumerate(apps):
        app["metadata"].update(uid=f"app-{number}", resourceVersion=str(number + 1))
        cache.put(WEATHER_APP, app)
    return EventHandlers(cache, queue, Metrics(), rolling_out=lambda: 0), queue


async def test_the_echo_of_a_status_waits_as_progress_does_and_a_users_change_does_not() -> None:
    applied = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    app = body(status=TOLD, name="london", annotations=applied)
    handlers, queue = handlers_of(app)
    metadata = {**app["metadata"], "resourceVersion": "8"}
    echo = {**app, "metadata": metadata, "status": {**TOLD, "url": "http://new"}}
    handlers.on_event(WEATHER_APP, "MODIFIED", echo)
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    assert not taking.done()
    changed = {**echo, "metadata": {**metadata, "resourceVersion": "9", "generation": 2}}
    handlers.on_event(WEATHER_APP, "MODIFIED", changed)
    assert (await taking).priority is Priority.USER


async def test_a_releases_change_is_less_urgent_than_what_a_user_changes() -> None:
    green = body(status=TOLD, name="green")
    green["spec"]["colour"] = "green"
    handlers, queue = handlers_of(body(status=TOLD, name="yellow"), green)
    metadata = {"name": "2.0.0", "uid": "release", "resourceVersion": "1"}
    spec = {"version": "2.0.0", "colour": "green", "image": "weather:2"}
    handlers.on_event(WEATHER_RELEASE, "MODIFIED", {"metadata": metadata, "spec": spec})
    taken = [await queue.take(), await queue.take()]
    assert [(work.key.name, work.priority) for work in taken] == [
        ("green", Priority.RELEASE),
        ("yellow", Priority.RESYNC),
    ]


async def test_an_object_that_cannot_be_read_hinders_no_other() -> None:
    broken, node_port = body(name="broken"), body(name="node-port")
    del broken["spec"]
    node_port["spec"]["service"] = {"type": "NodePort"}
    handlers, queue = handlers_of(broken, node_port, body(name="yellow"))
    release = {"metadata": {"name": "1", "uid": "r", "resourceVersion": "1"}}
    spec = {"version": "1.0.0", "colour": "yellow", "image": "weather:1"}
    handlers.on_event(WEATHER_RELEASE, "MODIFIED", {**release, "spec": spec})
    taken = {work.key.name: work.priority for work in [await queue.take() for _ in range(3)]}
    assert taken == {
        "yellow": Priority.RELEASE,
        "node-port": Priority.RELEASE,
        "broken": Priority.RESYNC,
    }
    for name in taken:
        queue.done(Key(namespace="default", name=name))
    assert not handlers.needs_optional_kinds()
    later = {**release, "metadata": {**release["metadata"], "resourceVersion": "2"}}
    handlers.on_event(WEATHER_RELEASE, "MODIFIED", {**later, "spec": {"version": "1.0.0"}})
    assert len(queue) == 3, "they may have to list it"


async def test_a_node_concerns_those_whose_address_it_is_and_only_those() -> None:
    broken, node_port = body(name="broken"), body(name="node-port")
    del broken["spec"]
    node_port["spec"]["service"] = {"type": "NodePort"}
    handlers, queue = handlers_of(broken, node_port, body(name="plain"))
    metadata = {"name": "node", "uid": "node", "resourceVersion": "1"}
    handlers.on_event(NODE, "ADDED", {"metadata": metadata, "status": {}})
    assert len(queue) == 1
    assert (await queue.take()).key.name == "node-port"


@pytest.mark.parametrize("name", ["london", "london-canary"])
async def test_an_autoscaler_concerns_the_app_whose_pods_it_sets_on_either_track(name: str) -> None:
    handlers, queue = handlers_of(body(name="london"), body(name="paris"))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    metadata = {
        "name": "theirs",
        "namespace": "default",
        "uid": "theirs",
        "resourceVersion": "1",
    }
    theirs = {"metadata": metadata, "spec": {"scaleTargetRef": target}}
    handlers.on_event(AUTOSCALER, "ADDED", theirs)
    assert len(queue) == 1
    assert (await queue.take()).key.name == "london"
