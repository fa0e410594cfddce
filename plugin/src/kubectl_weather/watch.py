"""Keeping a fleet as it is in the cluster: list, then watch, again and again."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from weather_operator.kube.resources import Key, Kind
from weather_operator.model import WEATHER_APP

from kubectl_weather.api import Api, error_of, path_of
from kubectl_weather.errors import PluginError
from kubectl_weather.fleet import KINDS, Fleet
from kubectl_weather.sites import EVERY_CHILD, labels_of

Body = dict[str, Any]

_WATCH_SECONDS = 60
_SILENCE_SECONDS = _WATCH_SECONDS + 15
_TOGETHER_SECONDS = 0.1
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is followed: one app of a namespace, or all of a namespace, or all."""

    namespace: str
    name: str | None = None

    def query(self, kind: Kind) -> dict[str, str]:
        """Return the selectors for a kind."""
        if kind is WEATHER_APP:
            return {"fieldSelector": f"metadata.name={self.name}"} if self.name else {}
        return {"labelSelector": labels_of(self.name) if self.name else EVERY_CHILD}


class Changes:
    """The apps that changed since somebody asked last; what follows at once is taken together."""

    def __init__(self) -> None:
        self._keys: set[Key] = set()
        self._silent: dict[Kind, str] = {}
        self._any = asyncio.Event()

    @property
    def trouble(self) -> str:
        """Return why nothing new is heard of some kind, empty while all is well."""
        return next(iter(self._silent.values()), "")

    def hears(self, kind: Kind) -> None:
        """Take note that a kind is heard of."""
        if self._silent.pop(kind, None):
            self._any.set()

    def hears_not(self, kind: Kind, why: str) -> None:
        """Take note that nothing is heard of a kind."""
        self._silent[kind] = why
        self._any.set()

    def add(self, keys: set[Key]) -> None:
        """Take changes in."""
        self._keys |= keys
        self._any.set()

    def forget(self) -> None:
        """Take what has changed until now as known."""
        self._keys = set()
        self._any.clear()

    async def next(self) -> set[Key]:
        """Wait for changes and return all of them."""
        await self._any.wait()
        await asyncio.sleep(_TOGETHER_SECONDS)
        keys = self._keys
        self.forget()
        return keys


class Follower:
    """Follows a selection into a fleet.

    Its `changes` are told which apps look different, and what keeps it from hearing more.
    """

    def __init__(self, fleet: Fleet, selection: Selection, changes: Changes) -> None:
        self._fleet = fleet
        self._selection = selection
        self._changes = changes

    async def run(self, socket: Path, started: asyncio.Event) -> None:
        """Follow for ever; `started` is set once everything was listed.

        Raises PluginError if the first lists are refused; later it says so and tries again.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_read=_SILENCE_SECONDS)
        connector = aiohttp.UnixConnector(path=str(socket))
        async with aiohttp.ClientSession(
            "http://localhost", connector=connector, timeout=timeout
        ) as session:
            versions = {kind: await self._list(session, kind) for kind in KINDS}
            started.set()
            async with asyncio.TaskGroup() as group:
                for kind, version in versions.items():
                    group.create_task(self._follow(session, kind, version))

    async def _follow(self, session: aiohttp.ClientSession, kind: Kind, version: str) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                version = version or await self._list(session, kind)
                self._changes.hears(kind)
                version = await self._watch(session, kind, version)
                pause = _FIRST_PAUSE
            except (PluginError, aiohttp.ClientError, OSError) as error:
                self._changes.hears_not(kind, str(error) or type(error).__name__)
                version = ""
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _list(self, session: aiohttp.ClientSession, kind: Kind) -> str:
        query = {"limit": "500", **self._selection.query(kind)}
        bodies: list[Body] = []
        while True:
            page = await self._get(session, kind, query)
            bodies += page["items"]
            if not (token := page["metadata"].get("continue")):
                self._changes.add(self._fleet.replace(kind, bodies))
                version: str = page["metadata"]["resourceVersion"]
                return version
            query["continue"] = token

    async def _get(
        self, session: aiohttp.ClientSession, kind: Kind, query: Mapping[str, str]
    ) -> Body:
        async with session.get(self._path(kind), params=query) as answer:
            text = await answer.read()
            if answer.status >= 300:
                raise error_of(answer.status, text)
            found: Body = json.loads(text)
            return found

    async def _watch(self, session: aiohttp.ClientSession, kind: Kind, version: str) -> str:
        """Follow one watch to its end; return where to go on, empty where only a list helps."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
            "resourceVersion": version,
            **self._selection.query(kind),
        }
        async with session.get(self._path(kind), params=query) as answer:
            if answer.status == 410:
                return ""
            if answer.status >= 300:
                raise error_of(answer.status, await answer.read())
            async for event in _events(answer):
                body = event["object"]
                if event["type"] == "ERROR":
                    return ""
                version = body["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    take = self._fleet.remove if event["type"] == "DELETED" else self._fleet.put
                    self._changes.add({take(kind, body)})
        return version

    def _path(self, kind: Kind) -> str:
        return path_of(kind, Key(namespace=self._selection.namespace, name=""))


@asynccontextmanager
async def following(api: Api, selection: Selection) -> AsyncIterator[tuple[Fleet, Changes]]:
    """Give a fleet that is listed already and is kept up, and its changes."""
    fleet, changes, listed = Fleet(), Changes(), asyncio.Event()
    follower = Follower(fleet, selection, changes)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(follower.run(api.socket, listed))
        await listed.wait()
        changes.forget()
        try:
            yield fleet, changes
        finally:
            task.cancel()


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run until interrupted. Raises PluginError."""
    try:
        asyncio.run(main)
    except* PluginError as errors:
        raise errors.exceptions[0] from None


async def _events(answer: aiohttp.ClientResponse) -> AsyncIterator[Body]:
    """Give the events of a watch; a line may be longer than what a stream reads as one."""
    rest = b""
    async for piece in answer.content.iter_any():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield json.loads(line)
