import base64
import json
import logging
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from support.browsing import NOW, Client, browsing
from support.openweathermap import KEY, StandIn
from weather_webapp.handlers import READINESS
from weather_webapp.logs import JsonFormatter
from weather_webapp.server import make_app
from weather_webapp.settings import Settings

DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
NARROW = "\N{NARROW NO-BREAK SPACE}"


@asynccontextmanager
async def real_weather(
    upstream: StandIn, key: str = KEY, **settings: object
) -> AsyncIterator[Client]:
    async with TestServer(upstream.app()) as server:
        there = Settings(
            version="2.0.0",
            colour="green",
            provider="openweathermap",
            openweather_base_url=str(server.make_url("")).rstrip("/"),
            openweather_api_key=key,
            **settings,  # type: ignore[arg-type] # by name
        )
        async with browsing(there) as client:
            yield client


def facts(page: str) -> dict[str, str]:
    found = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)
    return {name: re.sub(r"<[^>]+>", "", value) for name, value in found}


async def test_the_page_tells_the_weather_and_who_serves_it() -> None:
    async with real_weather(
        StandIn(),
        pod="london-7d9c-x",
        node="node-1",
        container_id="84d0a04af0491f2b",
        commit="1a2b3c4d5e6f",
        city="London",
    ) as client:
        answer = await client.get("/")
        page = await answer.text()
    assert answer.status == 200
    assert answer.headers["X-Weather-Source"] == "openweathermap"
    assert "<title>London 11° · v2.0.0</title>" in page
    assert f"Rain, feels like {MINUS}1°." in page
    assert facts(page) == {
        "Wind": f"15{NARROW}km/h SW",
        "Gusts": f"30{NARROW}km/h",
        "Humidity": "87%",
        "Precipitation": f"0.3{NARROW}mm/h",
        "Pressure": f"1012{NARROW}hPa",
        "Visibility": f"9.0{NARROW}km",
        "Cloud cover": "75%",
        f"Sunrise {DASH} sunset": f"08:30 {DASH} 17:00",
        "Version": "2.0.0 green",
        "Commit": "1a2b3c4d",
        "Container": "84d0a04af049",
        "Pod": "london-7d9c-x",
        "Node": "node-1",
        "Time": "2025-11-23 10:44:05 UTC",
        "Data": "Weather data by OpenWeather, observed 10:40 UTC, fetched just now",
        "City": "GeoNames (geonames.org), CC BY 4.0",
    }
    assert 'datetime="2025-11-23T10:44:05Z"' in page
    assert 'content="#00875A"' in page
    assert "Sample" not in page


async def test_imperial_units_are_written() -> None:
    async with real_weather(StandIn(), units="imperial") as client:
        page = await (await client.get("/")).text()
    assert "London 53° " in page
    assert facts(page)["Wind"] == f"9{NARROW}mph SW"
    assert facts(page)["Pressure"] == f"29.88{NARROW}inHg"


@pytest.mark.parametrize(
    ("status", "key", "reason"),
    [
        (200, "", "No OpenWeather API key is set."),
        (200, "f" * 32, "OpenWeather refused the API key."),
        (429, KEY, "The OpenWeather quota is used up for now."),
        (500, KEY, "OpenWeather did not answer."),
    ],
)
async def test_without_real_weather_the_sample_is_marked_and_all_is_ready(
    status: int, key: str, reason: str
) -> None:
    async with real_weather(StandIn(status=status), key=key) as client:
        answer = await client.get("/")
        page = await answer.text()
        ready = await client.get("/readyz")
    assert answer.status == 200
    assert answer.headers["X-Weather-Source"] == "sample"
    assert f"Sample data {DASH} not real weather." in page
    assert facts(page)["Data"] == "Sample data"
    assert reason in page
    assert ready.status == 200


async def test_the_key_shows_up_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    seen = ""
    for upstream in (
        StandIn(),
        StandIn(status=401, body=b"bad key " + KEY.encode()),
        StandIn(body=b"garbage"),
        StandIn(status=500),
    ):
        async with real_weather(upstream) as client:
            for path in ("/", "/api/info", "/version", "/nowhere"):
                answer = await client.get(path)
                seen += await answer.text() + str(answer.headers)
    assert "provider failed" in caplog.text
    assert KEY not in seen
    # The stand-in logs its requests; our own server logs no request.
    ours = [record for record in caplog.records if record.name != "aiohttp.access"]
    assert not [record for record in ours if KEY in JsonFormatter().format(record)]


