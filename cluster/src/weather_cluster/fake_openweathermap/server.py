"""The server: the providers' addresses and key check, and a way to script and count its answers.

`python -m weather_cluster.fake_openweathermap.server HOST PORT` with the API key that it accepts in
OPENWEATHER_API_KEY. `PUT /script` changes what it answers next ({"status": 429, "body": "…"}, or {}
for weather again), and `GET /calls` counts requests by path.
"""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from aiohttp import web

from weather_cluster.fake_openweathermap import weather

Answers = Mapping[str, Callable[[Mapping[str, str], datetime], Any]]


@dataclass
class FakeServer:
    """Answers as the providers do, or with `status` and `body` when those say something else.

    Requests wait while `pause` is an event that is not set.
    """

    answers: ClassVar[Answers] = {
        "/geo/1.0/direct": weather.geocoding,
        "/data/2.5/weather": weather.current,
        "/data/2.5/forecast": weather.forecast,
        "/v1/search": weather.search,
        "/v1/forecast": weather.open_meteo,
    }

    key: str = ""
    status: int = 200
    body: bytes | None = None
    pause: asyncio.Event | None = None
    calls: Counter[str] = field(default_factory=Counter)
    queries: list[dict[str, str]] = field(default_factory=list)

    def app(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application()
        for path in self.answers:
            app.router.add_get(path, self._answer)
        app.router.add_get("/calls", self._count)
        app.router.add_put("/script", self._set_script)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        self.calls[request.path] += 1
        self.queries.append(dict(request.query))
        if self.pause:
            await self.pause.wait()
        if self.body is not None or self.status != 200:
            return web.Response(status=self.status, body=self.body or b"")
        if not request.path.startswith("/v1/") and request.query.get("appid") != self.key:
            return web.json_response({"cod": 401, "message": "Invalid API key."}, status=401)
        try:
            return web.json_response(self.answers[request.path](request.query, datetime.now(UTC)))
        except (LookupError, ValueError):
            return web.json_response({"cod": "400", "message": "Nothing to geocode"}, status=400)

    async def _count(self, request: web.Request) -> web.Response:
        return web.json_response(self.calls)

    async def _set_script(self, request: web.Request) -> web.Response:
        script = await request.json()
        self.status = int(script.get("status", 200))
        self.body = script["body"].encode() if "body" in script else None
        return web.Response(status=204)


def main() -> None:
    """Serve at the host and port of the command line until the process ends."""
    host, port = sys.argv[1:]
    key = os.environ["OPENWEATHER_API_KEY"]
    web.run_app(FakeServer(key).app(), host=host, port=int(port), access_log=None, print=None)


if __name__ == "__main__":
    main()
