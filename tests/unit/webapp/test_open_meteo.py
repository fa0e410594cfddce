from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from hypothesis import given, settings
from support.garbage import JSON, mutated
from support.open_meteo import FORECAST, HOURS, SEARCH, StandIn
from support.places import bundled
from weather_webapp.errors import Failure, ProviderError
from weather_webapp.providers.open_meteo import CONDITIONS, OpenMeteo, parse_place, parse_weather
from weather_webapp.providers.parsing import UNREADABLE
from weather_webapp.providers.upstream import Upstream, make_session
from weather_webapp.weather import Condition

PARIS = bundled("Paris")
STEPPED = ("hourly", "daily")
NOON = datetime(2025, 11, 23, 11, 30, tzinfo=UTC)


@pytest.fixture
def upstream() -> StandIn:
    return StandIn()


@pytest.fixture
async def provider(upstream: StandIn) -> AsyncIterator[OpenMeteo]:
    async with make_session() as session, TestServer(upstream.app()) as server:
        url = str(server.make_url("")).rstrip("/")
        yield OpenMeteo(Upstream(session, "open-meteo"), url, url)


def changed(section: str, **columns: Any) -> dict[str, Any]:
    return {**FORECAST, section: {**FORECAST[section], **columns}}


async def test_it_understands_an_answer_in_si_units(provider: OpenMeteo) -> None:
    weather = await provider.weather(PARIS)
    assert weather.source == "open-meteo"
    assert weather.place == PARIS
    assert weather.observed_at == datetime(2025, 11, 23, 11, 30, tzinfo=UTC)
    assert weather.utc_offset == timedelta(hours=1)
    assert weather.condition is Condition.RAIN
    assert weather.daylight
    assert (weather.temperature, weather.feels_like) == (8.3, 5.1)
    assert weather.humidity == pytest.approx(0.81)
    assert weather.pressure == pytest.approx(100_940)
    assert weather.cloud_cover == 1
    assert weather.precipitation == pytest.approx(0.8)  # 0.2 mm in a quarter of an hour
    assert (weather.wind_speed, weather.wind_direction, weather.wind_gust) == (3.7, 210, 7.9)
    assert weather.sunrise == datetime(2025, 11, 23, 7, tzinfo=UTC)


def test_the_zone_says_when_clocks_change_unless_it_is_none_of_that_offset() -> None:
    zone = parse_weather(PARIS, FORECAST).zone
    assert zone
    assert zone.key == "Europe/Paris"
    for name in ("Europe/London", "Europe", "Nowhere/Here", "../../etc/passwd", "", None, 3):
        assert parse_weather(PARIS, {**FORECAST, "timezone": name}).zone is None


def test_a_day_after_a_change_of_clock_has_its_date() -> None:
    hour = timedelta(hours=1)
    for change in (-hour, timedelta(), hour):
        begins = [
            int(
                (
                    datetime(2025, 11, 22 + n, 23, tzinfo=UTC) + (change if n else 0 * hour)
                ).timestamp()
            )
            for n in range(6)
        ]
        daily = changed("daily", time=begins)
        days = parse_weather(PARIS, daily).days
        assert [day.on for day in days] == [date(2025, 11, 23 + n) for n in range(6)]


async def test_it_understands_the_forecast(provider: OpenMeteo) -> None:
    weather = (await provider.weather(PARIS)).seen_at(NOON)
    assert [hour.at.hour for hour in weather.hours] == [*range(11, 24), *range(11)]
    assert weather.hours[0].temperature == 1.2
    assert weather.hours[0].condition is Condition.CLEAR
    assert weather.hours[0].precipitation_chance == pytest.approx(0.12)
    assert [hour.daylight for hour in weather.hours[:7]] == [True] * 6 + [False]
    assert [day.on for day in weather.days] == [date(2025, 11, 23 + n) for n in range(5)]
    assert (weather.days[3].low, weather.days[3].high) == (-3, 3)
    assert weather.days[4].condition is Condition.THUNDER
    assert weather.days[0].precipitation_chance == pytest.approx(0.9)


async def test_one_call_asks_for_all_in_si_units(provider: OpenMeteo, upstream: StandIn) -> None:
    await provider.weather(PARIS)
    (query,) = upstream.queries
    assert upstream.calls == {"/v1/forecast": 1}
    assert (query["latitude"], query["longitude"]) == (
        f"{PARIS.latitude:.4f}",
        f"{PARIS.longitude:.4f}",
    )
    assert (query["wind_speed_unit"], query["timeformat"]) == ("ms", "unixtime")


@pytest.mark.parametrize(
    ("city", "country"),
    [("Paris", "FR"), ("Paris, US", "US"), ("paris, texas", "US"), ("Paris, Texas, US", "US")],
)
async def test_a_city_is_looked_up(
    provider: OpenMeteo, upstream: StandIn, city: str, country: str
) -> None:
    place = await provider.find(city, "fr")
    assert (place.name, place.country) == ("Paris", country)
    assert upstream.queries[0]["name"].casefold() == "paris"
    assert upstream.queries[0]["language"] == "fr"


