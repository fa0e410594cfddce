"""The operator: what it is made of, what it waits for, and what goes on while it leads."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import aiohttp

from weather_operator.controller.controller import Workers
from weather_operator.controller.event_handlers import Controller, new_cache
from weather_operator.controller.reconciler import Reconciler
from weather_operator.controller.status_writer import StatusWriter
from weather_operator.controller.workqueue import WorkQueue
from weather_operator.kube.cache import Cache
from weather_operator.kube.client import Client, wait_until_served
from weather_operator.kube.errors import ApiError
from weather_operator.kube.events import Recorder
from weather_operator.kube.informers import Resync
from weather_operator.kube.leader_election import Lease
from weather_operator.kube.resources import Key
from weather_operator.metrics import Fleet, Metrics
from weather_operator.model import WEATHER_APP, WEATHER_RELEASE
from weather_operator.releases.controller import Resolver
from weather_operator.releases.digests import Registries
from weather_operator.releases.oci import Registry
from weather_operator.settings import Settings

log = logging.getLogger(__name__)


class Operator:
    """One of several, which all wait for the Lease: it acts only while it holds it."""

    def __init__(
        self,
        client: Client,
        metrics: Metrics,
        settings: Settings,
        *,
        handle_signals: Callable[[], None],
    ) -> None:
        self._client = client
        self._metrics = metrics
        self._settings = settings
        self._handle_signals = handle_signals
        self._watched_over: list[Callable[[], str]] = []
        self.ready = False

    def liveness_problem(self) -> str:
        """Say what only a restart of the process helps against, nothing while all is well."""
        return "; ".join(words for each in self._watched_over if (words := each()))

    async def run(self) -> None:
        """Wait for the cluster and the Lease, then act until cancelled. Raises LeaseLostError."""
        await wait_until_served(self._client, (WEATHER_APP, WEATHER_RELEASE))
        key = Key(namespace=self._settings.pod_namespace, name=self._settings.lease_name)
        lease = Lease(self._client, key, self._settings.pod_name)
        self.ready = True
        await lease.acquire()
        self.ready = False
        self._metrics.leader.set(1)
        self._watched_over.append(lease.liveness_problem)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(lease.keep())
                group.create_task(self._lead())
        finally:
            self._metrics.leader.set(0)
            await lease.release()

    async def _lead(self) -> None:
        cache, queue = new_cache(), WorkQueue()
        self._metrics.registry.register(Fleet(cache))
        recorder = Recorder(self._client, now=_utc_now)
        status_writer = StatusWriter(self._client, cache, recorder, self._metrics)
        # Releases belong to no namespace, so who serves a few of them has no right to their status.
        resolves = self._settings.refresh_seconds and not self._settings.namespaces
        asked: set[str] | None = set() if resolves else None
        reconciler = Reconciler(self._client, cache, status_writer, lookups_done=asked, now=_utc_now)
        workers = Workers(queue, reconciler, self._metrics, number=self._settings.workers)
        controller = Controller(cache, queue, self._metrics, changing=lambda: reconciler.rolling_out)
        resync = Resync(self._client, cache, controller, self._settings)
        await self._synchronise(resync)
        self.ready = True
        self._watched_over.append(workers.liveness_problem)
        async with asyncio.TaskGroup() as group:
            group.create_task(workers.run())
            group.create_task(resync.run())
            group.create_task(self._watch(controller, resync))
            if asked is not None:
                group.create_task(self._resolve(cache, controller, asked))

    async def _resolve(self, cache: Cache, controller: Controller, asked: set[str]) -> None:
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            registry = Registry(session, plain=self._settings.insecure_registries)
            resolver = Resolver(
                self._client,
                cache,
                controller,
                Registries(registry),
                asked=asked,
                refresh_seconds=self._settings.refresh_seconds,
                now=_utc_now,
            )
            await resolver.run()

    async def _watch(self, controller: Controller, resync: Resync) -> None:
        watch = await asyncio.to_thread(_import_watch)
        await watch(
            self._client, controller, resync, self._settings, handle_signals=self._handle_signals
        )

    async def _synchronise(self, resync: Resync) -> None:
        while True:
            try:
                return await resync.synchronise()
            except ApiError as error:
                if error.reason == "Forbidden":
                    raise
                log.warning("the first list failed", extra={"error": error.message})
                await asyncio.sleep(1)


def _import_watch() -> Callable[..., Awaitable[None]]:
    """Import kopf beside the first reconciles: it takes longer than they do."""
    from weather_operator.kube.informers import watch

    return watch


def _utc_now() -> str:
    """Return the time as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
