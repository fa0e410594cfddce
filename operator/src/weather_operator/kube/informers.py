"""Informers: what the API server knows of some kinds becomes a stream of events for a handler.

`Informers.list_all` lists every kind once, so that whoever waits for it starts from a complete
cache. `Informers.run` then runs side by side:

- Streams: kopf lists, watches, reconnects and logs in, and each event goes to the handler. Only
  `on.event` handlers are used, on a registry of our own, so kopf writes nothing, keeps no state in
  objects and handles no error of ours. A kind that comes with a definition has a stream of its own:
  it waits until the kind is served, and again when the definition was taken away.
- One loop that lists everything again: when the interval is over, and after each list of kopf's,
  because what was deleted before that no watch reports.

A list is handed on as events too, page by page: type None for each object, DELETED for what the
cache has and the list has not. The handler keeps the cache, which drops what is older than what it
has; so the loops may overtake one another. Where a list shows that the API server was restored from
a backup, the streams begin anew: what they went on from does not exist.
"""

import asyncio
import logging
import random
import time
import traceback
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Coroutine,
    Iterator,
    Mapping,
)
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

import aiohttp

from weather_operator.kube.cache import Cache
from weather_operator.kube.client import Client
from weather_operator.kube.connection import Connection
from weather_operator.kube.errors import ApiError, RefusedError, UnavailableError
from weather_operator.kube.resources import Kind, Manifest, key_of

if TYPE_CHECKING:
    # It takes longer to import than the first list and the first reconciles, so `run` imports it
    # in a thread beside them.
    import kopf

log = logging.getLogger(__name__)

UNRAISABLE = "py.unraisable"
"""The logger of what ends an object that nothing waits for any more."""

_UNSERVED_SECONDS = 3
_FIRST_LIST_SECONDS = 15
_RELIST_SECONDS = 1.0
_LONG_SECONDS = 60
_RESTORED = "the API server has lost what it knew: it was restored from a backup"

_Wait = Callable[[], Coroutine[Any, Any, Any]]


class Handler(Protocol):
    """What the events are for. Its methods return at once; what they raise is only logged."""

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

    `essential` are the kinds without which there is nothing to do, which come with definitions; any
    other that may not be listed is done without. `optional` are kinds that the cluster may lack.
    `label_selectors` says of which kinds only some objects are of interest. No `namespaces` means
    all of them.
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
        self._listed: dict[tuple[Kind, str], int] = {}
        self._unfollowed = set(kinds).difference(optional)
        self._contradicted = False
        self._history_lost = asyncio.Event()

    async def run(self, *, handle_signals: Callable[[], None]) -> None:
        """List and watch until cancelled.

        kopf takes the process's signals to itself when it starts; `handle_signals` takes them back.
        """
        defined = (*self._essential, *self._optional)
        built_in = tuple(kind for kind in self._kinds if kind not in defined)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.relist())
            await asyncio.to_thread(_import_kopf)
            mute_kopf_logs()
            for kinds in (built_in, *((kind,) for kind in defined)):
                group.create_task(self._follow(kinds, handle_signals))

    def readiness_problem(self) -> str:
        """Name the kinds that are not followed though they should be; empty while all are."""
        missing = [kind.name for kind in self._kinds if kind in self._unfollowed]
        return f"not followed: {', '.join(missing)}" if missing else ""

    async def list_all(self) -> None:
        """List every kind and hand on what is there and what is gone; one fails without the others.

        Raises RefusedError when an essential kind may not be listed, UnavailableError when the API
        cannot answer.
        """
        lists = [
            self._list(kind, namespace)
            for kind in self._kinds
            for namespace in self._namespaces_of(kind)
        ]
        self._contradicted = False
        failed = [error for error in await asyncio.gather(*lists, return_exceptions=True) if error]
        if self._contradicted:
            lost, self._history_lost = self._history_lost, asyncio.Event()
            lost.set()
        # What is for good first, so that it is not taken for an outage.
        for error in sorted(failed, key=lambda each: isinstance(each, UnavailableError)):
            raise error

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
        uids: set[str] = set()
        before, version = self._cache.moment(), ""
        try:
            pages = self._client.pages(kind, namespace=namespace, labels=labels)
            async for page, version in pages:  # noqa: B007 - the last one's is used
                for body in page:
                    if self._cache.retract(kind, body, before=before):
                        self._contradicted = True
                    uids.add(body["metadata"]["uid"])
                    self._hand_on(kind, None, body)
        except RefusedError as error:
            has_definition = kind in (*self._essential, *self._optional)
            if error.status != 404 or not has_definition:
                if kind in self._essential:
                    raise
                # Also 404, of a built-in kind: something in between answers, not the API server.
                self._do_without(kind, error)
                return
            # The definition is gone, and took all objects of the kind with it.
            version = "0"
        for body in self._cache.missing_from_list(
            kind, uids, namespace=namespace, before=before, resource_version=version
        ):
            self._hand_on(kind, "DELETED", body)
        if 0 < int(version) < self._listed.get((kind, namespace), 0):
            self._contradicted = True
        self._listed[kind, namespace] = int(version)
        self._handler.touch(kind)
        if kind in self._unlistable:
            self._unlistable.remove(kind)
            self._handler.enqueue_all()

    def _hand_on(self, kind: Kind, type_: str | None, body: Manifest) -> None:
        try:
            self._handler.on_event(kind, type_, body)
        except Exception:
            # One object must not hinder the others, and nothing that fails may do so in silence.
            log.exception(
                "an event could not be taken in", extra={"object": f"{kind.name} {key_of(body)}"}
            )

    def _do_without(self, kind: Kind, error: RefusedError) -> None:
        """Go on without a kind: those who need it get the same refusal when they use it."""
        if kind not in self._unlistable:
            log.error(
                "a kind cannot be listed: grant the chart's roles", extra={"error": str(error)}
            )
        self._unlistable.add(kind)

    def _namespaces_of(self, kind: Kind) -> tuple[str, ...]:
        return self._namespaces if kind.namespaced and self._namespaces else ("",)

    async def _follow(self, kinds: tuple[Kind, ...], handle_signals: Callable[[], None]) -> None:
        """Watch the kinds. kopf ends on what it takes for fatal, and is started again then."""
        backoffs = iter(_Backoffs())
        while True:
            if kinds[0] in (*self._essential, *self._optional):
                await self._wait_until_served(kinds[0])
            began = time.monotonic()
            listed = asyncio.Event()
            anew: dict[str, _Wait] = {
                _RESTORED: self._history_lost.wait,
                "the certificates have changed": self._client.connection.renewed.wait,
                "kopf does not know the kinds": partial(self._overdue, listed),
            }
            async with self._streaming(kinds, listed) as tasks:
                handle_signals()
                error = await _first_end(tasks, anew)
            self._unfollowed.update(kind for kind in kinds if kind not in self._optional)
            named = {"kinds": [kind.name for kind in kinds], "error": error}
            log.warning("the watches ended and start again", extra=named)
            if time.monotonic() - began > _LONG_SECONDS:
                backoffs = iter(_Backoffs())
            await asyncio.sleep(next(backoffs))

    async def _wait_until_served(self, kind: Kind) -> None:
        """Return when the kind is there; look once, and again while it is needed."""
        is_needed, logged = True, False
        while True:
            try:
                if is_needed and await self._client.serves((kind,)):
                    return
                if kind in self._essential and not logged:
                    named = {"kind": kind.name}
                    log.warning("the definition is gone: apply those in crds/", extra=named)
                    logged = True
            except ApiError:
                pass  # logged by the connection itself
            await asyncio.sleep(_UNSERVED_SECONDS)
            is_needed = kind in self._essential or self._handler.needs_optional_kinds()

    async def _overdue(self, listed: asyncio.Event) -> None:
        """Return if kopf lists nothing, as it does for ever where it did not find the kinds."""
        while not listed.is_set():
            try:
                async with asyncio.timeout(_FIRST_LIST_SECONDS):
                    await listed.wait()
            except TimeoutError:
                if not self._client.connection.silent_seconds():
                    return
        await asyncio.Event().wait()

    @asynccontextmanager
    async def _streaming(
        self, kinds: tuple[Kind, ...], listed: asyncio.Event
    ) -> AsyncIterator[Collection[asyncio.Task[Any]]]:
        """Run kopf for the kinds while the context lasts; yield its tasks, none of which ends."""
        import kopf

        def on_list() -> None:
            listed.set()
            self._unfollowed.difference_update(kinds)
            self.request_relist()

        registry = kopf.OperatorRegistry()
        sessions: list[aiohttp.ClientSession] = []
        _log_in_through(self._client.connection, registry, sessions, on_list=on_list)
        for kind in kinds:
            self._register(kind, registry)
        tasks = await kopf.spawn_tasks(
            registry=registry,
            settings=_kopf_settings(self._label_selectors),
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            standalone=True,
        )
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()
            try:
                await asyncio.gather(*tasks, return_exceptions=True)
            finally:
                for session in sessions:
                    await session.close()

    def _register(self, kind: Kind, registry: "kopf.OperatorRegistry") -> None:
        import kopf

        async def on_event(event: "kopf.RawEvent", **_unused: Any) -> None:
            self._hand_on(kind, event["type"], cast(Manifest, event["object"]))

        group, version = _group_version(kind)
        kopf.on.event(group, version, kind.plural, id=kind.plural, registry=registry)(on_event)


