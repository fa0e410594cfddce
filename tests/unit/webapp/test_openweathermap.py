import copy
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from hypothesis import given, settings
from hypothesis import strategies as st
from support.garbage import JSON, mutated
from support.openweathermap import ANSWERS, CURRENT, FORECAST, GEOCODING, KEY, StandIn
from support.places import bundled
from support.providers import Clock
from weather_webapp.errors import Failure, ProviderError
from weather_webapp.providers.api_key import ApiKey
from weather_webapp.providers.openweathermap import (
    OpenWeatherMap,
    parse_condition,
    parse_hours,
    parse_place,
    parse_weather,
)
from weather_webapp.providers.parsing import UNREADABLE
from weather_webapp.providers.upstream import MAX_BODY_BYTES, Upstream, make_session
from weather_webapp.weather import Condition

LONDON = bundled("London")


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with make_session() as session:
        yield session


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def upstream() -> StandIn:
    return StandIn()


@pytest.fixture
async def provider(
    upstream: StandIn, session: ClientSession, clock: Clock
) -> AsyncIterator[OpenWeatherMap]:
    async with TestServer(upstream.app()) as server:
        url = str(server.make_url("")).rstrip("/")
        yield OpenWeatherMap(Upstream(session, "openweathermap"), url, ApiKey(KEY), clock)


async def test_it_understands_an_answer_in_si_units(provider: OpenWeatherMap) -> None:
    weather = await provider.weather(LONDON)
    assert weather.source == "openweathermap"
    assert (weather.place.name, weather.place.country) == ("London", "GB")
    assert weather.observed_at == datetime(2025, 11, 23, 10, 40, tzinfo=UTC)
    assert weather.utc_offset == timedelta(hours=1)
    assert weather.condition is Condition.RAIN
    assert weather.daylight
    assert weather.temperature == 11.44
    assert weather.feels_like == -0.6
    assert weather.humidity == pytest.approx(0.87)
    assert weather.pressure == 101_200
    assert weather.visibility == 9000
    assert weather.cloud_cover == pytest.approx(0.75)
    assert weather.precipitation == pytest.approx(0.31)
    assert (weather.wind_speed, weather.wind_direction, weather.wind_gust) == (4.12, 225, 8.2)
    assert weather.sunrise == datetime(2025, 11, 23, 7, 30, tzinfo=UTC)


async def test_it_understands_the_forecast(provider: OpenWeatherMap) -> None:
    weather = (await provider.weather(LONDON)).seen_at(datetime(2025, 11, 23, 10, 44, tzinfo=UTC))
    assert [hour.temperature for hour in weather.hours] == [10, 11, 12, 13, 14, 15, 16, 17]
    assert [hour.daylight for hour in weather.hours[:2]] == [True, False]
    assert weather.hours[0].precipitation_chance == 0.25
    assert [day.on for day in weather.days] == [date(2025, 11, 23 + n) for n in range(5)]
    # 10:40 UTC is 11:40 there: the day's last step is 22:40 UTC, four steps after the first.
    assert (weather.days[0].low, weather.days[0].high) == (10, 14)


@pytest.mark.parametrize(("language", "name"), [("de", "München"), ("fr", "Munich")])
async def test_a_city_is_looked_up(
    provider: OpenWeatherMap, upstream: StandIn, language: str, name: str
) -> None:
    place = await provider.find("Munich, DE", language)
    assert (place.name, place.country) == (name, "DE")
    assert (place.latitude, place.longitude) == (48.1371079, 11.5753822)
    assert upstream.queries == [{"q": "Munich,DE", "limit": "5", "appid": KEY}]


def match(name: str, state: str, country: str) -> dict[str, Any]:
    return {"name": name, "state": state, "country": country, "lat": 1.0, "lon": 2.0}


