"""Informers: what the API server knows of some kinds becomes a stream of events for a handler.

`Informers.list_all` lists every kind once, so that whoever waits for it starts from a complete
cache. `Informers.run` then runs three loops side by side:

- One streams: kopf lists, watches, reconnects and logs in, and each event goes to the handler. Only
  `on.event` handlers are used, on a registry of our own, so kopf writes nothing, keeps no state in
  objects and handles no error of ours.
- One streams the optional kinds, which a cluster may lack: it looks for them while the handler
  needs them, and begins once they are served.
- One lists everything again: when the interval is over, and when a stream has just begun, because
  what was deleted before that no watch reports.

A list is handed on as events too: type None for each object, DELETED for what the cache has and the
list has not. The handler keeps the cache, which drops what is older than what it has; so the loops
may overtake one another.
"""

import asyncio
import logging
import random
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from kubernetes.aio import client

from weather_operator.kube.cache import Cache
from weather_operator.kube.client import Client
from weather_operator.kube.connection import Connection
from weather_operator.kube.errors import ApiError, RefusedError
from weather_operator.kube.resources import Kind, Manifest

if TYPE_CHECKING:
    # It takes longer to import than the first list and the first reconciles, so `run` imports it
    # in a thread beside them.
    import kopf

log = logging.getLogger(__name__)

_OPTIONAL_KINDS_SECONDS = 3
_RELIST_SECONDS = 1.0
_LONG_SECONDS = 60


class Handler(Protocol):
    """What the events are for. Its methods return at once and raise nothing."""

    def on_event(self, kind: Kind, type_: str | None, body: Manifest) -> None:
        """Take in an event; its type is None for an object of a list."""

    def touch(self, kind: Kind) -> None:
        """Note that a kind was listed, though nothing of it may have changed."""

    def enqueue_all(self) -> None:
        """Look at everything again: the interval is over, or a kind can be listed after all."""

    def needs_optional_kinds(self) -> bool:
        """Tell whether it is worth looking whether the optional kinds are served by now."""