async def test_a_region_may_be_named_in_english_where_the_answer_is_not(
    provider: OpenMeteo, upstream: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    french, american = SEARCH["results"]
    german = [
        {**french, "admin1": "Großraum Paris"},
        {**american, "name": "Paris (in German)", "admin1": "Texanisches Land"},
    ]
    monkeypatch.setitem(
        StandIn.answers,
        "/v1/search",
        lambda query, now: {"results": german} if query["language"] == "de" else SEARCH,
    )
    place = await provider.find("Paris, Texas", "de")
    assert place.name == "Paris (in German)"
    assert upstream.calls.total() == provider.calls_to_find("Paris, Texas", "de") == 2


async def test_an_unknown_city_has_no_results(provider: OpenMeteo) -> None:
    with pytest.raises(ProviderError) as raised:
        await provider.find("Atlantis", "en")
    assert raised.value.failure is Failure.CITY_UNKNOWN
    assert raised.value.suggestions == ()


async def test_a_city_of_another_country_is_suggested(provider: OpenMeteo) -> None:
    with pytest.raises(ProviderError) as raised:
        await provider.find("Paris, Spain", "en")
    assert raised.value.failure is Failure.CITY_UNKNOWN
    assert raised.value.suggestions == ("Paris, Île-de-France, FR", "Paris, Texas, US")
    for suggestion in raised.value.suggestions:
        assert (await provider.find(suggestion, "en")).country == suggestion[-2:]


async def test_a_name_that_it_does_not_like_is_unknown(
    provider: OpenMeteo, upstream: StandIn
) -> None:
    upstream.status, upstream.body = 400, b'{"error":true,"reason":"Parameter name"}'
    with pytest.raises(ProviderError) as raised:
        await provider.find("?", "en")
    assert raised.value.failure is Failure.CITY_UNKNOWN


@pytest.mark.parametrize(
    ("status", "reason", "failure", "quota"),
    [
        (429, "Minutely API request limit exceeded.", Failure.QUOTA_EXCEEDED, "minute"),
        (429, "Hourly API request limit exceeded.", Failure.QUOTA_EXCEEDED, "hour"),
        (429, "Daily API request limit exceeded.", Failure.QUOTA_EXCEEDED, "day"),
        (429, "Too many concurrent requests", Failure.UNAVAILABLE, "minute"),
        (400, "Data corrupted at path ''.", Failure.UNAVAILABLE, "minute"),
        (503, "The service is overloaded", Failure.UNAVAILABLE, "minute"),
    ],
)
async def test_each_refusal_has_its_kind(
    provider: OpenMeteo,
    upstream: StandIn,
    status: int,
    reason: str,
    failure: Failure,
    quota: str,
) -> None:
    upstream.status = status
    upstream.body = b'{"error":true,"reason":"%b"}' % reason.encode()
    with pytest.raises(ProviderError) as raised:
        await provider.weather(PARIS)
    assert (raised.value.failure, raised.value.quota) == (failure, quota)


@pytest.mark.parametrize("body", [b"<html>", b"", b"null", b"[]", b"{}", b'{"current": NaN}'])
async def test_nonsense_is_unreadable(provider: OpenMeteo, upstream: StandIn, body: bytes) -> None:
    upstream.body = body
    with pytest.raises(ProviderError) as raised:
        await provider.weather(PARIS)
    assert raised.value.failure is Failure.UNREADABLE


@pytest.mark.parametrize(
    "answer",
    [
        changed("current_units", temperature_2m="°F"),
        changed("current_units", wind_speed_10m="km/h"),
        changed("current", temperature_2m=None),
        changed("current", weather_code=None),
        changed("current", weather_code=1234),
    ],
)
def test_what_must_be_there_is_missed(answer: dict[str, Any]) -> None:
    with pytest.raises(UNREADABLE):
        parse_weather(PARIS, answer)


def test_a_step_without_data_is_left_out() -> None:
    some = [None if n % 2 else 1.0 for n in range(HOURS)]
    weather = parse_weather(PARIS, changed("hourly", temperature_2m=some)).seen_at(NOON)
    assert len(weather.hours) == 12
    nothing = parse_weather(PARIS, changed("hourly", temperature_2m=[None] * HOURS))
    assert nothing.hours == ()
    days = parse_weather(PARIS, changed("daily", temperature_2m_max=[None, *[1.0] * 5])).days
    assert days[0].on == date(2025, 11, 24)
    chance = parse_weather(PARIS, changed("hourly", precipitation_probability=[None] * HOURS))
    assert chance.hours[0].precipitation_chance is None


def test_each_code_has_one_condition() -> None:
    codes = [code for some in CONDITIONS.values() for code in some]
    assert sorted(codes) == sorted(set(codes))
    assert len(codes) == 28


SHORT = {
    name: {column: value[:2] for column, value in part.items()} if name in STEPPED else part
    for name, part in FORECAST.items()
}


@settings(max_examples=60)
@given(answer=mutated(SHORT) | JSON)
def test_garbage_is_weather_or_unreadable(answer: Any) -> None:
    try:
        weather = parse_weather(PARIS, answer)
    except UNREADABLE:
        return
    assert -100 <= weather.temperature <= 70
    assert len(weather.hours) <= 50
    assert len(weather.days) <= 6
    weather.seen_at(weather.observed_at)


@settings(max_examples=60)
@given(match=mutated(SEARCH["results"][0]) | JSON)
def test_garbage_is_a_place_or_unreadable(match: Any) -> None:
    try:
        place = parse_place(match)
    except UNREADABLE:
        return
    assert -90 <= place.latitude <= 90
    assert place.name.isprintable()


@pytest.mark.parametrize(
    "answer",
    [
        changed("hourly", temperature_2m=[1.0]),
        {**FORECAST, "hourly": None},
        changed("hourly_units", temperature_2m="°F"),
    ],
)
def test_the_current_weather_is_shown_without_hours(answer: dict[str, Any]) -> None:
    weather = parse_weather(PARIS, answer)
    assert (weather.temperature, weather.hours, len(weather.days)) == (8.3, (), 6)
