"""What happens becomes keys in the queue: what a watch tells, and what only a list finds."""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from functools import partial

from weather_operator.api import Api
from weather_operator.errors import ApiError, RefusedError
from weather_operator.kinds import (
    CHILDREN,
    DEPLOYMENT,
    GATEWAY,
    NODE,
    WATCHED,
    WEATHER_APP,
    WEATHER_RELEASE,
    Key,
    Kind,
    Manifest,
    controller_of,
    key_of,
)
from weather_operator.metrics import Convergence, Metrics
from weather_operator.model import WeatherApp, parse_app, parse_release
from weather_operator.progress import progress
from weather_operator.queue import Priority, WorkQueue
from weather_operator.reconcile import SETTLE_SECONDS
from weather_operator.releases import asks_for
from weather_operator.render import MANAGED_BY
from weather_operator.settings import Settings
from weather_operator.store import Store

log = logging.getLogger(__name__)

CHILD_SELECTOR = ",".join(f"{name}={value}" for name, value in MANAGED_BY.items())

ESSENTIAL = (WEATHER_APP, WEATHER_RELEASE)
"""The kinds without which there is nothing to do."""

_BURST_SECONDS = 0.02
_PROGRESS_SECONDS = 1.0
_PROGRESS_PER_SECOND = 10
_RELIST_SECONDS = 1.0


