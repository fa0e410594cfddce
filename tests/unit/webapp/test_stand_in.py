"""The demo's stand-in is understood by the adapters, at any time."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp.test_utils import TestClient, TestServer
from support.places import bundled
from weather_cluster.fake_openweathermap import weather as fake_weather
from weather_cluster.fake_openweathermap.server import FakeServer
from weather_webapp.providers import open_meteo, openweathermap
from weather_webapp.weather import Weather

LONDON = bundled("London")
MOMENTS = [datetime(2025, 12, 30, 23, 59, tzinfo=UTC) + timedelta(hours=7 * n) for n in range(30)]


@pytest.fixture
async def client() -> AsyncIterator[TestClient]:  # type: ignore[type-arg] # ours
    async with TestClient(TestServer(FakeServer(key="the key").app())) as client:
        yield client


def from_openweathermap(now: datetime) -> Weather:
    query = {"lat": "51.5", "lon": "-0.1", "units": "metric"}
    hours = openweathermap.parse_hours(fake_weather.forecast(query, now))
    return openweathermap.parse_weather(LONDON, fake_weather.current(query, now), hours)


def from_open_meteo(now: datetime) -> Weather:
    answer = fake_weather.open_meteo({"latitude": "51.5", "longitude": "-0.1"}, now)
    return open_meteo.parse_weather(LONDON, answer)


@pytest.mark.parametrize("now", MOMENTS, ids=str)
def test_its_weather_is_whole_at_any_time(now: datetime) -> None:
    one, other = from_openweathermap(now).seen_at(now), from_open_meteo(now).seen_at(now)
    assert (len(one.hours), len(other.hours)) == (8, 24)
    for weather in (one, other):
        assert len(weather.days) == 5
        assert weather.days[0].on == now.date()
        assert None not in (weather.humidity, weather.pressure, weather.sunrise, weather.wind_speed)


async def test_it_asks_for_the_key(client: TestClient) -> None:  # type: ignore[type-arg] # ours
    place = {"lat": "51.5", "lon": "-0.1"}
    refused = await client.get("/data/2.5/weather", params={**place, "appid": "another"})
    taken = await client.get("/data/2.5/weather", params={**place, "appid": "the key"})
    nowhere = await client.get("/data/2.5/weather", params={"appid": "the key"})
    assert [answer.status for answer in (refused, taken, nowhere)] == [401, 200, 400]
    assert await (await client.get("/calls")).json() == {"/data/2.5/weather": 3}


async def test_it_knows_some_towns(client: TestClient) -> None:  # type: ignore[type-arg] # ours
    async def find(name: str) -> list[str]:
        query = {"q": name, "limit": "5", "appid": "the key"}
        found = await (await client.get("/geo/1.0/direct", params=query)).json()
        return [town["country"] for town in found]

    assert await find("Bath") == ["GB", "US"]
    assert await find("bath,US") == ["US"]
    assert await find("Atlantis") == []


async def test_it_follows_a_script(client: TestClient) -> None:  # type: ignore[type-arg] # ours
    query = {"latitude": "51.5", "longitude": "-0.1"}
    for script, status in (({"status": 429, "body": "{}"}, 429), ({}, 200)):
        assert (await client.put("/script", json=script)).status == 204
        assert (await client.get("/v1/forecast", params=query)).status == status
