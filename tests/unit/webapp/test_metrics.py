from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families
from support.browsing import NOW, Client, browsing
from support.openweathermap import KEY, StandIn
from weather_webapp.request_metrics import RequestMetrics
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


async def test_the_build_and_the_budget_are_told(tmp_path: Path) -> None:
    async with browsing(SETTINGS) as client:
        found = await figures(client, tmp_path / "none")
    assert found["weather_upstream_budget_calls",] == 30
    assert found["weather_upstream_budget_calls_per_minute",] == 30
    info = next(key for key in found if key[0] == "weather_build_info")
    assert set(info[1:]) == {"2.0.0", "green", "1a2b3c4d"}


def test_requests_are_counted_from_a_log_in_pieces() -> None:
    metrics = RequestMetrics("2.0.0")
    log = b"/ GET 200 0.000\n" * 50 + b"/ GET 200 0.030\nunknown other 413 0.001\nprobe GET 200 0.0"
    for start in range(0, len(log), 7):
        metrics.feed(log[start : start + 7])
    metrics.feed(b"02\nnot a line\n/ GET twenty 0\n\xff\n")
    requests, durations = metrics.collect()
    assert {tuple(each.labels.values()): each.value for each in requests.samples} == {
        ("2.0.0", "/", "GET", "2xx"): 51,
        ("2.0.0", "unknown", "other", "4xx"): 1,
        ("2.0.0", "probe", "GET", "2xx"): 1,
    }
    found = {
        (each.name.rsplit("_", 1)[1], each.labels.get("le")): each.value
        for each in durations.samples
        if each.labels["route"] == "/"
    }
    assert found["bucket", "0.001"] == 50
    assert found["bucket", "0.05"] == found["bucket", "+Inf"] == found["count", None] == 51
    assert found["sum", None] == pytest.approx(0.03)


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
