"""What happens becomes keys in the queue, and workers that reconcile them."""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from functools import partial

from weather_operator.api import Api
from weather_operator.errors import ApiError, ConflictError, RefusedError, UnavailableError
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
from weather_operator.queue import Priority, Work, WorkQueue
from weather_operator.reconcile import SETTLE_SECONDS, Outcome, Reconciler
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
_RECONCILE_SECONDS = 60
_STUCK_SECONDS = 2 * _RECONCILE_SECONDS


class Controller:
    """Holds the queue and its workers. `see` takes what the watch tells."""

    def __init__(
        self,
        api: Api,
        store: Store,
        reconciler: Reconciler,
        metrics: Metrics,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._store = store
        self._reconciler = reconciler
        self._metrics = metrics
        self._settings = settings
        self._clock = clock
        self._queue = WorkQueue(clock=clock)
        self._relist = asyncio.Event()
        self._denied: set[Kind] = set()
        self._convergence = Convergence(metrics.converge_seconds.observe, clock=clock)
        self._heard = dict.fromkeys(WATCHED, self._clock())
        self._finished = self._clock()
        self.catalogue_changed = asyncio.Event()
        metrics.queue_depth.set_function(self._queue.__len__)
        metrics.queue_oldest_age.set_function(self._queue.oldest_age)
        for kind in WATCHED:
            metrics.watch_age.labels(kind.plural).set_function(partial(self._silence, kind))

    async def run(self) -> None:
        """Work for ever, on a store that was synchronised before."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._settings.workers):
                group.create_task(self._work())
            group.create_task(self._resync())

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
            changing = self._reconciler.changing
            delay = 0 if event == "DELETED" else delay_of(kind, before, body, changing=changing)
            self._queue.add(key, Priority.CHILD, delay=delay)

    def asks_for_gateways(self) -> bool:
        """Tell whether any app wants a route of the Gateway API."""
        return any("gateway" in body["spec"] for body in self._store.all(WEATHER_APP))

    def list_again(self) -> None:
        """List everything soon: until a watch has begun, deletions may be missed."""
        self._relist.set()

    def trouble(self) -> str:
        """Say what shows that the workers are stuck, nothing while they are not.

        A reconcile ends after a minute whatever happens, also while the API does not answer.
        """
        idle = self._clock() - self._finished
        if min(idle, self._queue.oldest_age()) < _STUCK_SECONDS:
            return ""
        return f"no reconcile has ended for {idle:.0f} s, and WeatherApps are due"

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

    async def _work(self) -> None:
        while True:
            work = await self._queue.take()
            try:
                await self._reconcile(work)
            finally:
                self._queue.done(work.key)
                self._finished = self._clock()

    async def _reconcile(self, work: Work) -> None:
        """Reconcile one key and decide, for every way in which that can end, what comes next."""
        started = self._clock()
        result = "done"
        try:
            async with asyncio.timeout(_RECONCILE_SECONDS):
                self._settle(work, await self._reconciler.reconcile(work.key, work.priority))
        except ConflictError as error:
            result = "conflict"
            delay = self._queue.retry(work.key)
            log.debug("conflict", extra={**_about(work, error), "retry_seconds": delay})
        except UnavailableError as error:
            result = "unavailable"
            self._queue.retry(work.key, at_least=error.retry_after)
            if error.status:
                log.warning("the API server cannot now", extra=_about(work, error))
        except (ApiError, TimeoutError) as error:
            result = "error"
            self._queue.retry(work.key)
            log.warning("reconcile failed", extra=_about(work, error))
        except Exception:
            # A bug must not take the others' operator away; it is retried as seldom as a refusal.
            result = "bug"
            self._queue.retry(work.key)
            log.exception("reconcile broke", extra={"app": str(work.key)})
        self._metrics.reconciles.labels(result).inc()
        self._metrics.reconcile_seconds.observe(self._clock() - started)

    def _settle(self, work: Work, outcome: Outcome) -> None:
        if outcome.failed:
            self._queue.retry(work.key)
            return
        self._queue.succeed(work.key)
        if outcome.again_after is not None:
            self._queue.add(work.key, work.priority, delay=outcome.again_after)

    async def _resync(self) -> None:
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


def _about(work: Work, error: Exception) -> dict[str, str]:
    return {"app": str(work.key), "error": str(error)}