async def test_the_probes_and_the_version_answer_programs() -> None:
    async with browsing(Settings(version="3.0.0", colour="red", pod="p", node="n")) as client:
        info = await (await client.get("/api/info")).json()
        version = await (await client.get("/version")).json()
        health = await client.get("/healthz")
        unknown = await client.get("/nowhere")
        notice = await unknown.text()
    assert version == {"version": "3.0.0", "colour": "red", "commit": ""}
    assert (
        info.items()
        >= {
            "version": "3.0.0",
            "colour": "red",
            "pod": "p",
            "node": "n",
            "city": "London",
            "time": "2025-11-23T10:44:05Z",
        }.items()
    )
    assert health.status == 200
    assert unknown.status == 404
    assert unknown.headers["Cache-Control"] == "no-store"
    assert "There is nothing here" in notice


async def test_draining_is_unready_but_alive() -> None:
    async with browsing(Settings(provider="sample")) as client:
        client.app[READINESS].drain()
        assert (await client.get("/readyz")).status == 503
        assert (await client.get("/healthz")).status == 200
        assert (await client.get("/")).status == 200


@pytest.mark.parametrize("path", ["/", "/readyz", "/nowhere", "/favicon.svg", "/api/info"])
async def test_every_answer_bears_the_version_and_is_guarded(path: str) -> None:
    async with browsing(Settings(version="1.0.0", colour="yellow", provider="sample")) as client:
        headers = (await client.get(path)).headers
    assert headers["X-App-Version"] == "1.0.0"
    assert headers["X-App-Colour"] == "yellow"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "unsafe" not in headers["Content-Security-Policy"]


async def test_the_policy_allows_the_style_and_nothing_else_is_inline() -> None:
    async with browsing(Settings(provider="sample")) as client:
        answer = await client.get("/")
        page = await answer.text()
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style
    digest = base64.b64encode(sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in answer.headers["Content-Security-Policy"]
    assert "<script" not in page
    assert " style=" not in page
    assert re.findall(r"(?:src|href)=\"(?:https?:)?//[^\"]+", page) == []
    assert len(page.encode()) <= 30_000


async def test_a_city_is_escaped() -> None:
    async with browsing(Settings(provider="sample", city="<b>&'\"")) as client:
        page = await (await client.get("/")).text()
    assert "<b>&" not in page
    assert "&lt;b&gt;&amp;&#39;&#34;" in page


async def test_every_link_stays_below_the_base_path() -> None:
    async with browsing(Settings(provider="sample", base_path="/london")) as client:
        answer = await client.get("/london/")
        page = await answer.text()
        assert (await client.get("/london/api/info")).status == 200
        assert (await client.get("/london/favicon.svg")).status == 200
        assert (await client.get("/readyz")).status == 200
        assert (await client.get("/")).status == 404
    links = re.findall(r"href=\"(/[^\"]*)", page)
    assert links
    assert all(link.startswith("/london/") for link in links)


async def test_a_key_that_arrives_later_is_used(tmp_path: Path) -> None:
    file = tmp_path / "api-key"
    moment = NOW

    async with TestServer(StandIn().app()) as server:
        settings = Settings(
            provider="openweathermap",
            openweather_base_url=str(server.make_url("")).rstrip("/"),
            openweather_api_key_file=file,
        )
        app = make_app(settings, now=lambda: moment)
        async with TestClient(TestServer(app)) as client:
            assert (await client.get("/")).headers["X-Weather-Source"] == "sample"
            file.write_text(KEY)
            moment = datetime(2025, 11, 23, 10, 45, tzinfo=UTC)
            assert (await client.get("/")).headers["X-Weather-Source"] == "openweathermap"


def test_a_log_line_is_one_json_object() -> None:
    record = logging.makeLogRecord({"msg": "two\nlines", "levelname": "INFO", "city": "Zürich"})
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line)["city"] == "Zürich"


def test_the_first_process_stays_small() -> None:
    """It lives as long as the container and needs nothing of the app."""
    program = "import sys, weather_webapp.supervisor; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert not {"aiohttp", "jinja2", "babel", "prometheus_client"} & set(
        loaded.stdout.decode().split()
    )
