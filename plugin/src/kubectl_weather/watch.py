"""A snapshot that is kept up: each kind is listed, then watched, again and again."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
from weather_operator.kube.resources import Key, Kind, Manifest
from weather_operator.model import WEATHER_APP

from kubectl_weather import signals
from kubectl_weather.client import PAGE_SIZE, Client, path_of
from kubectl_weather.errors import UNSEEN, PluginError, error_of, event_of, items_of, unanswered
from kubectl_weather.kubectl import LOOPBACK, Address
from kubectl_weather.model import ALL_CHILDREN, children_labels
from kubectl_weather.snapshot import ACCESS_KINDS, KINDS, Snapshot

_WATCH_SECONDS = 60
_READ_TIMEOUT_SECONDS = _WATCH_SECONDS + 15
_BATCH_SECONDS = 0.1
_SHORT_SECONDS = 5
_FIRST_BACKOFF_SECONDS, _MAX_BACKOFF_SECONDS = 0.5, 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is watched: one app of a namespace, or all of a namespace, or all.

    With access to them, as far as the user may see that.
    """

    namespace: str
    name: str | None = None
    with_access: bool = False

    def query(self, kind: Kind) -> dict[str, str]:
        """Return the selectors for a kind."""
        if kind is WEATHER_APP:
            return {"fieldSelector": f"metadata.name={self.name}"} if self.name else {}
        return {"labelSelector": children_labels(self.name) if self.name else ALL_CHILDREN}


class Changes:
    """The apps that changed since they were last taken, and why some changes may be missing."""

    def __init__(self) -> None:
        self._keys: set[Key] = set()
        self._errors: dict[Kind, str] = {}
        self._changed = asyncio.Event()

    @property
    def error(self) -> str:
        """Why some kind is not up to date, empty while all are."""
        return next(iter(self._errors.values()), "")

    def set_error(self, kind: Kind, error: str) -> None:
        """Note that a kind cannot be watched."""
        self._errors[kind] = error
        self._changed.set()

    def clear_error(self, kind: Kind) -> None:
        """Note that a kind is watched again."""
        if self._errors.pop(kind, None):
            self._changed.set()

    def add(self, keys: set[Key]) -> None:
        """Add apps that changed."""
        self._keys |= keys
        self._changed.set()

    def clear(self) -> None:
        """Drop all changes up to now."""
        self._keys = set()
        self._changed.clear()

    async def next(self) -> set[Key]:
        """Wait for a change and return it with those that follow at once."""
        await self._changed.wait()
        await asyncio.sleep(_BATCH_SECONDS)
        keys = self._keys
        self.clear()
        return keys


