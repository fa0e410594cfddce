"""What the page is told: everything at first, then each app that looks different."""

import asyncio
import json
from typing import Any

from aiohttp import web
from weather_operator.kube.resources import Key

from kubectl_weather.fleet import Fleet
from kubectl_weather.watch import Changes

_SILENCE_SECONDS = 15
_AT_ONCE = 100


class Viewer:
    """An open page, and of which apps it is yet to be told: a slow one misses what passed."""

    def __init__(self, keys: list[Key]) -> None:
        self.keys = set(keys)
        self.news = asyncio.Event()
        self.news.set()

    def take(self) -> list[Key]:
        """Return what it is to be told now."""
        keys = sorted(self.keys, key=str)
        self.keys.clear()
        self.news.clear()
        return keys


class Broadcast:
    """Tells every open page which apps look different, and whether the cluster is heard of."""

    def __init__(self, fleet: Fleet, changes: Changes, *, place: str) -> None:
        self._fleet = fleet
        self._changes = changes
        self._place = place
        self._viewers: set[Viewer] = set()

    async def run(self) -> None:
        """Pass changes on for ever."""
        while True:
            keys = await self._changes.next()
            for viewer in self._viewers:
                viewer.keys |= keys
                viewer.news.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one page for as long as it is open."""
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        viewer = Viewer(self._fleet.keys())
        self._viewers.add(viewer)
        try:
            await _send(response, "start", {"place": self._place})
            while True:
                await self._tell(response, viewer)
        except ConnectionError:
            return response  # the page was closed
        finally:
            self._viewers.discard(viewer)

    async def _tell(self, response: web.StreamResponse, viewer: Viewer) -> None:
        try:
            await asyncio.wait_for(viewer.news.wait(), _SILENCE_SECONDS)
        except TimeoutError:
            await response.write(b": nothing new\n\n")  # finds out whether the page is there
            return
        told = viewer.take()
        for start in range(0, max(len(told), 1), _AT_ONCE):
            keys = told[start : start + _AT_ONCE]
            sites = {str(key): self._fleet.site(key) for key in keys}
            news = {
                "apps": [site.json() for site in sites.values() if site],
                "gone": [key for key, site in sites.items() if site is None],
                "trouble": self._changes.trouble,
            }
            await _send(response, "news", news)


async def _send(response: web.StreamResponse, event: str, data: dict[str, Any]) -> None:
    await response.write(f"event: {event}\ndata: {json.dumps(data)}\n\n".encode())
