"""The API's watches, through kopf: it lists, streams, reconnects and logs in, and no more.

Only `on.event` handlers are used, on a registry of our own: kopf writes nothing, keeps no state in
our objects, and handles no error of ours.
"""

import asyncio
import logging
import random
import time
import traceback
from collections.abc import Callable, Collection, Iterator
from typing import Any, cast

import kopf
from kubernetes.aio import client

from weather_operator.controller.event_handlers import Controller
from weather_operator.kube.cache import Cache
from weather_operator.kube.client import Client, Connection
from weather_operator.kube.errors import ApiError, RefusedError
from weather_operator.kube.resources import Kind, Manifest
from weather_operator.model import CHILDREN, GATEWAY_API, WATCHED, WEATHER_APP, WEATHER_RELEASE
from weather_operator.render import MANAGED_BY
from weather_operator.settings import Settings

log = logging.getLogger(__name__)

CHILD_SELECTOR = ",".join(f"{name}={value}" for name, value in MANAGED_BY.items())

ESSENTIAL = (WEATHER_APP, WEATHER_RELEASE)
"""The kinds without which there is nothing to do."""

_RELIST_SECONDS = 1.0


class Resync:
    """Tells the controller, as if by events, what no watch has told it."""

    def __init__(
        self, client: Client, cache: Cache, controller: Controller, settings: Settings
    ) -> None:
        self._client = client
        self._cache = cache
        self._controller = controller
        self._settings = settings
        self._asked = asyncio.Event()
        self._denied: set[Kind] = set()

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
            asked = await self._is_asked()
            self._asked.clear()
            try:
                await self.synchronise()
                said = ""
            except ApiError as error:
                # What no answer came to, the connection itself has said.
                if error.status and error.message != said:
                    log.warning("could not list everything", extra={"error": error.message})
                said = error.message
                self._asked.set()
            if not asked:
                self._controller.enqueue_all()

    def list_again(self) -> None:
        """List everything soon: until a watch has begun, deletions may be missed."""
        self._asked.set()

    async def _list(self, kind: Kind, namespace: str) -> None:
        labels = CHILD_SELECTOR if kind in CHILDREN else ""
        try:
            bodies, version = await self._client.list(kind, namespace=namespace, labels=labels)
        except RefusedError as error:
            if kind in ESSENTIAL:
                raise
            self._deny(kind, error)
            return
        for body in bodies:
            self._controller.see(kind, None, body)
        for body in self._cache.missing_from_list(
            kind, bodies, namespace=namespace, resource_version=version
        ):
            self._controller.see(kind, "DELETED", body)
        self._controller.heard(kind)
        if kind in self._denied:
            self._denied.remove(kind)
            self._controller.enqueue_all()

    def _deny(self, kind: Kind, error: RefusedError) -> None:
        """Do without a kind: the apps that need it say so in their status."""
        if error.status == 404:
            self._controller.heard(kind)  # there is nothing to be heard of
        elif kind not in self._denied:
            log.error(
                "a kind cannot be listed: grant the chart's roles", extra={"error": str(error)}
            )
        self._denied.add(kind)

    def _namespaces(self, kind: Kind) -> tuple[str, ...]:
        everywhere = not kind.namespaced or not self._settings.namespaces
        return ("",) if everywhere else self._settings.namespaces

    async def _is_asked(self) -> bool:
        """Wait until a list is asked for, and a little longer for more to ask, or is due anyway."""
        pause = self._settings.resync_seconds * (0.9 + random.random() / 5)  # noqa: S311
        try:
            async with asyncio.timeout(pause):
                await self._asked.wait()
        except TimeoutError:
            return False
        await asyncio.sleep(_RELIST_SECONDS)
        return True


_GATEWAY_API_SECONDS = 3
_LONG_SECONDS = 60


class _Backoffs:
    """Endless, so that an outage of any length is survived; capped, so that its end is noticed."""

    def __iter__(self) -> Iterator[float]:
        delay = 0.2
        while True:
            yield delay
            delay = min(2 * delay, 10)


class _Lists:
    """Notices from the events of one kind that kopf has listed it."""

    def __init__(self) -> None:
        self._listed: set[str] = set()

    def begin(self, event: str | None, uid: str) -> bool:
        """Tell whether this event is the first of a list."""
        if event is not None:
            return False
        first = not self._listed or uid in self._listed
        if first:
            self._listed.clear()
        self._listed.add(uid)
        return first


class _NoEssence(kopf.AnnotationsDiffBaseStorage):
    """Remembers nothing of an object to compare it with: half of kopf's time per event."""

    def build(self, **_unused: Any) -> kopf.BodyEssence:
        return cast(kopf.BodyEssence, {})


