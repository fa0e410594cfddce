"""A stand-in for OpenWeatherMap and Open-Meteo: their addresses, invented weather, a script.

For a demo and for tests, where there is no internet: `python -m weather_cluster.stand_in HOST PORT`
with the API key that it takes in OPENWEATHER_API_KEY. What it answers next can be changed with
`PUT /script` ({"status": 429, "body": "…"}, or {} for weather again), and `GET /calls` counts.
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

from weather_cluster import invented_weather

Answers = Mapping[str, Callable[[Mapping[str, str], datetime], Any]]


@dataclass
class StandIn:
    """Answers as the providers do; `status` and `body` are for what goes wrong.

    While `pause` is not set, who asks waits.
    """

    answers: ClassVar[Answers] = {
        "/geo/1.0/direct": invented_weather.geocoding,
        "/data/2.5/weather": invented_weather.current,
        "/data/2.5/forecast": invented_weather.forecast,
        "/v1/search": invented_weather.search,
        "/v1/forecast": invented_weather.open_meteo,
    }

    key: str = ""
    status: int = 200
    body: bytes | None = None
    pause: asyncio.Event | None = None
    calls: Counter[str] = field(default_factory=Counter)
    queries: list[dict[str, str]] = field(default_factory=list)

    def app(self) -> web.Application:
        """Return the server's application."""
        app = web.Application()
        for path in self.answers:
            app.router.add_get(path, self._answer)
        app.router.add_get("/calls", self._count)
        app.router.add_put("/script", self._follow)
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

    async def _follow(self, request: web.Request) -> web.Response:
        script = await request.json()
        self.status = int(script.get("status", 200))
        self.body = script["body"].encode() if "body" in script else None
        return web.Response(status=204)


def main() -> None:
    """Serve at the host and port of the command line until the process is ended."""
    host, port = sys.argv[1:]
    key = os.environ["OPENWEATHER_API_KEY"]
    web.run_app(StandIn(key).app(), host=host, port=int(port), access_log=None, print=None)


if __name__ == "__main__":
    main()