@pytest.mark.parametrize(
    ("city", "queries", "state"),
    [
        ("Cambridge, MA", ["Cambridge,MA", "Cambridge,MA,US"], "Massachusetts"),
        ("Cambridge, Massachusetts, USA", ["Cambridge,MA,US"], "Massachusetts"),
        ("Cambridge, ontario", ["Cambridge,CA"], "Ontario"),
        ("Cambridge, UK", ["Cambridge,GB"], "England"),
        ("Cambridge, Vereinigtes Königreich", ["Cambridge,GB"], "England"),
        ("Cambridge, England", ["Cambridge,GB"], "England"),
        ("Cambridge, Waikato", ["Cambridge"], "Waikato"),
    ],
)
async def test_regions_are_put_as_it_knows_them_and_matches_must_be_there(
    provider: OpenWeatherMap,
    upstream: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    city: str,
    queries: list[str],
    state: str,
) -> None:
    cambridges = [
        match("Cambridge", "England", "GB"),
        match("Cambridge", "Massachusetts", "US"),
        match("Cambridge", "Ontario", "CA"),
        match("Cambridge", "Waikato", "NZ"),
    ]
    monkeypatch.setitem(ANSWERS, "/geo/1.0/direct", cambridges)
    assert provider.calls_to_find(city, "de") == len(queries)
    place = await provider.find(city, "de")
    assert place.country == next(each["country"] for each in cambridges if each["state"] == state)
    sent = [query["q"] for query in upstream.queries]
    assert sent == queries[: len(sent)]


async def test_weather_is_asked_for_by_coordinates(
    provider: OpenWeatherMap, upstream: StandIn
) -> None:
    await provider.weather(LONDON)
    assert upstream.calls == {"/data/2.5/weather": 1, "/data/2.5/forecast": 1}
    assert {(query["lat"], query["lon"]) for query in upstream.queries} == {
        (f"{LONDON.latitude:.4f}", f"{LONDON.longitude:.4f}")
    }


async def test_a_city_that_is_not_found_is_unknown(provider: OpenWeatherMap) -> None:
    with pytest.raises(ProviderError) as raised:
        await provider.find("Atlantis", "en")
    assert raised.value.failure is Failure.CITY_UNKNOWN


async def test_a_name_that_cannot_be_looked_up_is_unknown(
    provider: OpenWeatherMap, upstream: StandIn
) -> None:
    upstream.status, upstream.body = 400, b'{"cod":"400","message":"Nothing to geocode"}'
    with pytest.raises(ProviderError) as raised:
        await provider.find(",", "en")
    assert raised.value.failure is Failure.CITY_UNKNOWN


async def test_a_place_that_has_no_weather_is_not_an_unknown_city(
    provider: OpenWeatherMap, upstream: StandIn
) -> None:
    upstream.status, upstream.body = 404, b'{"cod":"404","message":"city not found"}'
    with pytest.raises(ProviderError) as raised:
        await provider.weather(LONDON)
    assert raised.value.failure is Failure.UNAVAILABLE


async def test_a_forecast_is_good_for_longer_than_the_weather_unless_the_clock_is_set_back(
    provider: OpenWeatherMap, upstream: StandIn, clock: Clock
) -> None:
    counted = []
    for minutes in (0, 10, 34, 1, 10, -300):
        clock.advance(minutes=minutes)
        counted.append(provider.calls_needed(LONDON))
        before = upstream.calls.total()
        assert (await provider.weather(LONDON)).hours
        assert upstream.calls.total() - before == counted[-1]
    assert counted == [2, 1, 1, 2, 1, 2]
    assert upstream.calls == {"/data/2.5/weather": 6, "/data/2.5/forecast": 3}


