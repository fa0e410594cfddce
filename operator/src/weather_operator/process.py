"""The process: one leader acts, the others wait, and every way to end is told in one line."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from pythonjsonlogger.json import JsonFormatter

from weather_operator import definitions, reconcile, settings
from weather_operator.api import Api, wait_until_served
from weather_operator.connection import connect
from weather_operator.controller import Controller
from weather_operator.errors import ApiError, RefusedError, UnconfiguredError
from weather_operator.events import Recorder
from weather_operator.kinds import WEATHER_APP, WEATHER_RELEASE, Key
from weather_operator.lease import Lease, LeaseLostError
from weather_operator.metrics import Fleet, Metrics
from weather_operator.reconcile import Reconciler
from weather_operator.registries import Registries
from weather_operator.registry import Registry
from weather_operator.resolver import Resolver
from weather_operator.server import serve
from weather_operator.settings import Settings, SettingsError
from weather_operator.store import Store

log = logging.getLogger("weather_operator")

_STRAY_SECONDS = 5


class Operator:
    """One process: what it is made of, and whether it is fit to serve."""

    def __init__(
        self,
        api: Api,
        metrics: Metrics,
        settings: Settings,
        *,
        handle_signals: Callable[[], None],
    ) -> None:
        self._api = api
        self._metrics = metrics
        self._settings = settings
        self._handle_signals = handle_signals
        self._watched_over: list[Callable[[], str]] = []
        self.ready = False

    def trouble(self) -> str:
        """Say what only a restart of the process helps against, nothing while all is well."""
        return "; ".join(words for each in self._watched_over if (words := each()))

    async def run(self) -> None:
        """Wait for the cluster and the Lease, then act until cancelled. Raises LeaseLostError."""
        await wait_until_served(self._api, (WEATHER_APP, WEATHER_RELEASE))
        key = Key(namespace=self._settings.pod_namespace, name=self._settings.lease_name)
        lease = Lease(self._api, key, self._settings.pod_name)
        self.ready = True
        await lease.acquire()
        self.ready = False
        self._metrics.leader.set(1)
        self._watched_over.append(lease.trouble)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(lease.keep())
                group.create_task(self._lead())
        finally:
            self._metrics.leader.set(0)
            await lease.release()

    async def _lead(self) -> None:
        store = Store()
        self._metrics.registry.register(Fleet(store))
        recorder = Recorder(self._api, now=reconcile.utc_now)
        # Releases belong to no namespace, so who serves a few of them has no right to their status.
        resolves = self._settings.refresh_seconds and not self._settings.namespaces
        asked: set[str] | None = set() if resolves else None
        reconciler = Reconciler(
            self._api, store, recorder, self._metrics, asked=asked, now=reconcile.utc_now
        )
        controller = Controller(self._api, store, reconciler, self._metrics, self._settings)
        await self._synchronise(controller)
        self.ready = True
        self._watched_over.append(controller.trouble)
        async with asyncio.TaskGroup() as group:
            group.create_task(controller.run())
            group.create_task(self._watch(controller))
            if asked is not None:
                group.create_task(self._resolve(store, controller, asked))

    async def _resolve(self, store: Store, controller: Controller, asked: set[str]) -> None:
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            registry = Registry(session, plain=self._settings.insecure_registries)
            resolver = Resolver(
                self._api,
                store,
                controller,
                Registries(registry),
                asked=asked,
                refresh_seconds=self._settings.refresh_seconds,
                now=reconcile.utc_now,
            )
            await resolver.run()

    async def _watch(self, controller: Controller) -> None:
        watch = await asyncio.to_thread(_import_watch)
        await watch(self._api, controller, self._settings, handle_signals=self._handle_signals)

    async def _synchronise(self, controller: Controller) -> None:
        while True:
            try:
                return await controller.synchronise()
            except ApiError as error:
                if error.reason == "Forbidden":
                    raise
                log.warning("the first list failed", extra={"error": error.message})
                await asyncio.sleep(1)


def _import_watch() -> Callable[..., Awaitable[None]]:
    """Import kopf beside the first reconciles: it takes longer than they do."""
    from weather_operator.watch import watch

    return watch


async def run(settings: Settings) -> None:
    """Run the operator until SIGTERM or SIGINT. Raises what ended it otherwise."""
    metrics = Metrics()

    def observe(verb: str, kind: str, code: int) -> None:
        metrics.requests.labels(verb, kind, str(code)).inc()

    try:
        async with connect(observe=observe) as connection:
            api = Api(connection)
            operator = Operator(
                api, metrics, settings, handle_signals=lambda: _stop_on_signals(task)
            )
            async with (
                serve(
                    settings.http_port,
                    metrics=metrics,
                    is_ready=lambda: operator.ready,
                    trouble=operator.trouble,
                ),
                asyncio.TaskGroup() as group,
            ):
                task = group.create_task(operator.run())
                _stop_on_signals(task)
    finally:
        await _end_strays()


async def _end_strays() -> None:
    """End what kopf started and left behind; one cancellation alone is at times swallowed there."""
    for _ in range(_STRAY_SECONDS):
        if not (strays := asyncio.all_tasks() - {asyncio.current_task()}):
            return
        for stray in strays:
            stray.cancel()
        await asyncio.wait(strays, timeout=1)


def _stop_on_signals(task: asyncio.Task[None]) -> None:
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, task.cancel)


def main() -> None:
    """Start the operator; exit with 0 after a signal, 1 on failure, 2 for bad settings.

    `crds DIRECTORY` keeps the custom resource definitions instead, and ends.
    """
    try:
        chosen = settings.from_environment(os.environ)
    except SettingsError as error:
        sys.exit(_complain(str(error), code=2))
    _log_as_json(chosen.log_level)
    try:
        match sys.argv[1:]:
            case []:
                _operate(chosen)
            case ["crds", directory]:
                _keep_definitions(Path(directory))
            case _:
                sys.exit(_complain("give no arguments, or: crds DIRECTORY", code=2))
    except UnconfiguredError as error:
        sys.exit(_complain(f"no cluster: set KUBECONFIG, or run in a pod ({error})"))


def _operate(chosen: Settings) -> None:
    try:
        asyncio.run(run(chosen))
    except OSError as error:
        sys.exit(_complain(f"HTTP_PORT {chosen.http_port} cannot be served: {error.strerror}"))
    except BaseExceptionGroup as group:
        sys.exit(_explain(group))
    log.info("stopped")


def _keep_definitions(directory: Path) -> None:
    try:
        asyncio.run(definitions.keep(definitions.read(directory)))
    except (OSError, ValueError, ApiError) as error:
        sys.exit(_complain(f"the custom resource definitions were not applied: {error}"))


def _log_as_json(level: str) -> None:
    handler = logging.StreamHandler()
    fields = "{levelname}{name}{message}"
    renamed = {"levelname": "level", "name": "logger"}
    handler.setFormatter(JsonFormatter(fields, style="{", rename_fields=renamed, timestamp="time"))
    logging.basicConfig(level=level, handlers=[handler])
    # What the client library warns of, it also raises.
    logging.getLogger("kubernetes").setLevel(logging.ERROR)


def _explain(group: BaseExceptionGroup[BaseException]) -> int:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            _explain(error)
        elif isinstance(error, LeaseLostError):
            log.error("stopped: the lease is lost", extra={"cause": str(error)})
        elif isinstance(error, RefusedError):
            log.error("stopped: grant the chart's roles", extra={"cause": error.message})
        else:
            log.error("stopped by an error", exc_info=error)
    return 1


def _complain(sentence: str, *, code: int = 1) -> int:
    print(f"weather-operator: {sentence}", file=sys.stderr)
    return code