class Informers:
    """Lists and watches some kinds.

    `essential` are the kinds without which there is nothing to do; any other that may not be listed
    is done without. `optional` are kinds of one group that the cluster may lack. `label_selectors`
    says of which kinds only some objects are of interest. No `namespaces` means all of them.
    """

    def __init__(
        self,
        client: Client,
        cache: Cache,
        handler: Handler,
        *,
        kinds: tuple[Kind, ...],
        essential: tuple[Kind, ...] = (),
        optional: tuple[Kind, ...] = (),
        label_selectors: Mapping[Kind, str],
        namespaces: tuple[str, ...] = (),
        resync_seconds: float,
    ) -> None:
        self._client = client
        self._cache = cache
        self._handler = handler
        self._kinds = kinds
        self._essential = essential
        self._optional = optional
        self._label_selectors = label_selectors
        self._namespaces = namespaces
        self._resync_seconds = resync_seconds
        self._relist_requested = asyncio.Event()
        self._unlistable: set[Kind] = set()

    async def run(self, *, handle_signals: Callable[[], None]) -> None:
        """List and watch until cancelled.

        kopf takes the process's signals to itself when it starts; `handle_signals` takes them back.
        """
        always = tuple(kind for kind in self._kinds if kind not in self._optional)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.relist())
            await asyncio.to_thread(_import_kopf)
            mute_kopf_logs()
            group.create_task(self._stream(always, handle_signals))
            if self._optional:
                group.create_task(self._stream(self._optional, handle_signals))

    async def list_all(self) -> None:
        """List every kind and hand on what is there and what is gone.

        Raises RefusedError when an essential kind may not be listed, UnavailableError when the API
        cannot answer.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for kind in self._kinds:
                    for namespace in self._namespaces_of(kind):
                        group.create_task(self._list(kind, namespace))
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def relist(self) -> None:
        """List everything again for ever, when the interval is over or it was requested."""
        logged = ""
        while True:
            is_requested = await self._wait_until_relist()
            self._relist_requested.clear()
            try:
                await self.list_all()
                logged = ""
            except ApiError as error:
                # That nothing answers the connection itself has logged.
                if error.status and error.message != logged:
                    log.warning("could not list everything", extra={"error": error.message})
                logged = error.message
                self._relist_requested.set()
            if not is_requested:
                self._handler.enqueue_all()

    def request_relist(self) -> None:
        """List everything soon: until a watch has begun, deletions may be missed."""
        self._relist_requested.set()

    async def _wait_until_relist(self) -> bool:
        """Return whether a list was requested; if so a little later, since more requests follow."""
        seconds = self._resync_seconds * (0.9 + random.random() / 5)  # noqa: S311
        try:
            async with asyncio.timeout(seconds):
                await self._relist_requested.wait()
        except TimeoutError:
            return False
        await asyncio.sleep(_RELIST_SECONDS)
        return True

    async def _list(self, kind: Kind, namespace: str) -> None:
        labels = self._label_selectors.get(kind, "")
        try:
            bodies, version = await self._client.list(kind, namespace=namespace, labels=labels)
        except RefusedError as error:
            if kind in self._essential:
                raise
            self._do_without(kind, error)
            return
        for body in bodies:
            self._handler.on_event(kind, None, body)
        for body in self._cache.missing_from_list(
            kind, bodies, namespace=namespace, resource_version=version
        ):
            self._handler.on_event(kind, "DELETED", body)
        self._handler.touch(kind)
        if kind in self._unlistable:
            self._unlistable.remove(kind)
            self._handler.enqueue_all()

    def _do_without(self, kind: Kind, error: RefusedError) -> None:
        """Go on without a kind: those who need it get the same refusal when they use it."""
        if error.status == 404:
            self._handler.touch(kind)  # there is nothing that could be missed
        elif kind not in self._unlistable:
            log.error(
                "a kind cannot be listed: grant the chart's roles", extra={"error": str(error)}
            )
        self._unlistable.add(kind)

    def _namespaces_of(self, kind: Kind) -> tuple[str, ...]:
        return self._namespaces if kind.namespaced and self._namespaces else ("",)

    async def _stream(self, kinds: tuple[Kind, ...], handle_signals: Callable[[], None]) -> None:
        """Watch the kinds. kopf ends on what it takes for fatal, and is started again then."""
        backoffs = iter(_Backoffs())
        while True:
            if kinds == self._optional:
                await self._wait_until_served()
            began = time.monotonic()
            tasks = await self._spawn_kopf(kinds)
            handle_signals()
            error = await _first_error(tasks)
            named = {"kinds": [kind.name for kind in kinds], "error": repr(error)}
            log.warning("the watches ended and start again", extra=named)
            if time.monotonic() - began > _LONG_SECONDS:
                backoffs = iter(_Backoffs())
            await asyncio.sleep(next(backoffs))

    async def _wait_until_served(self) -> None:
        """Return when the optional kinds are there; look once, and again while they are needed."""
        is_needed = True
        while True:
            try:
                if is_needed and await self._client.serves(self._optional):
                    return self.request_relist()
            except ApiError:
                pass  # logged by the connection itself
            await asyncio.sleep(_OPTIONAL_KINDS_SECONDS)
            is_needed = self._handler.needs_optional_kinds()

    async def _spawn_kopf(self, kinds: tuple[Kind, ...]) -> Collection[asyncio.Task[Any]]:
        import kopf

        registry = kopf.OperatorRegistry()
        _log_in_through(self._client.connection, registry)
        for kind in kinds:
            self._register(kind, registry)
        return await kopf.spawn_tasks(
            registry=registry,
            settings=_kopf_settings(self._label_selectors),
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            standalone=True,
        )

    def _register(self, kind: Kind, registry: "kopf.OperatorRegistry") -> None:
        import kopf

        lists = _ListDetector()

        async def on_event(event: "kopf.RawEvent", **_unused: Any) -> None:
            type_, body = event["type"], cast(Manifest, event["object"])
            if lists.begins(type_, body["metadata"]["uid"]):
                self.request_relist()
            self._handler.on_event(kind, type_, body)

        group, version = _group_version(kind)
        kopf.on.event(group, version, kind.plural, id=kind.plural, registry=registry)(on_event)


class _ListDetector:
    """Notices from the events of one kind that kopf has listed it."""

    def __init__(self) -> None:
        self._listed: set[str] = set()

    def begins(self, type_: str | None, uid: str) -> bool:
        """Tell whether this event is the first of a list."""
        if type_ is not None:
            return False
        first = not self._listed or uid in self._listed
        if first:
            self._listed.clear()
        self._listed.add(uid)
        return first


class _Backoffs:
    """Endless, so that an outage of any length is survived; capped, so that its end is noticed."""

    def __iter__(self) -> Iterator[float]:
        delay = 0.2
        while True:
            yield delay
            delay = min(2 * delay, 10)


async def _first_error(tasks: Collection[asyncio.Task[Any]]) -> BaseException | None:
    """Wait until one of kopf's tasks ends, which none should, and end the others."""
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return next((task.exception() for task in ended if not task.cancelled()), None)


