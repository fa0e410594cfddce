"""The manager: what the operator is made of, what it waits for, and what runs while it leads.

    the kinds are served → the Lease is ours → the first list is complete → all loops run

While it leads, these run side by side, and the end of one is the end of all:

- the leader election, which renews the Lease
- the informers, which keep the cache and tell the event handlers
- the controller, whose workers take from the work queue what the event handlers put there
- the fleet, whose turns it gives, unless it has no bound
- the analyses of the revisions that are tried
- the releases' controller, unless it is switched off
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from weather_operator.analysis.runner import AnalysisRunner
from weather_operator.analysis.sources import PrometheusServer, Sources
from weather_operator.controller.controller import Controller
from weather_operator.controller.event_handlers import LABEL_SELECTORS, EventHandlers, new_cache
from weather_operator.controller.fleet import Fleet
from weather_operator.controller.reconciler import Reconciler
from weather_operator.controller.status_writer import StatusWriter
from weather_operator.controller.workqueue import Priority, WorkQueue
from weather_operator.kube.cache import Cache
from weather_operator.kube.client import Client
from weather_operator.kube.errors import ApiError, UnavailableError
from weather_operator.kube.events import Recorder
from weather_operator.kube.informers import Informers
from weather_operator.kube.leader_election import LeaderElector
from weather_operator.kube.resources import Key, Kind
from weather_operator.metrics import Metrics, WeatherAppCollector
from weather_operator.model import (
    FIELD_MANAGER,
    GATEWAY_API,
    WATCHED,
    WEATHER_APP,
    WEATHER_RELEASE,
)
from weather_operator.releases.controller import ReleaseController
from weather_operator.releases.digests import DigestResolver
from weather_operator.releases.lookups import Lookups
from weather_operator.releases.oci import RegistryClient, new_session
from weather_operator.settings import Settings

log = logging.getLogger(__name__)

_ESSENTIAL = (WEATHER_APP, WEATHER_RELEASE)
_UNSERVED = "the custom resource definitions are not served"
_SILENT_SECONDS = 10


class Manager:
    """One of several, which all wait for the Lease: it acts only while it has it."""

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
        self._liveness_checks: list[Callable[[], str]] = []
        self._readiness_check: Callable[[], str] = lambda: _UNSERVED

    def liveness_problem(self) -> str:
        """Describe what only a restart of the process helps against; empty while all is well."""
        return "; ".join(problem for check in self._liveness_checks if (problem := check()))

    def readiness_problem(self) -> str:
        """Describe why it could not act just now; empty while it acts, or waits for the Lease."""
        silent = self._client.connection.silent_seconds()
        if silent > _SILENT_SECONDS:
            return f"the API server has not answered for {silent:.0f} s"
        return self._readiness_check()

    async def run(self) -> None:
        """Wait for the cluster and the Lease, then act until cancelled. Raises LeaseLostError."""
        await _wait_until_served(self._client, _ESSENTIAL)
        key = Key(namespace=self._settings.pod_namespace, name=self._settings.lease_name)
        elector = LeaderElector(self._client, key, self._settings.pod_name)
        self._client.connection.may_write = elector.is_held
        self._readiness_check = lambda: ""
        await elector.acquire()
        self._readiness_check = lambda: "the first list is not complete"
        self._metrics.leader.set(1)
        self._liveness_checks.append(elector.liveness_problem)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(elector.renew())
                group.create_task(self._lead(elector))
        finally:
            self._metrics.leader.set(0)
            if self._client.connection.has_open_writes():
                log.warning("the lease is left to run out: a write was not answered in time")
            else:
                await elector.release()

    async def _lead(self, elector: LeaderElector) -> None:
        cache, queue = new_cache(), WorkQueue(workers=self._settings.workers)
        self._metrics.registry.register(WeatherAppCollector(cache))
        recorder = Recorder(
            self._client, component=FIELD_MANAGER, now=self._client.connection.server_time
        )
        status_writer = StatusWriter(self._client, cache, recorder, self._metrics)
        # Releases belong to no namespace, so who serves a few of them has no right to their status.
        resolves = self._settings.refresh_seconds and not self._settings.namespaces
        lookups = Lookups(asyncio.Event()) if resolves else None
        fleet = Fleet(cache, queue, limit=self._settings.max_concurrent_rollouts)
        analyses = AnalysisRunner(
            self._client,
            cache,
            Sources(prometheus=_prometheus(self._settings)),
            self._metrics,
            wake=lambda key: queue.add(key, Priority.CHILD),
        )
        reconciler = Reconciler(
            self._client,
            cache,
            status_writer,
            lookups=lookups,
            fleet=fleet,
            analyst=analyses,
            now=self._client.connection.server_time,
        )
        controller = Controller(queue, reconciler, self._metrics)
        handlers = EventHandlers(
            cache,
            queue,
            self._metrics,
            rolling_out=lambda: reconciler.rolling_out,
            catalogue_changed=lookups.changed if lookups else None,
        )
        informers = self._informers(cache, handlers)
        elector.on_history_lost = informers.request_relist
        await _list_all(informers)
        self._readiness_check = informers.readiness_problem
        self._liveness_checks.append(controller.liveness_problem)
        async with asyncio.TaskGroup() as group:
            group.create_task(controller.run())
            group.create_task(analyses.run())
            if fleet.has_limit:
                group.create_task(fleet.run())
            group.create_task(informers.run(handle_signals=self._handle_signals))
            if lookups:
                group.create_task(self._resolve_releases(cache, handlers, lookups))

    def _informers(self, cache: Cache, handlers: EventHandlers) -> Informers:
        return Informers(
            self._client,
            cache,
            handlers,
            kinds=WATCHED,
            essential=_ESSENTIAL,
            optional=GATEWAY_API,
            label_selectors=LABEL_SELECTORS,
            namespaces=self._settings.namespaces,
            resync_seconds=self._settings.resync_seconds,
        )

    async def _resolve_releases(
        self, cache: Cache, handlers: EventHandlers, lookups: Lookups
    ) -> None:
        async with new_session() as session:
            registry = RegistryClient(
                session, insecure_registries=self._settings.insecure_registries
            )
            controller = ReleaseController(
                self._client,
                cache,
                handlers,
                DigestResolver(registry),
                lookups=lookups,
                refresh_seconds=self._settings.refresh_seconds,
                now=self._client.connection.server_time,
            )
            await controller.run()


def _prometheus(settings: Settings) -> PrometheusServer | None:
    if not settings.prometheus_url:
        return None
    return PrometheusServer(
        url=settings.prometheus_url,
        token_file=settings.prometheus_token_file,
        ca_file=settings.prometheus_ca_file,
    )


async def _wait_until_served(client: Client, kinds: Sequence[Kind], *, every: float = 1) -> None:
    """Wait, without limit, until the API server answers and knows the kinds; log once what for."""
    logged = False
    while True:
        try:
            if await client.serves(kinds):
                return
            if not logged:
                log.warning(
                    "the custom resource definitions are not installed: apply those in crds/",
                    extra={"kinds": [kind.name for kind in kinds]},
                )
                logged = True
        except UnavailableError:
            pass  # logged by the connection itself
        await asyncio.sleep(every)


async def _list_all(informers: Informers) -> None:
    """List everything once, however long that takes. Raises where a right is missing."""
    while True:
        try:
            return await informers.list_all()
        except ApiError as error:
            if error.reason == "Forbidden":
                raise
            log.warning("the first list failed", extra={"error": error.message})
            await asyncio.sleep(1)