class Controller:
    """Keeps the store as the API has it; every app that a change concerns is due then.

    `changing` tells how many apps are in a change.
    """

    def __init__(
        self,
        api: Api,
        store: Store,
        queue: WorkQueue,
        metrics: Metrics,
        settings: Settings,
        *,
        changing: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._store = store
        self._queue = queue
        self._settings = settings
        self._changing = changing
        self._clock = clock
        self._relist = asyncio.Event()
        self._denied: set[Kind] = set()
        self._convergence = Convergence(metrics.converge_seconds.observe, clock=clock)
        self._heard = dict.fromkeys(WATCHED, self._clock())
        self.catalogue_changed = asyncio.Event()
        for kind in WATCHED:
            metrics.watch_age.labels(kind.plural).set_function(partial(self._silence, kind))

    async def synchronise(self) -> None:
        """List everything; what changed or is gone is seen like an event.

        Raises RefusedError when the right to read the WeatherApps or the catalogue is missing,
        UnavailableError when the API cannot answer.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for kind in WATCHED:
                    for namespace in self._namespaces(kind):
                        group.create_task(self._list(kind, namespace))
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def run(self) -> None:
        """List everything again for ever, when that is due or asked for."""
        said = ""
        while True:
            asked = await self._asked_to_list()
            self._relist.clear()
            try:
                await self.synchronise()
                said = ""
            except ApiError as error:
                # What no answer came to, the connection itself has said.
                if error.status and error.message != said:
                    log.warning("could not list everything", extra={"error": error.message})
                said = error.message
                self._relist.set()
            if not asked:
                self._enqueue_all()

    def see(self, kind: Kind, event: str | None, body: Manifest) -> None:
        """Take a watch event in; its type is None for what a (re-)list tells."""
        self._heard[kind] = self._clock()
        if kind is WEATHER_APP:
            self._convergence.see(event, body)
        before = self._store.get(kind, key_of(body))
        take_in = self._store.remove if event == "DELETED" else self._store.put
        if not take_in(kind, body):
            return
        if kind is WEATHER_APP:
            asked = event or not is_told(body)
            self._queue.add(key_of(body), Priority.USER if asked else Priority.RESYNC)
        elif kind is WEATHER_RELEASE:
            self.release_changed(body)
            self.catalogue_changed.set()
        elif kind is NODE:
            self._enqueue_where(lambda app: app.service.type == "NodePort")
        elif kind is GATEWAY:
            self._enqueue_where(lambda app: key_of(body) in app.gateways)
        elif owner := controller_of(body):
            key = Key(namespace=body["metadata"]["namespace"], name=owner["name"])
            changing = self._changing()
            delay = 0 if event == "DELETED" else delay_of(kind, before, body, changing=changing)
            self._queue.add(key, Priority.CHILD, delay=delay)

    def asks_for_gateways(self) -> bool:
        """Tell whether any app wants a route of the Gateway API."""
        return any("gateway" in body["spec"] for body in self._store.all(WEATHER_APP))

    def list_again(self) -> None:
        """List everything soon: until a watch has begun, deletions may be missed."""
        self._relist.set()

    def _silence(self, kind: Kind) -> float:
        return self._clock() - self._heard[kind]

    async def _list(self, kind: Kind, namespace: str) -> None:
        labels = CHILD_SELECTOR if kind in CHILDREN else ""
        try:
            bodies, version = await self._api.list(kind, namespace=namespace, labels=labels)
        except RefusedError as error:
            if kind in ESSENTIAL:
                raise
            self._deny(kind, error)
            return
        for body in bodies:
            self.see(kind, None, body)
        for body in self._store.absent(kind, bodies, namespace=namespace, resource_version=version):
            self.see(kind, "DELETED", body)
        self._heard[kind] = self._clock()
        if kind in self._denied:
            self._denied.remove(kind)
            self._enqueue_all()

    def _deny(self, kind: Kind, error: RefusedError) -> None:
        """Do without a kind: the apps that need it say so in their status."""
        if error.status == 404:
            self._heard[kind] = self._clock()  # there is nothing to be heard of
        elif kind not in self._denied:
            log.error(
                "a kind cannot be listed: grant the chart's roles", extra={"error": str(error)}
            )
        self._denied.add(kind)

    def _enqueue_all(self) -> None:
        for key in self._store.keys(WEATHER_APP):
            self._queue.add(key, Priority.RESYNC)

    def _namespaces(self, kind: Kind) -> tuple[str, ...]:
        everywhere = not kind.namespaced or not self._settings.namespaces
        return ("",) if everywhere else self._settings.namespaces

    def release_changed(self, body: Manifest) -> None:
        """Look at every app: those that ask for this release first; others may have to name it."""
        release = parse_release(body)
        for app in map(parse_app, self._store.all(WEATHER_APP)):
            urgent = asks_for(app, release)
            self._queue.add(app.key, Priority.USER if urgent else Priority.RESYNC)

    def _enqueue_where(self, concerned: Callable[[WeatherApp], bool]) -> None:
        for app in map(parse_app, self._store.all(WEATHER_APP)):
            if concerned(app):
                self._queue.add(app.key, Priority.CHILD, delay=_PROGRESS_SECONDS)

    async def _asked_to_list(self) -> bool:
        """Wait until a list is asked for, and a little longer for more to ask, or is due anyway."""
        pause = self._settings.resync_seconds * (0.9 + random.random() / 5)  # noqa: S311
        try:
            async with asyncio.timeout(pause):
                await self._relist.wait()
        except TimeoutError:
            return False
        await asyncio.sleep(_RELIST_SECONDS)
        return True


def delay_of(kind: Kind, before: Manifest | None, body: Manifest, *, changing: int) -> float:
    """Return how long a change of a child may wait, in seconds, while so many apps change.

    A rollout that is complete goes at once, progress is told once a second, and more seldom while
    many apps change. What may need a repair may also be the echo of our own write: it waits just
    until that write's own sequel.
    """
    if kind is DEPLOYMENT and progress(body, wanted=0).complete:
        return _BURST_SECONDS
    if before is None or _generation(before) != _generation(body):
        return SETTLE_SECONDS
    return max(_PROGRESS_SECONDS, changing / _PROGRESS_PER_SECOND)


def is_told(body: Manifest) -> bool:
    """Tell whether the status of a WeatherApp is about what its spec says now."""
    told: int | None = body.get("status", {}).get("observedGeneration")
    return told == _generation(body)


def _generation(body: Manifest) -> int | None:
    generation: int | None = body["metadata"].get("generation")
    return generation