class Informer:
    """Keeps a snapshot as the cluster is, and notes in `changes` what changed or cannot be read."""

    def __init__(self, snapshot: Snapshot, selection: Selection, changes: Changes) -> None:
        self._snapshot = snapshot
        self._selection = selection
        self._changes = changes

    async def run(self, address: Address, listed: asyncio.Event) -> None:
        """Watch for ever; `listed` is set once everything was listed.

        Raises PluginError if a first list is refused; later errors are noted and it tries again.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_read=_READ_TIMEOUT_SECONDS)
        connector = aiohttp.UnixConnector(path=str(address.socket)) if address.socket else None
        server = f"http://{LOOPBACK}:{address.port}" if connector is None else "http://localhost"
        async with aiohttp.ClientSession(
            f"{server}{address.prefix}/", connector=connector, timeout=timeout
        ) as session:
            versions = {kind: await self._list(session, kind) for kind in KINDS}
            for kind in ACCESS_KINDS if self._selection.with_access else ():
                with suppress(*UNSEEN):
                    versions[kind] = await self._list(session, kind)
            listed.set()
            async with asyncio.TaskGroup() as group:
                for kind, version in versions.items():
                    group.create_task(self._keep_up(session, kind, version))

    async def _keep_up(self, session: aiohttp.ClientSession, kind: Kind, version: str) -> None:
        backoff, loop = _FIRST_BACKOFF_SECONDS, asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                version = version or await self._list(session, kind)
                self._changes.clear_error(kind)
                version = await self._watch(session, kind, version)
            except (PluginError, aiohttp.ClientError, OSError) as error:
                self._changes.set_error(kind, str(error) or type(error).__name__)
                version = ""
            if loop.time() - began > _SHORT_SECONDS:
                backoff = _FIRST_BACKOFF_SECONDS
            # Something on the way may end every watch at once: nobody is asked without a pause.
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, _MAX_BACKOFF_SECONDS)

    async def _list(self, session: aiohttp.ClientSession, kind: Kind) -> str:
        query = {"limit": str(PAGE_SIZE), **self._selection.query(kind)}
        bodies: list[Manifest] = []
        while True:
            items, metadata = await self._get(session, kind, query)
            bodies += items
            if not (token := metadata.get("continue")):
                self._changes.add(self._snapshot.replace(kind, bodies))
                version: str = metadata["resourceVersion"]
                return version
            query["continue"] = token

    async def _get(
        self, session: aiohttp.ClientSession, kind: Kind, query: Mapping[str, str]
    ) -> tuple[list[Manifest], Manifest]:
        try:
            async with session.get(self._path(kind), params=query) as response:
                return items_of(response.status, await response.read())
        except (aiohttp.ClientError, OSError) as error:
            raise unanswered(str(error) or type(error).__name__) from error

    async def _watch(self, session: aiohttp.ClientSession, kind: Kind, version: str) -> str:
        """Watch once; return the resourceVersion to go on from, empty where only a list helps."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
            "resourceVersion": version,
            **self._selection.query(kind),
        }
        async with session.get(self._path(kind), params=query) as response:
            if response.status == 410:
                return ""
            if response.status >= 300:
                raise error_of(response.status, await response.read())
            async for type_, body in _events(response):
                if type_ == "ERROR":
                    return ""
                version = body["metadata"]["resourceVersion"]
                if type_ != "BOOKMARK":
                    update = self._snapshot.remove if type_ == "DELETED" else self._snapshot.put
                    self._changes.add(update(kind, body))
        return version

    def _path(self, kind: Kind) -> str:
        # Relative to the session's address, which may have a path of its own.
        return path_of(kind, Key(namespace=self._selection.namespace, name="")).lstrip("/")


@asynccontextmanager
async def watching(client: Client, selection: Selection) -> AsyncIterator[tuple[Snapshot, Changes]]:
    """Give a snapshot that is listed already and kept up, and its changes."""
    snapshot, changes, listed = Snapshot(), Changes(), asyncio.Event()
    informer = Informer(snapshot, selection, changes)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(informer.run(client.address, listed))
        await listed.wait()
        changes.clear()
        try:
            yield snapshot, changes
        finally:
            task.cancel()


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run until interrupted, or asked to end by SIGTERM or SIGHUP.

    Raises PluginError, and OSError once nobody reads what it prints, or has room for it.
    """
    try:
        asyncio.run(_until_signal(main))
    except* (PluginError, OSError) as errors:
        raise _first(errors) from None


def _first(error: BaseException) -> BaseException:
    """Return what a group of errors, or a group in it, begins with."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _until_signal(main: Coroutine[Any, Any, None]) -> None:
    """Cancel the coroutine at a signal, and exit once it has cleaned up.

    An exception that a signal handler raises may be lost in whatever code it happens to hit.
    """
    loop, task = asyncio.get_running_loop(), asyncio.create_task(main)
    received: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        received.append(number)
        task.cancel()

    for number in signals.ENDING:
        with suppress(NotImplementedError):  # on Windows, where Ctrl-C ends it
            loop.add_signal_handler(number, end, number)
    try:
        await task
    except asyncio.CancelledError:
        if not received:
            raise
        sys.exit(128 + received[0])


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Manifest]]:
    """Give the events of a watch; a line may be longer than aiohttp's buffer for lines."""
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield event_of(line)