async def test_what_is_refused_is_not_asked_twice(
    provider: OpenWeatherMap, upstream: StandIn
) -> None:
    upstream.status = 429
    with pytest.raises(ProviderError):
        await provider.weather(LONDON)
    assert upstream.calls.total() == 1


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (401, b'{"cod":401,"message":"Invalid API key."}', Failure.KEY_REFUSED),
        (403, b"", Failure.KEY_REFUSED),
        (429, b'{"cod":429,"message":"blocked"}', Failure.QUOTA_EXCEEDED),
        (400, b'{"cod":"400","message":"Nothing to geocode"}', Failure.UNAVAILABLE),
        (302, b"", Failure.UNAVAILABLE),
        (500, b"<html>", Failure.UNAVAILABLE),
        (503, b"", Failure.UNAVAILABLE),
        (200, b"<html>not JSON</html>", Failure.UNREADABLE),
        (200, b"", Failure.UNREADABLE),
        (200, b"null", Failure.UNREADABLE),
        (200, b"[]", Failure.UNREADABLE),
        (200, b"{}", Failure.UNREADABLE),
        (200, b"\xff\xfe\x00", Failure.UNREADABLE),
        (200, b"[" * 100_000, Failure.UNREADABLE),
        (200, json.dumps(CURRENT).encode()[:200], Failure.UNREADABLE),
        (200, b'"' + b"x" * MAX_BODY_BYTES + b'"', Failure.UNREADABLE),
    ],
)
async def test_each_failure_has_its_kind(
    provider: OpenWeatherMap, upstream: StandIn, status: int, body: bytes, failure: Failure
) -> None:
    upstream.status, upstream.body = status, body
    with pytest.raises(ProviderError) as raised:
        await provider.weather(LONDON)
    assert raised.value.failure is failure


async def test_nobody_listening_is_unavailable(
    session: ClientSession, unused_tcp_port: int
) -> None:
    upstream = Upstream(session, "openweathermap")
    provider = OpenWeatherMap(upstream, f"http://127.0.0.1:{unused_tcp_port}", ApiKey(KEY), Clock())
    with pytest.raises(ProviderError) as raised:
        await provider.weather(LONDON)
    assert raised.value.failure is Failure.UNAVAILABLE
    assert KEY not in repr(raised.value) + str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_the_credential_follows_the_key(session: ClientSession, tmp_path: Path) -> None:
    file = tmp_path / "api-key"
    provider = OpenWeatherMap(Upstream(session, "openweathermap"), "", ApiKey(file=file), Clock())
    assert provider.credential() is None
    file.write_text("one")
    first = provider.credential()
    file.write_text("another")
    assert first is not None
    assert provider.credential() not in (first, None)


def broken(*path: str | int, value: Any) -> dict[str, Any]:
    answer: Any = copy.deepcopy(CURRENT)
    inner = answer
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return dict(answer)


@pytest.mark.parametrize(
    "current",
    [
        broken("main", "temp", value=None),
        broken("main", value="warm"),
        broken("weather", value=[]),
        broken("weather", 0, "id", value=1500),
        broken("dt", value=1e30),
        broken("dt", value="yesterday"),
        broken("timezone", value=None),
        broken("main", "temp", value=1e300),
        broken("main", "temp", value="11.44"),
        broken("main", "temp", value=True),
        broken("timezone", value=1e9),
    ],
)
async def test_nonsense_is_unreadable(
    provider: OpenWeatherMap, monkeypatch: pytest.MonkeyPatch, current: dict[str, Any]
) -> None:
    monkeypatch.setitem(ANSWERS, "/data/2.5/weather", current)
    with pytest.raises(ProviderError) as raised:
        await provider.weather(LONDON)
    assert raised.value.failure is Failure.UNREADABLE


def test_what_did_not_happen_may_be_left_out() -> None:
    bare = {"weather": [{"id": 800}], "main": {"temp": 3}, "dt": CURRENT["dt"]}
    weather = parse_weather(LONDON, bare, ())
    assert weather.condition is Condition.CLEAR
    assert weather.precipitation == 0
    assert weather.wind_speed is None
    assert weather.sunrise is None
    assert weather.hours == ()
    assert [(day.low, day.high) for day in weather.days] == [(3, 3)]