async def watch(
    client: Client,
    controller: Controller,
    resync: Resync,
    settings: Settings,
    *,
    handle_signals: Callable[[], None],
) -> None:
    """Tell the controller of every event, until cancelled.

    kopf ends on what it takes for fatal, such as an error within a stream, and is started again. It
    takes the process's signals to itself when it starts; `handle_signals` takes them back.
    """
    mute_kopf_logs()

    async def follow(*kinds: Kind) -> None:
        pauses = iter(_Backoffs())
        while True:
            if kinds == GATEWAY_API:
                await _until_served(client, controller, resync)
            began = time.monotonic()
            registry = kopf.OperatorRegistry()
            _log_in_through(client.connection, registry)
            for kind in kinds:
                _follow(kind, controller, resync, registry)
            tasks = await kopf.spawn_tasks(
                registry=registry,
                settings=_settings(),
                clusterwide=not settings.namespaces,
                namespaces=settings.namespaces,
                standalone=True,
            )
            handle_signals()
            error = await _first_error(tasks)
            named = {"kinds": [kind.name for kind in kinds], "error": repr(error)}
            log.warning("the watches ended and start again", extra=named)
            if time.monotonic() - began > _LONG_SECONDS:
                pauses = iter(_Backoffs())
            await asyncio.sleep(next(pauses))

    async with asyncio.TaskGroup() as group:
        group.create_task(follow(*(kind for kind in WATCHED if kind not in GATEWAY_API)))
        group.create_task(follow(*GATEWAY_API))


async def _first_error(tasks: Collection[asyncio.Task[Any]]) -> BaseException | None:
    """Wait until one of kopf's tasks ends, which none should, and end the others."""
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return next((task.exception() for task in ended if not task.cancelled()), None)


async def _until_served(client: Client, controller: Controller, resync: Resync) -> None:
    """Return when the Gateway API is there; look once, and again while an app asks for it."""
    asked = True
    while True:
        try:
            if asked and await client.serves(GATEWAY_API):
                return resync.list_again()
        except ApiError:
            pass  # said by the connection itself
        await asyncio.sleep(_GATEWAY_API_SECONDS)
        asked = controller.asks_for_gateways()


def mute_kopf_logs() -> None:
    """Keep kopf from saying at length what is said here, or by our own client, in a line."""
    logging.getLogger("kopf").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").addFilter(_is_not_kopfs)


def _is_not_kopfs(record: logging.LogRecord) -> bool:
    """Tell whether a record is of another error than one that kopf left in a task of its own.

    It is kopf's when its last code before any library's is: what it broke off complains from there.
    """
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return True
    raised_in = [frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(error.__traceback__)]
    packages = [name.partition(".")[0] for name in (*raised_in, type(error).__module__)]
    return [name for name in packages if name in ("kopf", __package__)][-1:] != ["kopf"]


def _follow(
    kind: Kind, controller: Controller, resync: Resync, registry: kopf.OperatorRegistry
) -> None:
    group, _, version = kind.api_version.rpartition("/")
    lists = _Lists()

    async def on_event(event: kopf.RawEvent, **_unused: Any) -> None:
        type_, body = event["type"], cast(Manifest, event["object"])
        if lists.begin(type_, body["metadata"]["uid"]):
            resync.list_again()
        controller.see(kind, type_, body)

    kopf.on.event(group, version, kind.plural, id=kind.plural, registry=registry)(on_event)


def _log_in_through(connection: Connection, registry: kopf.OperatorRegistry) -> None:
    async def log_in(**_unused: Any) -> kopf.ConnectionInfo:
        await connection.log_in()
        found = connection.configuration
        scheme, _, token = (await _authorization(found)).rpartition(" ")
        return kopf.ConnectionInfo(
            server=found.host,
            ca_path=found.ssl_ca_cert,
            insecure=not found.verify_ssl,
            certificate_path=found.cert_file,
            private_key_path=found.key_file,
            scheme=scheme or None,
            token=token or None,
        )

    kopf.on.login(registry=registry)(log_in)


async def _authorization(found: client.Configuration) -> str:
    """Return the Authorization header's value, empty where a certificate identifies us."""
    value: str | None = await found.get_api_key_with_prefix("BearerToken")
    return value or ""


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.persistence.diffbase_storage = _NoEssence()
    settings.scanning.disabled = True
    settings.queueing.idle_timeout = 0.5
    settings.watching.chunk_size = 500
    settings.networking.connect_timeout = 5
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = _Backoffs()
    settings.process.ultimate_exiting_timeout = None
    for kind in CHILDREN:
        group, _, version = kind.api_version.rpartition("/")
        settings.watching.label_selectors[group, version, kind.plural] = CHILD_SELECTOR
    return settings
