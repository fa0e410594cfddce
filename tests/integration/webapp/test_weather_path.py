"""Key → HTTP → JSON → page, with the stand-in of the demo as a program of its own."""

import http.client
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.deadlines import eventually
from support.webapp import Site, ready, running
from weather_cluster import fake_openweathermap, processes
from weather_cluster.fake_openweathermap import KEY, FakeOpenWeatherMap


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeOpenWeatherMap]:
    directory = tmp_path_factory.mktemp("stand-in")
    (directory / "log").mkdir()
    # The port is fixed, so the address is this test's own.
    host = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.1"
    try:
        yield fake_openweathermap.start(directory, host)
    finally:
        processes.kill_all(directory)


def script(upstream: FakeOpenWeatherMap, **answer: object) -> None:
    """Have the stand-in answer so from now on."""
    server = http.client.HTTPConnection(upstream.url.removeprefix("http://"), timeout=10)
    server.request("PUT", "/script", json.dumps(answer))
    assert server.getresponse().status == 204
    server.close()


def source(site: Site) -> str:
    answer = site.get()
    assert answer.status == 200
    return answer.headers["X-Weather-Source"]


def test_a_key_in_a_file_brings_real_weather_and_shows_up_nowhere(
    upstream: FakeOpenWeatherMap, tmp_path: Path
) -> None:
    file = tmp_path / "api-key"
    file.write_text("not the key")
    calls = upstream.calls()
    with running(
        WEATHER_PROVIDER="openweathermap",
        OPENWEATHER_API_KEY_FILE=str(file),
        OPENWEATHER_BASE_URL=upstream.url,
    ) as site:
        ready(site)
        assert source(site) == "sample"
        file.write_text(f"{KEY}\n")
        eventually(lambda: source(site) == "openweathermap")
        assert upstream.calls() == calls + 3  # one was refused
        paths = ("/", "/?city=Bath", "/?city=Lodnon", "/weather.json", "/api/info", "/nowhere")
        seen = [site.get(path) for path in paths]
        seen.append(site.get("/metrics", site.metrics_port))
        assert 'weather_upstream_requests_total{outcome="ok"' in seen[-1].text
        assert KEY not in repr(seen)
        assert KEY not in site.output.read_text()
        assert "provider failed" in site.output.read_text()


def test_a_city_is_searched_for_or_others_are_suggested(upstream: FakeOpenWeatherMap) -> None:
    with running(
        WEATHER_PROVIDER="auto",
        OPENWEATHER_API_KEY=KEY,
        OPENWEATHER_BASE_URL=upstream.url,
        OPEN_METEO_BASE_URL=upstream.url,
        OPEN_METEO_GEOCODING_URL=upstream.url,
    ) as site:
        found = ready(site).get("/weather.json?city=Bath,US")
        assert json.loads(found.text)["place"]["country"] == "US"
        unknown = site.get("/weather.txt?city=Bath,France")
        assert unknown.status == 404
        assert "Bath, England, GB; Bath, Maine, US" in unknown.text
        assert site.get("/weather.txt?city=Lodnon").text.count("London") == 1


def test_when_the_upstream_fails_the_page_goes_on(upstream: FakeOpenWeatherMap) -> None:
    with running(
        WEATHER_PROVIDER="auto",
        OPENWEATHER_API_KEY=KEY,
        OPENWEATHER_BASE_URL=upstream.url,
        OPEN_METEO_BASE_URL=upstream.url,
        OPEN_METEO_GEOCODING_URL=upstream.url,
    ) as site:
        script(upstream, status=500, body="<html>broken</html>")
        try:
            assert source(ready(site)) == "sample"
            assert site.get("/readyz").status == 200
        finally:
            script(upstream)


def test_without_a_key_open_meteo_is_asked(upstream: FakeOpenWeatherMap) -> None:
    with running(
        WEATHER_PROVIDER="auto",
        OPEN_METEO_BASE_URL=upstream.url,
        OPEN_METEO_GEOCODING_URL=upstream.url,
    ) as site:
        assert source(ready(site)) == "open-meteo"