def _import_kopf() -> None:
    import kopf  # noqa: F401 (for `sys.modules`)


def _kopf_settings(label_selectors: Mapping[Kind, str]) -> "kopf.OperatorSettings":
    import kopf

    class NoEssence(kopf.AnnotationsDiffBaseStorage):
        """Remembers nothing of an object to compare it with: half of kopf's time per event."""

        def build(self, **_unused: Any) -> kopf.BodyEssence:
            return cast(kopf.BodyEssence, {})

    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.persistence.diffbase_storage = NoEssence()
    settings.scanning.disabled = True
    settings.queueing.idle_timeout = 0.5
    settings.watching.chunk_size = 500
    settings.networking.connect_timeout = 5
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = _Backoffs()
    settings.process.ultimate_exiting_timeout = None
    for kind, selector in label_selectors.items():
        group, version = _group_version(kind)
        settings.watching.label_selectors[group, version, kind.plural] = selector
    return settings


def _group_version(kind: Kind) -> tuple[str, str]:
    group, _, version = kind.api_version.rpartition("/")
    return group, version


def _log_in_through(connection: Connection, registry: "kopf.OperatorRegistry") -> None:
    import kopf

    async def log_in(**_unused: Any) -> kopf.ConnectionInfo:
        await connection.reload_credentials()
        configuration = connection.configuration
        scheme, _, token = (await _authorization(configuration)).rpartition(" ")
        return kopf.ConnectionInfo(
            server=configuration.host,
            ca_path=configuration.ssl_ca_cert,
            insecure=not configuration.verify_ssl,
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
            scheme=scheme or None,
            token=token or None,
        )

    kopf.on.login(registry=registry)(log_in)


async def _authorization(configuration: client.Configuration) -> str:
    """Return the Authorization header's value, empty where a certificate identifies us."""
    value: str | None = await configuration.get_api_key_with_prefix("BearerToken")
    return value or ""


def mute_kopf_logs() -> None:
    """Keep kopf from logging at length what is logged here, or by our own client, in a line."""
    logging.getLogger("kopf").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").addFilter(_is_not_from_kopf)


def _is_not_from_kopf(record: logging.LogRecord) -> bool:
    """Tell whether a record is of another error than one that kopf left in a task of its own.

    It is kopf's when its last code before any library's is: what it broke off complains from there.
    """
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return True
    raised_in = [frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(error.__traceback__)]
    packages = [name.partition(".")[0] for name in (*raised_in, type(error).__module__)]
    return [name for name in packages if name in ("kopf", _OUR_PACKAGE)][-1:] != ["kopf"]


_OUR_PACKAGE = __name__.partition(".")[0]
