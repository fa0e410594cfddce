from datetime import timedelta
from pathlib import Path

from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families
from support.browsing import NOW, Client, browsing
from support.openweathermap import KEY, StandIn
from weather_webapp.server import make_metrics_app
from weather_webapp.settings import Settings

SETTINGS = Settings(provider="sample", version="2.0.0", colour="green", commit="1a2b3c4d")


async def figures(client: Client, nginx_status: Path) -> dict[tuple[str, ...], float]:
    assert client.app is not None
    async with TestClient(TestServer(make_metrics_app(client.app, nginx_status))) as metrics:
        text = await (await metrics.get("/metrics")).text()
    return {
        (sample.name, *(text for _, text in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_requests_are_counted_by_address_and_never_by_what_clients_choose(
    tmp_path: Path,
) -> None:
    async with browsing(SETTINGS) as client:
        for number in range(20):
            await client.get(f"/?n={number}")
            await client.get(f"/nowhere/{number}")
        await client.get("/weather.json")
        await client.delete("/")
        await client.get("/?units=kelvin")
        found = await figures(client, tmp_path / "none")
    requests = {key[1:]: n for key, n in found.items() if key[0] == "weather_http_requests_total"}
    assert requests == {
        ("GET", "/", "200"): 20,
        ("GET", "/", "400"): 1,
        ("GET", "unknown", "404"): 20,
        ("GET", "/weather.{suffix}", "200"): 1,
        ("other", "unknown", "405"): 1,
    }
    assert found["weather_http_request_duration_seconds_count", "/"] == 21
    assert found["weather_upstream_budget_calls",] == 30
    assert found["weather_upstream_budget_calls_per_minute",] == 30
    info = next(key for key in found if key[0] == "weather_build_info")
    assert set(info[1:]) == {"2.0.0", "green", "1a2b3c4d"}


async def test_what_the_source_does_is_counted(tmp_path: Path) -> None:
    async with TestServer(StandIn().app()) as server:
        address = str(server.make_url("")).rstrip("/")
        settings = Settings(
            openweather_base_url=address, openweather_api_key=KEY, provider="openweathermap"
        )
        moment = NOW
        async with browsing(settings, now=lambda: moment) as client:
            await client.get("/")
            moment += timedelta(seconds=90)
            await client.get("/")
            found = await figures(client, tmp_path / "none")
    assert found["weather_upstream_requests_total", "ok", "openweathermap"] >= 2
    assert found["weather_upstream_duration_seconds_count", "openweathermap"] >= 2
    assert found["weather_cache_total", "miss"] == 1
    assert found["weather_cache_total", "hit"] == 1
    assert found["weather_data_age_seconds",] == 90
    assert found["weather_upstream_breaker_open", "openweathermap"] == 0
    assert not [key for key in found if KEY in str(key)]