class _Backoffs:
    """Endless, so that an outage of any length is survived; capped, so that its end is noticed."""

    def __iter__(self) -> Iterator[float]:
        delay = 0.2
        while True:
            yield delay
            delay = min(2 * delay, 10)


async def _first_end(tasks: Collection[asyncio.Task[Any]], anew: Mapping[str, _Wait]) -> str:
    """Wait until a task or one of the reasons to begin anew ends, and say which in words."""
    reasons = {asyncio.create_task(wait()): reason for reason, wait in anew.items()}
    try:
        ended, _ = await asyncio.wait((*tasks, *reasons), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in reasons:
            each.cancel()
    words = [reasons.get(each) or repr(each.exception()) for each in ended if not each.cancelled()]
    return "; ".join(words)


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
    settings.watching.chunk_size = 100
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


def _log_in_through(
    connection: Connection,
    registry: "kopf.OperatorRegistry",
    sessions: list[aiohttp.ClientSession],
    *,
    on_list: Callable[[], None],
) -> None:
    """Let kopf use sessions of the connection's credentials, which are to be closed at the end."""
    import kopf

    refused = ""

    async def log_in(**_unused: Any) -> kopf.AiohttpSession:
        nonlocal refused
        if refused:
            await connection.reload_credentials()
        authorization = await connection.authorization()
        # Else it would ask again at once, and for ever.
        if refused == f"credentials {authorization}":
            raise kopf.PermanentError("the credentials were refused and are still the same")
        refused = f"credentials {authorization}"
        session = connection.session(authorization, on_list=on_list)
        sessions.append(session)
        return kopf.AiohttpSession(server=connection.configuration.host, aiohttp_session=session)

    kopf.on.login(registry=registry)(log_in)


def mute_kopf_logs() -> None:
    """Keep kopf from logging at length what is logged here, or by our own client, in a line."""
    logging.getLogger("kopf").setLevel(logging.CRITICAL)
    for name in ("asyncio", UNRAISABLE):
        logging.getLogger(name).addFilter(_is_not_from_kopf)


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