def test_what_cannot_be_true_is_left_out() -> None:
    wild = {
        **CURRENT,
        "main": {"temp": 11, "humidity": 300, "pressure": -1, "feels_like": "cold"},
        "wind": {"speed": 1e9, "deg": None},
        "visibility": -5,
        "sys": {"sunrise": 1e20, "sunset": None},
    }
    weather = parse_weather(LONDON, wild, parse_hours(FORECAST))
    assert weather.temperature == 11
    assert weather.humidity is weather.pressure is weather.feels_like is None
    assert weather.wind_speed is weather.wind_direction is weather.visibility is None
    assert weather.sunrise is weather.sunset is None


SHORT = {**FORECAST, "list": FORECAST["list"][:2]}


@settings(max_examples=60)
@given(current=mutated(CURRENT) | JSON, forecast=mutated(SHORT) | JSON)
def test_garbage_is_weather_or_unreadable(current: Any, forecast: Any) -> None:
    try:
        weather = parse_weather(LONDON, current, parse_hours(forecast))
    except UNREADABLE:
        return
    assert -100 <= weather.temperature <= 70
    assert len(weather.hours) <= 40
    assert len(weather.days) <= 6
    weather.seen_at(weather.observed_at)


@settings(max_examples=60)
@given(match=mutated(GEOCODING[0]) | JSON, language=st.text(max_size=3))
def test_garbage_is_a_place_or_unreadable(match: Any, language: str) -> None:
    try:
        place = parse_place(match, language)
    except UNREADABLE:
        return
    assert -90 <= place.latitude <= 90
    assert -180 <= place.longitude <= 180
    assert place.name.isprintable()
    assert place.country == "" or place.country.isupper()


def test_a_forecast_alone_is_no_weather() -> None:
    with pytest.raises(LookupError):
        parse_weather(LONDON, {}, parse_hours(FORECAST))


@pytest.mark.parametrize(
    ("code", "condition"),
    [
        (211, Condition.THUNDER),
        (300, Condition.DRIZZLE),
        (500, Condition.RAIN),
        (511, Condition.SLEET),
        (531, Condition.RAIN),
        (601, Condition.SNOW),
        (615, Condition.SLEET),
        (741, Condition.FOG),
        (781, Condition.WIND),
        (711, Condition.SMOKE),
        (731, Condition.DUST),
        (751, Condition.DUST),
        (761, Condition.DUST),
        (762, Condition.ASH),
        (800, Condition.CLEAR),
        (801, Condition.PARTLY_CLOUDY),
        (804, Condition.CLOUDY),
    ],
)
def test_each_code_has_its_condition(code: int, condition: Condition) -> None:
    assert parse_condition(code) is condition


def test_a_key_in_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "api-key"
    key = ApiKey("from the environment", file)
    assert key.read() == "from the environment"
    file.write_text("first\n")
    assert key.read() == "first"
    renewed = tmp_path / "renewed"
    renewed.write_text("other\n")
    renewed.rename(file)
    assert key.read() == "other"
    file.unlink()
    assert key.read() == "from the environment"
    assert "other" not in repr(key)


async def test_the_current_weather_is_shown_without_a_forecast(
    provider: OpenWeatherMap, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(ANSWERS, "/data/2.5/forecast", {"cod": "500"})
        weather = await provider.weather(LONDON)
        assert (weather.temperature, weather.hours) == (11.44, ())
    assert provider.calls_needed(LONDON) == 2
    assert len((await provider.weather(LONDON)).hours) == 40
    clock.advance(hours=2)
    with monkeypatch.context() as patch:
        patch.setitem(ANSWERS, "/data/2.5/forecast", {"cod": "500"})
        assert len((await provider.weather(LONDON)).hours) == 40


def test_an_odd_step_of_the_forecast_is_left_out() -> None:
    steps = [*FORECAST["list"]]
    steps[3] = {**steps[3], "weather": [{"id": 1500}]}
    steps[7] = None
    assert len(parse_hours({"list": steps})) == 38
