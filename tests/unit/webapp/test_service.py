import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.places import bundled
from support.providers import UNKNOWN, Clock, FakeProvider, RecordingMetrics
from weather_webapp.bundled_places import find_bundled
from weather_webapp.cache import FRESH_FOR, MAX_PLACES
from weather_webapp.errors import CityLookupError, CityUnknownError, Failure
from weather_webapp.providers.sample import sample_weather
from weather_webapp.resilience import BACKOFF, FAILURES_TO_OPEN, FIRST_RETRY
from weather_webapp.service import WeatherService
from weather_webapp.weather import Place

MakeService = Callable[..., WeatherService]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(clock: Clock) -> FakeProvider:
    return FakeProvider(clock)


@pytest.fixture
async def make_service(clock: Clock) -> AsyncIterator[MakeService]:
    made: list[WeatherService] = []

    def make(*providers: FakeProvider, **options: object) -> WeatherService:
        options = {"timeout": timedelta(minutes=1), "random": Random(1)} | options
        made.append(WeatherService(providers, clock, **options))  # type: ignore[arg-type] # by name
        return made[-1]

    yield make
    for service in made:
        await service.close()


def objects() -> int:
    gc.collect()
    return len(gc.get_objects())


async def settled() -> None:
    """Let the calls that were started run to their end; none of them waits for anything real."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_many_who_ask_at_once_share_one_call(
    make_service: MakeService, provider: FakeProvider
) -> None:
    service = make_service(provider)
    provider.gate.clear()
    asking = [asyncio.create_task(service.get("London", "en")) for _ in range(1000)]
    await settled()
    provider.gate.set()
    results = await asyncio.gather(*asking)
    assert provider.calls == {"weather": 1}
    assert {result.weather.source for result in results} == {"openweathermap"}
    assert {result.cache for result in results} == {"miss"}


async def test_a_searched_city_costs_two_calls_however_many_ask_and_however_they_write_it(
    make_service: MakeService, provider: FakeProvider
) -> None:
    service = make_service(provider)
    provider.gate.clear()
    names = ["Some where, XX", "SOME WHERE,xx", "  some   where ,xx, ", "Some\u00a0where, XX"]
    asking = [asyncio.create_task(service.get(name, "en")) for name in names * 250]
    await settled()
    provider.gate.set()
    results = await asyncio.gather(*asking)
    assert provider.calls == {"find": 1, "weather": 1}
    assert {result.weather.place.latitude for result in results} == {45.0}


async def test_another_language_costs_no_weather(
    make_service: MakeService, provider: FakeProvider
) -> None:
    service = make_service(provider)
    names = [(await service.get("Here", lang)).weather.place.name for lang in ("en", "de", "de")]
    assert names == ["Here (en)", "Here (de)", "Here (de)"]
    assert provider.calls == {"find": 2, "weather": 1}


async def test_a_bundled_city_is_never_looked_up(
    make_service: MakeService, provider: FakeProvider
) -> None:
    result = await make_service(provider).get("münchen,de", "en")
    assert (result.weather.place.name, result.weather.place.country) == ("München", "DE")
    assert provider.calls == {"weather": 1}


TOKYO = Place(name="東京都", country="JP", latitude=35.6895, longitude=139.6917)


async def test_a_bundled_city_has_the_name_that_the_provider_gives_it_in_that_language(
    make_service: MakeService, provider: FakeProvider
) -> None:
    service = make_service(provider)
    provider.places["Tokyo", "ja"] = TOKYO
    names = [(await service.get("Tokyo", lang)).weather.place.name for lang in ("en", "ja", "ja")]
    assert names == ["Tokyo", "東京都", "東京都"]
    assert provider.calls == {"find": 1, "weather": 1}


async def test_a_name_from_elsewhere_or_none_at_all_leaves_the_bundled_one(
    make_service: MakeService, provider: FakeProvider
) -> None:
    service = make_service(provider)
    provider.places["Paris", "ja"] = replace(TOKYO, name="パリ")
    assert (await service.get("Paris", "ja")).weather.place.name == "Paris"
    provider.fail(Failure.UNAVAILABLE, "find")
    result = await service.get("Tokyo", "ja")
    assert (result.weather.place.name, result.weather.source) == ("Tokyo", "openweathermap")


async def test_nobody_waits_long_for_a_mere_name_and_the_next_one_has_it(
    make_service: MakeService, clock: Clock
) -> None:
    class SlowGeocoder(FakeProvider):
        found = asyncio.Event()

        async def find(self, city: str, language: str) -> Place:
            await self.found.wait()
            return TOKYO

    provider = SlowGeocoder(clock)
    service = make_service(provider)
    async with asyncio.timeout(2):
        result = await service.get("Tokyo", "ja")
    assert (result.weather.place.name, result.weather.source) == ("Tokyo", "openweathermap")
    provider.found.set()
    await settled()
    assert (await service.get("Tokyo", "ja")).weather.place.name == "東京都"


async def test_weather_is_kept_then_served_while_newer_is_fetched(
    make_service: MakeService, provider: FakeProvider, clock: Clock
) -> None:
    service = make_service(provider)
    first = await service.get("London", "en")
    clock.advance(seconds=FRESH_FOR.total_seconds() * 0.89)
    cached = await service.get("LONDON", "en")
    assert (cached.cache, cached.fetched_at) == ("hit", first.fetched_at)
    clock.advance(seconds=FRESH_FOR.total_seconds() * 0.22)
    stale = await service.get("London", "en")
    assert (stale.cache, stale.fetched_at) == ("stale", first.fetched_at)
    assert (stale.weather.source, stale.failure) == ("openweathermap", None)
    await settled()
    renewed = await service.get("London", "en")
    assert (renewed.cache, renewed.fetched_at) == ("hit", clock.now)
    assert provider.calls["weather"] == 2


async def test_who_comes_back_after_hours_waits_for_what_is_new(
    make_service: MakeService, provider: FakeProvider, clock: Clock
) -> None:
    service = make_service(provider)
    await service.get("London", "en")
    clock.advance(hours=3)
    result = await service.get("London", "en")
    assert (result.cache, result.fetched_at) == ("miss", clock.now)


async def test_a_clock_that_is_set_back_keeps_neither_weather_nor_failures(
    make_service: MakeService, provider: FakeProvider, clock: Clock
) -> None:
    service = make_service(provider)
    await service.get("London", "en")
    with pytest.raises(CityUnknownError):
        await service.get(UNKNOWN, "en")
    clock.advance(hours=-5)
    await service.get("London", "en")
    await settled()
    result = await service.get("London", "en")
    assert (result.cache, result.fetched_at) == ("hit", clock.now)
    with pytest.raises(CityUnknownError):
        await service.get(UNKNOWN, "en")
    assert provider.calls == {"find": 2, "weather": 2}


async def test_an_hour_without_upstream_is_no_error_for_a_city_that_was_known(
    make_service: MakeService, provider: FakeProvider, clock: Clock
) -> None:
    service = make_service(provider)
    for city in ("London", "Somewhere 3"):
        await service.get(city, "en")
    fetched_at, calls = clock.now, provider.calls.total()
    provider.fail(Failure.UNAVAILABLE)
    clock.advance(minutes=12)
    seen: set[str] = set()
    for second in range(0, 3600, 20):
        for city in ("London", "Somewhere 3"):
            result = await service.get(city, "en")
            seen.add(result.weather.source)
            assert (result.cache, result.fetched_at) == ("stale", fetched_at), second
            assert result.provider == "openweathermap"
        await settled()
        clock.advance(seconds=20)
    assert seen == {"openweathermap", "snapshot"}
    assert (result.weather.source, result.failure) == ("snapshot", Failure.UNAVAILABLE)
    assert service.home_data_age() == clock.now - fetched_at
    # Five failures open the breaker, then one call in five minutes or so tries again.
    assert 5 < provider.calls.total() - calls < 25
    provider.fail(None)
    clock.advance(minutes=10)
    await service.get("London", "en")
    await settled()
    assert (await service.get("London", "en")).weather.source == "openweathermap"
    assert service.home_data_age() == timedelta(0)


async def test_yesterdays_weather_is_not_shown_as_todays(
    make_service: MakeService, provider: FakeProvider, clock: Clock
) -> None:
    service = make_service(provider)
    await service.get("London", "en")
    provider.fail(Failure.UNAVAILABLE)
    clock.advance(hours=23)
    last_good = await service.get("London", "en")
    assert last_good.weather.source == "snapshot"
    assert all(hour.at > clock.now - timedelta(hours=1) for hour in last_good.weather.hours)
    assert last_good.weather.days[0].on == clock.now.date()
    clock.advance(hours=1)
    result = await service.get("London", "en")
    assert (result.weather.source, result.failure) == ("sample", Failure.UNAVAILABLE)
    assert service.home_data_age() is None


@pytest.mark.parametrize(
    "failure",
    [f for f in Failure if f not in (Failure.NO_KEY, Failure.CITY_UNKNOWN, Failure.BUDGET_SPENT)],
)
async def test_after_a_failure_it_is_left_alone_for_a_while(
    make_service: MakeService, provider: FakeProvider, clock: Clock, failure: Failure
) -> None:
    service = make_service(provider)
    provider.fail(failure)
    result = await service.get("London", "en")
    assert (result.weather.source, result.failure) == ("sample", failure)
    assert result.failed_provider == "openweathermap"
    provider.fail(None)
    pause = FIRST_RETRY if failure is Failure.UNAVAILABLE else BACKOFF[failure][0]
    clock.advance(seconds=pause.total_seconds() - 1)
    assert (await service.get("London", "en")).weather.source == "sample"
    await settled()
    assert provider.calls["weather"] == 1
    clock.advance(seconds=pause.total_seconds() / 2 + 1)
    await service.get("London", "en")
    await settled()
    assert (await service.get("London", "en")).weather.source == "openweathermap"
    assert provider.calls["weather"] == 2


async def test_of_a_provider_that_half_works_the_home_city_soon_has_its_weather(
    make_service: MakeService, provider: FakeProvider, clock: Clock
) -> None:
    service = make_service(provider)
    for _ in range(2):
        provider.fail(Failure.UNAVAILABLE)
        await service.get("London", "en")
        await settled()
        provider.fail(None)
        clock.advance(seconds=6)
    await service.get("London", "en")
    await settled()
    assert (await service.get("London", "en")).weather.source == "openweathermap"
    assert provider.calls["weather"] == 3


async def test_nobody_waits_long_and_the_call_is_not_lost(
    make_service: MakeService, provider: FakeProvider
) -> None:
    service = make_service(provider, timeout=timedelta(milliseconds=1))
    provider.gate.clear()
    impatient = await service.get("London", "en")
    assert (impatient.weather.source, impatient.failure) == ("sample", Failure.UNAVAILABLE)
    with pytest.raises(CityLookupError):
        await service.get("Somewhere", "en")
    provider.gate.set()
    await settled()
    assert (await service.get("London", "en")).weather.source == "openweathermap"
    assert provider.calls["weather"] == 1


async def test_a_new_key_is_tried_at_once(
    make_service: MakeService, provider: FakeProvider, clock: Clock
) -> None:
    service = make_service(provider)
    provider.fail(Failure.KEY_REFUSED)
    for _ in range(2):
        assert (await service.get("London", "en")).failure is Failure.KEY_REFUSED
        with pytest.raises(CityLookupError):
            await service.get("Somewhere", "en")
    assert provider.calls == {"weather": 1, "find": 1}
    provider.fail(None)
    provider.key = 2
    assert (await service.get("London", "en")).weather.source == "openweathermap"
    assert (await service.get("Somewhere", "en")).weather.source == "openweathermap"


async def test_searches_that_fail_on_the_same_host_do_not_take_the_weather_away(
    make_service: MakeService, provider: FakeProvider
) -> None:
    provider.geocoding_host = provider.weather_host
    service = make_service(provider)
    provider.fail(Failure.UNAVAILABLE, "find")
    for number in range(FAILURES_TO_OPEN):
        with pytest.raises(CityLookupError):
            await service.get(f"Somewhere {number}", "en")
    assert (await service.get("London", "en")).weather.source == "openweathermap"


async def test_the_next_provider_answers_and_it_is_said_why(
    make_service: MakeService, provider: FakeProvider, clock: Clock
) -> None:
    service = make_service(provider, FakeProvider(clock, "open-meteo"))
    provider.fail(Failure.KEY_REFUSED)
    result = await service.get("London", "en")
    assert (result.weather.source, result.provider, result.cache) == (
        "open-meteo",
        "open-meteo",
        "miss",
    )
    assert (result.failure, result.failed_provider) == (Failure.KEY_REFUSED, "openweathermap")
    assert service.open_breakers() == {"openweathermap": True, "open-meteo": False}


async def test_no_key_is_no_failure_while_another_answers(
    make_service: MakeService, provider: FakeProvider, clock: Clock
) -> None:
    other = FakeProvider(clock, "open-meteo")
    service = make_service(provider, other)
    provider.key = None
    result = await service.get("London", "en")
    assert (result.weather.source, result.failure) == ("open-meteo", None)
    clock.advance(minutes=20)
    other.fail(Failure.UNAVAILABLE)
    await service.get("London", "en")
    await settled()
    result = await service.get("London", "en")
    assert (result.failure, result.failed_provider) == (Failure.UNAVAILABLE, "open-meteo")
    assert provider.calls == {}


async def test_without_a_key_and_another_provider_that_is_the_reason(
    make_service: MakeService, provider: FakeProvider
) -> None:
    provider.key = None
    result = await make_service(provider).get("London", "en")
    assert (result.weather.source, result.failure) == ("sample", Failure.NO_KEY)


async def test_an_unknown_city_is_asked_for_once_an_hour_and_others_are_suggested(
    make_service: MakeService, provider: FakeProvider, clock: Clock
) -> None:
    service = make_service(provider)
    for _ in range(3):
        with pytest.raises(CityUnknownError) as raised:
            await service.get(UNKNOWN, "en")
        assert raised.value.suggestions[0] == "Atlanta, US"
        assert "Atlanta" not in raised.value.suggestions
    assert provider.calls == {"find": 1}
    clock.advance(hours=1.5)
    with pytest.raises(CityUnknownError):
        await service.get(UNKNOWN, "en")
    assert provider.calls == {"find": 2}


async def test_a_city_that_only_another_provider_knows_is_found(
    make_service: MakeService, provider: FakeProvider, clock: Clock
) -> None:
    provider.fail(Failure.CITY_UNKNOWN)
    result = await make_service(provider, FakeProvider(clock, "open-meteo")).get("Tiny", "en")
    assert result.weather.place.name == "Tiny (en)"


async def test_the_home_city_is_never_an_error(
    make_service: MakeService, provider: FakeProvider
) -> None:
    service = make_service(provider, home_city=UNKNOWN)
    result = await service.get(UNKNOWN, "en")
    assert (result.weather.source, result.failure) == ("sample", Failure.CITY_UNKNOWN)
    assert result.weather.place.name == UNKNOWN


@pytest.mark.parametrize("slow", [False, True])
async def test_a_known_city_stays_known_when_its_name_in_another_language_cannot_be_had(
    make_service: MakeService, provider: FakeProvider, slow: bool
) -> None:
    service = make_service(provider, timeout=timedelta(seconds=1))
    await service.get("Somewhere", "en")
    if slow:
        provider.gate.clear()
    else:
        provider.fail(Failure.UNAVAILABLE)
    result = await service.get("Somewhere", "de")
    assert (result.weather.source, result.weather.place.name) == (
        "openweathermap",
        "Somewhere (en)",
    )


async def test_samples_are_for_places_that_exist(make_service: MakeService) -> None:
    service = make_service(home_city="Nowhere at all")
    assert (await service.get("nowhere at all", "en")).failure is None
    result = await service.get("tokyo", "en")
    assert (result.weather.source, result.failure) == ("sample", None)
    assert result.weather.utc_offset == timedelta(hours=9)
    with pytest.raises(CityUnknownError) as raised:
        await service.get("Lodnon", "en")
    assert raised.value.suggestions[0] == "London"


@pytest.mark.parametrize(
    "city", ["", "  ", " , ,", "x" * 81, "a\x00b", "a\x1bb", "\u202eevil", "x" * 10_000]
)
async def test_what_is_no_name_is_asked_of_nobody(
    make_service: MakeService, provider: FakeProvider, city: str
) -> None:
    with pytest.raises(CityUnknownError) as raised:
        await make_service(provider).get(city, "en")
    assert len(raised.value.city) <= 80
    assert provider.calls == {}


@given(city=st.text(max_size=100))
async def test_any_text_is_weather_or_an_unknown_city(city: str) -> None:
    service = WeatherService([], Clock(), random=Random(1))
    try:
        result = await service.get(city, "en")
    except CityUnknownError:
        return
    assert result.weather.place == find_bundled(city)


async def test_thousands_of_cities_cost_a_minutes_budget_and_bounded_memory(
    make_service: MakeService, provider: FakeProvider, clock: Clock
) -> None:
    service = make_service(provider, budget_per_minute=30)
    london = await service.get("London", "en")
    for number in range(1_500):
        with suppress(CityLookupError):
            await service.get(f"city {number / 1000}", "en", f"client {number}")
        if number == 1_100:
            after_some = objects()
    assert objects() < after_some * 1.05
    assert provider.calls["find"] + 2 * provider.calls["weather"] <= 30
    assert service.available_calls() < 10
    clock.advance(minutes=1)
    assert (await service.get("London", "en")).fetched_at == london.fetched_at


async def test_known_cities_are_bounded_too_and_the_home_city_stays(
    make_service: MakeService, provider: FakeProvider, clock: Clock
) -> None:
    service = make_service(provider, budget_per_minute=6000)
    home = await service.get("London", "en")
    for number in range(MAX_PLACES):
        await service.get(f"city {number / 10}", "en")
    provider.fail(Failure.UNAVAILABLE)
    clock.advance(minutes=1)
    assert (await service.get("London", "en")).fetched_at == home.fetched_at
    assert (await service.get("city 0.0", "en")).weather.source == "sample"
    assert (await service.get("city 49.9", "en")).weather.source == "openweathermap"


async def test_calls_do_not_come_at_once(make_service: MakeService, provider: FakeProvider) -> None:
    service = make_service(provider, budget_per_minute=6000)
    provider.gate.clear()
    asking = [asyncio.create_task(service.get(f"city {n / 10}", "en")) for n in range(50)]
    await settled()
    provider.gate.set()
    await asyncio.gather(*asking)
    assert provider.calls == {"find": 50, "weather": 50}
    assert provider.most_in_progress == provider.max_concurrency


async def test_renewals_are_spread(
    make_service: MakeService, provider: FakeProvider, clock: Clock
) -> None:
    service = make_service(provider, budget_per_minute=6000)
    cities = [f"city {n}" for n in range(40)]
    for city in cities:
        await service.get(city, "en")
    due: list[int] = []
    clock.advance(minutes=9)
    for _ in range(14):
        caches = [(await service.get(city, "en")).cache for city in cities]
        due.append(caches.count("stale"))
        await settled()
        clock.advance(seconds=10)
    assert due[0] == 0
    assert sum(due) == len(cities)
    assert max(due) < len(cities) / 2


async def test_what_happens_is_observed(
    make_service: MakeService, provider: FakeProvider, clock: Clock
) -> None:
    metrics = RecordingMetrics()
    service = make_service(provider, metrics=metrics)
    await service.get("London", "en")
    await service.get("London", "en")
    clock.advance(minutes=12)
    await service.get("London", "en")
    with pytest.raises(CityUnknownError):
        await service.get(UNKNOWN, "en")
    assert metrics.reads == {"miss": 1, "hit": 1, "stale": 1, "negative": 1}


async def test_trouble_is_said_once_and_its_end_too(
    make_service: MakeService,
    provider: FakeProvider,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    service = make_service(provider)
    provider.fail(Failure.KEY_REFUSED)
    for _ in range(3):
        await service.get("London", "en")
        clock.advance(hours=1)
    provider.fail(None)
    await service.get("London", "en")
    assert [record.message for record in caplog.records] == [
        "provider failed",
        "provider answers again",
    ]


def test_a_sample_is_the_same_for_all_who_ask_within_the_hour() -> None:
    hour = datetime(2025, 11, 23, 10, tzinfo=UTC)
    london, paris = bundled("London"), bundled("Paris")
    one = sample_weather(london, hour)
    assert sample_weather(london, hour + timedelta(minutes=59)) == one
    assert sample_weather(paris, hour).hours != one.hours
    extremes = {day.on: (day.low, day.high) for day in one.days}
    for each in one.hours:
        low, high = extremes[(each.at + one.utc_offset).date()]
        assert low <= each.temperature <= high


def test_a_sample_has_no_sudden_change() -> None:
    start = datetime(2025, 11, 23, 10, tzinfo=UTC)
    samples = [sample_weather(bundled("London"), start + timedelta(days=n)) for n in range(7)]
    temperatures = [hour.temperature for sample in samples for hour in sample.hours]
    assert max(abs(one - next_) for one, next_ in pairwise(temperatures)) < 1.5


async def test_searches_do_not_starve_the_home_city(
    make_service: MakeService, provider: FakeProvider, clock: Clock
) -> None:
    service = make_service(provider)
    for second in range(1800):
        with suppress(CityLookupError):
            await service.get(f"city {second / 100}", "en", "203.0.113.7")
        if second % 20 == 0:
            home = await service.get("London", "en", "198.51.100.1")
            assert home.weather.source == "openweathermap"
            assert clock.now - home.fetched_at < timedelta(minutes=12)
            await settled()
        clock.advance(seconds=1)


async def test_one_client_leaves_searches_to_the_others(
    make_service: MakeService, provider: FakeProvider
) -> None:
    service = make_service(provider)
    for number in range(100):
        with suppress(CityLookupError):
            await service.get(f"city {number}", "en", "203.0.113.7")
    with pytest.raises(CityLookupError):
        await service.get("city 99", "en", "203.0.113.7")
    # What the first client may not fetch any more is fetched for another.
    assert (await service.get("city 99", "en", "198.51.100.1")).failure is None


async def test_geocoding_that_is_down_does_not_stop_the_weather(
    make_service: MakeService, provider: FakeProvider
) -> None:
    service = make_service(provider)
    provider.fail(Failure.QUOTA_EXCEEDED, "find")
    with pytest.raises(CityLookupError):
        await service.get("Somewhere", "en")
    result = await service.get("London", "en")
    assert (result.weather.source, result.failure) == ("openweathermap", None)
    assert service.open_breakers() == {"openweathermap": False}


async def test_weather_that_is_down_does_not_stop_geocoding(
    make_service: MakeService, provider: FakeProvider, clock: Clock
) -> None:
    other = FakeProvider(clock, "open-meteo")
    service = make_service(provider, other)
    provider.fail(Failure.QUOTA_EXCEEDED, "weather")
    await service.get("London", "en")
    assert (await service.get("Somewhere", "en")).provider == "open-meteo"
    assert (provider.calls["find"], other.calls["find"]) == (1, 0)


@pytest.mark.parametrize("failure", [Failure.UNAVAILABLE, Failure.NO_KEY, Failure.KEY_REFUSED])
async def test_there_is_no_weather_for_what_may_be_no_place(
    make_service: MakeService, provider: FakeProvider, clock: Clock, failure: Failure
) -> None:
    service = make_service(provider, home_city="Home town")
    provider.fail(failure, "find")
    if failure is Failure.NO_KEY:
        provider.key = None
    with pytest.raises(CityLookupError) as raised:
        await service.get("Buy my pills", "en")
    assert raised.value.retry_at > clock.now
    assert (await service.get("Home town", "en")).weather.source == "sample"
