"""Server-sent events to every open page: all apps at first, then each that changes."""

import asyncio
import json
from typing import Any

from aiohttp import web
from weather_operator.kube.resources import Key

from kubectl_weather.model import to_json
from kubectl_weather.snapshot import Snapshot
from kubectl_weather.watch import Changes

_KEEPALIVE_SECONDS = 15
_APPS_PER_EVENT = 100


class Viewer:
    """An open page and the apps it has yet to be sent: a slow one skips states in between."""

    def __init__(self, keys: list[Key]) -> None:
        self.keys = set(keys)
        self.changed = asyncio.Event()
        self.changed.set()

    def add(self, keys: set[Key]) -> None:
        """Add apps that changed; without any, the page is still sent whether all is up to date."""
        self.keys |= keys
        self.changed.set()

    def take(self) -> list[Key]:
        """Return the apps to send now."""
        keys = sorted(self.keys, key=str)
        self.keys.clear()
        self.changed.clear()
        return keys


class Broadcast:
    """Sends every open page the apps that change, and the error while they cannot be watched."""

    def __init__(self, snapshot: Snapshot, changes: Changes, *, place: str) -> None:
        self._snapshot = snapshot
        self._changes = changes
        self._place = place
        self._viewers: set[Viewer] = set()

    async def run(self) -> None:
        """Pass changes on for ever."""
        while True:
            keys = await self._changes.next()
            for viewer in self._viewers:
                viewer.add(keys)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Respond to one page for as long as it is open."""
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        viewer = Viewer(self._snapshot.keys())
        self._viewers.add(viewer)
        try:
            await _send(response, "start", {"place": self._place})
            while True:
                await self._update(response, viewer)
        except ConnectionError:
            return response  # the page was closed
        finally:
            self._viewers.discard(viewer)

    async def _update(self, response: web.StreamResponse, viewer: Viewer) -> None:
        try:
            await asyncio.wait_for(viewer.changed.wait(), _KEEPALIVE_SECONDS)
        except TimeoutError:
            await response.write(b": keepalive\n\n")  # fails once the page is gone
            return
        keys = viewer.take()
        for start in range(0, max(len(keys), 1), _APPS_PER_EVENT):
            sites = {key: self._snapshot.site(key) for key in keys[start : start + _APPS_PER_EVENT]}
            update = {
                "apps": [to_json(site) for site in sites.values() if site],
                "deleted": [str(key) for key, site in sites.items() if site is None],
                "error": self._changes.error,
            }
            await _send(response, "update", update)


async def _send(response: web.StreamResponse, event: str, data: dict[str, Any]) -> None:
    await response.write(f"event: {event}\ndata: {json.dumps(data)}\n\n".encode())
