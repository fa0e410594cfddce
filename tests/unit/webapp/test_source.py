import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.providers import UNKNOWN, Clock, Scripted, Watching
from weather_webapp.breaker import PAUSES
from weather_webapp.places import bundled
from weather_webapp.providers import Failure
from weather_webapp.providers.sample import sample_weather
from weather_webapp.snapshots import FRESH_FOR, PLACES
from weather_webapp.source import CityUnknownError, Source

MakeSource = Callable[..., Source]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(clock: Clock) -> Scripted:
    return Scripted(clock)


@pytest.fixture
async def make_source(clock: Clock) -> AsyncIterator[MakeSource]:
    made: list[Source] = []

    def make(*providers: Scripted, **options: object) -> Source:
        options = {"patience": timedelta(minutes=1), "random": Random(1)} | options
        made.append(Source(providers, clock, **options))  # type: ignore[arg-type] # by name
        return made[-1]

    yield make
    for source in made:
        await source.close()


def objects() -> int:
    gc.collect()
    return len(gc.get_objects())


async def settled() -> None:
    """Let the calls that were started run to their end; none of them waits for anything real."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_many_who_ask_at_once_share_one_call(
    make_source: MakeSource, provider: Scripted
) -> None:
    source = make_source(provider)
    provider.gate.clear()
    asking = [asyncio.create_task(source.report("London", "en")) for _ in range(1000)]
    await settled()
    provider.gate.set()
    reports = await asyncio.gather(*asking)
    assert provider.asked == {"weather": 1}
    assert {report.weather.source for report in reports} == {"openweathermap"}
    assert {report.cache for report in reports} == {"miss"}


async def test_a_searched_city_costs_two_calls_however_many_ask_and_however_they_write_it(
    make_source: MakeSource, provider: Scripted
) -> None:
    source = make_source(provider)
    provider.gate.clear()
    names = ["Some where, XX", "SOME WHERE,xx", "  some   where ,xx, ", "Some\u00a0where, XX"]
    asking = [asyncio.create_task(source.report(name, "en")) for name in names * 250]
    await settled()
    provider.gate.set()
    reports = await asyncio.gather(*asking)
    assert provider.asked == {"find": 1, "weather": 1}
    assert {report.weather.place.latitude for report in reports} == {45.0}


async def test_another_language_costs_no_weather(
    make_source: MakeSource, provider: Scripted
) -> None:
    source = make_source(provider)
    names = [(await source.report("Here", lang)).weather.place.name for lang in ("en", "de", "de")]
    assert names == ["Here (en)", "Here (de)", "Here (de)"]
    assert provider.asked == {"find": 2, "weather": 1}


async def test_a_bundled_city_is_never_looked_up(
    make_source: MakeSource, provider: Scripted
) -> None:
    report = await make_source(provider).report("münchen,de", "en")
    assert (report.weather.place.name, report.weather.place.country) == ("München", "DE")
    assert provider.asked == {"weather": 1}


async def test_weather_is_kept_then_served_while_newer_is_fetched(
    make_source: MakeSource, provider: Scripted, clock: Clock
) -> None:
    source = make_source(provider)
    first = await source.report("London", "en")
    clock.pass_by(seconds=FRESH_FOR.total_seconds() * 0.89)
    kept = await source.report("LONDON", "en")
    assert (kept.cache, kept.fetched_at) == ("hit", first.fetched_at)
    clock.pass_by(seconds=FRESH_FOR.total_seconds() * 0.22)
    stale = await source.report("London", "en")
    assert (stale.cache, stale.fetched_at) == ("stale", first.fetched_at)
    assert (stale.weather.source, stale.failure) == ("openweathermap", None)
    await settled()
    renewed = await source.report("London", "en")
    assert (renewed.cache, renewed.fetched_at) == ("hit", clock.now)
    assert provider.asked["weather"] == 2


async def test_who_comes_back_after_hours_waits_for_what_is_new(
    make_source: MakeSource, provider: Scripted, clock: Clock
) -> None:
    source = make_source(provider)
    await source.report("London", "en")
    clock.pass_by(hours=3)
    report = await source.report("London", "en")
    assert (report.cache, report.fetched_at) == ("miss", clock.now)


async def test_an_hour_without_upstream_is_no_error_for_a_city_that_was_known(
    make_source: MakeSource, provider: Scripted, clock: Clock
) -> None:
    source = make_source(provider)
    for city in ("London", "Somewhere 3"):
        await source.report(city, "en")
    fetched_at, asked = clock.now, provider.asked.total()
    provider.fail(Failure.UNAVAILABLE)
    clock.pass_by(minutes=12)
    seen: set[str] = set()
    for second in range(0, 3600, 20):
        for city in ("London", "Somewhere 3"):
            report = await source.report(city, "en")
            seen.add(report.weather.source)
            assert (report.cache, report.fetched_at) == ("stale", fetched_at), second
            assert report.provider == "openweathermap"
        await settled()
        clock.pass_by(seconds=20)
    assert seen == {"openweathermap", "snapshot"}
    assert (report.weather.source, report.failure) == ("snapshot", Failure.UNAVAILABLE)
    assert source.data_age() == clock.now - fetched_at
    # Five failures open the breaker, then one call in five minutes or so tries again.
    assert 5 < provider.asked.total() - asked < 25
    provider.fail(None)
    clock.pass_by(minutes=10)
    await source.report("London", "en")
    await settled()
    assert (await source.report("London", "en")).weather.source == "openweathermap"
    assert source.data_age() == timedelta(0)


async def test_yesterdays_weather_is_not_shown_as_todays(
    make_source: MakeSource, provider: Scripted, clock: Clock
) -> None:
    source = make_source(provider)
    await source.report("London", "en")
    provider.fail(Failure.UNAVAILABLE)
    clock.pass_by(hours=23)
    last_good = await source.report("London", "en")
    assert last_good.weather.source == "snapshot"
    assert all(hour.at > clock.now - timedelta(hours=1) for hour in last_good.weather.hours)
    assert last_good.weather.days[0].on == clock.now.date()
    clock.pass_by(hours=1)
    report = await source.report("London", "en")
    assert (report.weather.source, report.failure) == ("sample", Failure.UNAVAILABLE)
    assert source.data_age() is None


@pytest.mark.parametrize(
    "failure",
    [f for f in Failure if f not in (Failure.NO_KEY, Failure.CITY_UNKNOWN)],
)
async def test_after_a_failure_it_is_left_alone_for_a_while(
    make_source: MakeSource, provider: Scripted, clock: Clock, failure: Failure
) -> None:
    source = make_source(provider)
    provider.fail(failure)
    report = await source.report("London", "en")
    assert (report.weather.source, report.failure) == ("sample", failure)
    assert report.failed == "openweathermap"
    provider.fail(None)
    clock.pass_by(seconds=PAUSES[failure][0].total_seconds() - 1)
    assert (await source.report("London", "en")).weather.source == "sample"
    assert provider.asked["weather"] == 1
    clock.pass_by(seconds=PAUSES[failure][0].total_seconds() / 2 + 1)
    await source.report("London", "en")
    await settled()
    assert (await source.report("London", "en")).weather.source == "openweathermap"
    assert provider.asked["weather"] == 2


async def test_nobody_waits_long_and_the_call_is_not_lost(
    make_source: MakeSource, provider: Scripted
) -> None:
    source = make_source(provider, patience=timedelta(milliseconds=1))
    provider.gate.clear()
    for city in ("London", "Somewhere"):
        impatient = await source.report(city, "en")
        assert (impatient.weather.source, impatient.failure) == ("sample", Failure.UNAVAILABLE)
    provider.gate.set()
    await settled()
    assert (await source.report("London", "en")).weather.source == "openweathermap"
    assert provider.asked["weather"] == 1


async def test_a_new_key_is_tried_at_once(
    make_source: MakeSource, provider: Scripted, clock: Clock
) -> None:
    source = make_source(provider)
    provider.fail(Failure.KEY_REFUSED)
    assert (await source.report("London", "en")).failure is Failure.KEY_REFUSED
    assert (await source.report("Somewhere", "en")).failure is Failure.KEY_REFUSED
    assert provider.asked == {"weather": 1}
    provider.fail(None)
    provider.key = 2
    assert (await source.report("London", "en")).weather.source == "openweathermap"
    assert (await source.report("Somewhere", "en")).weather.source == "openweathermap"


async def test_the_next_provider_answers_and_it_is_said_why(
    make_source: MakeSource, provider: Scripted, clock: Clock
) -> None:
    source = make_source(provider, Scripted(clock, "open-meteo"))
    provider.fail(Failure.KEY_REFUSED)
    report = await source.report("London", "en")
    assert (report.weather.source, report.provider, report.cache) == (
        "open-meteo",
        "open-meteo",
        "miss",
    )
    assert (report.failure, report.failed) == (Failure.KEY_REFUSED, "openweathermap")
    assert source.open_breakers() == {"openweathermap": True, "open-meteo": False}


async def test_no_key_is_no_failure_while_another_answers(
    make_source: MakeSource, provider: Scripted, clock: Clock
) -> None:
    other = Scripted(clock, "open-meteo")
    source = make_source(provider, other)
    provider.key = None
    report = await source.report("London", "en")
    assert (report.weather.source, report.failure) == ("open-meteo", None)
    clock.pass_by(minutes=20)
    other.fail(Failure.UNAVAILABLE)
    await source.report("London", "en")
    await settled()
    report = await source.report("London", "en")
    assert (report.failure, report.failed) == (Failure.UNAVAILABLE, "open-meteo")
    assert provider.asked == {}


async def test_without_a_key_and_another_provider_that_is_the_reason(
    make_source: MakeSource, provider: Scripted
) -> None:
    provider.key = None
    report = await make_source(provider).report("London", "en")
    assert (report.weather.source, report.failure) == ("sample", Failure.NO_KEY)


async def test_an_unknown_city_is_asked_for_once_an_hour_and_others_are_suggested(
    make_source: MakeSource, provider: Scripted, clock: Clock
) -> None:
    source = make_source(provider)
    for _ in range(3):
        with pytest.raises(CityUnknownError) as raised:
            await source.report(UNKNOWN, "en")
        assert raised.value.suggestions[:2] == ("Atlanta, US", "Atlanta")
    assert provider.asked == {"find": 1}
    clock.pass_by(hours=1.5)
    with pytest.raises(CityUnknownError):
        await source.report(UNKNOWN, "en")
    assert provider.asked == {"find": 2}


async def test_a_city_that_only_another_provider_knows_is_found(
    make_source: MakeSource, provider: Scripted, clock: Clock
) -> None:
    provider.fail(Failure.CITY_UNKNOWN)
    report = await make_source(provider, Scripted(clock, "open-meteo")).report("Tiny", "en")
    assert report.weather.place.name == "Tiny (en)"


async def test_the_home_city_is_never_an_error(make_source: MakeSource, provider: Scripted) -> None:
    source = make_source(provider, home=UNKNOWN)
    report = await source.report(UNKNOWN, "en")
    assert (report.weather.source, report.failure) == ("sample", Failure.CITY_UNKNOWN)
    assert report.weather.place.name == UNKNOWN


@pytest.mark.parametrize("slow", [False, True])
async def test_a_known_city_stays_known_when_its_name_in_another_language_cannot_be_had(
    make_source: MakeSource, provider: Scripted, slow: bool
) -> None:
    source = make_source(provider, patience=timedelta(seconds=1))
    await source.report("Somewhere", "en")
    if slow:
        provider.gate.clear()
    else:
        provider.fail(Failure.UNAVAILABLE)
    report = await source.report("Somewhere", "de")
    assert (report.weather.source, report.weather.place.name) == (
        "openweathermap",
        "Somewhere (en)",
    )


async def test_samples_are_for_places_that_exist(make_source: MakeSource) -> None:
    source = make_source(home="Nowhere at all")
    assert (await source.report("nowhere at all", "en")).failure is None
    report = await source.report("tokyo", "en")
    assert (report.weather.source, report.failure) == ("sample", None)
    assert report.weather.utc_offset == timedelta(hours=9)
    with pytest.raises(CityUnknownError) as raised:
        await source.report("Lodnon", "en")
    assert raised.value.suggestions[0] == "London"


@pytest.mark.parametrize(
    "city", ["", "  ", " , ,", "x" * 81, "a\x00b", "a\x1bb", "\u202eevil", "x" * 10_000]
)
async def test_what_is_no_name_is_asked_of_nobody(
    make_source: MakeSource, provider: Scripted, city: str
) -> None:
    with pytest.raises(CityUnknownError) as raised:
        await make_source(provider).report(city, "en")
    assert len(raised.value.city) <= 80
    assert provider.asked == {}


@given(city=st.text(max_size=100))
async def test_any_text_is_weather_or_an_unknown_city(city: str) -> None:
    source = Source([], Clock(), random=Random(1))
    try:
        report = await source.report(city, "en")
    except CityUnknownError:
        return
    assert report.weather.place in bundled().values() or city.strip().casefold() == "london"


async def test_thousands_of_cities_cost_a_minutes_budget_and_bounded_memory(
    make_source: MakeSource, provider: Scripted, clock: Clock
) -> None:
    source = make_source(provider, budget_per_minute=30)
    london = await source.report("London", "en")
    for number in range(2_500):
        await source.report(f"city {number / 1000}", "en")
        if number == 1_200:
            after_some = objects()
    assert objects() < after_some * 1.05
    assert provider.asked["find"] + 2 * provider.asked["weather"] <= 30
    assert source.budget_left() < 2
    clock.pass_by(minutes=1)
    assert (await source.report("London", "en")).fetched_at == london.fetched_at


async def test_known_cities_are_bounded_too_and_the_home_city_stays(
    make_source: MakeSource, provider: Scripted, clock: Clock
) -> None:
    source = make_source(provider, budget_per_minute=6000)
    home = await source.report("London", "en")
    for number in range(PLACES):
        await source.report(f"city {number / 10}", "en")
    provider.fail(Failure.UNAVAILABLE)
    clock.pass_by(minutes=1)
    assert (await source.report("London", "en")).fetched_at == home.fetched_at
    assert (await source.report("city 0.0", "en")).weather.source == "sample"
    assert (await source.report("city 49.9", "en")).weather.source == "openweathermap"


async def test_calls_do_not_come_at_once(make_source: MakeSource, provider: Scripted) -> None:
    source = make_source(provider, budget_per_minute=6000)
    provider.gate.clear()
    asking = [asyncio.create_task(source.report(f"city {n / 10}", "en")) for n in range(50)]
    await settled()
    provider.gate.set()
    await asyncio.gather(*asking)
    assert provider.asked == {"find": 50, "weather": 50}
    assert provider.most_under_way == provider.at_once


async def test_renewals_are_spread(
    make_source: MakeSource, provider: Scripted, clock: Clock
) -> None:
    source = make_source(provider, budget_per_minute=6000)
    cities = [f"city {n}" for n in range(40)]
    for city in cities:
        await source.report(city, "en")
    due: list[int] = []
    clock.pass_by(minutes=9)
    for _ in range(14):
        caches = [(await source.report(city, "en")).cache for city in cities]
        due.append(caches.count("stale"))
        await settled()
        clock.pass_by(seconds=10)
    assert due[0] == 0
    assert sum(due) == len(cities)
    assert max(due) < len(cities) / 2


async def test_what_happens_is_observed(
    make_source: MakeSource, provider: Scripted, clock: Clock
) -> None:
    watching = Watching()
    source = make_source(provider, observe=watching)
    await source.report("London", "en")
    await source.report("London", "en")
    clock.pass_by(minutes=12)
    await source.report("London", "en")
    with pytest.raises(CityUnknownError):
        await source.report(UNKNOWN, "en")
    assert watching.answers == {"miss": 1, "hit": 1, "stale": 1, "negative": 1}


async def test_trouble_is_said_once_and_its_end_too(
    make_source: MakeSource,
    provider: Scripted,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    source = make_source(provider)
    provider.fail(Failure.KEY_REFUSED)
    for _ in range(3):
        await source.report("London", "en")
        clock.pass_by(hours=1)
    provider.fail(None)
    await source.report("London", "en")
    assert [record.message for record in caplog.records] == [
        "provider failed",
        "provider answers again",
    ]


def test_a_sample_is_the_same_for_all_who_ask_within_the_hour() -> None:
    hour = datetime(2025, 11, 23, 10, tzinfo=UTC)
    london, paris = bundled()["london"], bundled()["paris"]
    one = sample_weather(london, hour)
    assert sample_weather(london, hour + timedelta(minutes=59)) == one
    assert sample_weather(paris, hour).hours != one.hours


def test_a_sample_has_no_sudden_change() -> None:
    start = datetime(2025, 11, 23, 10, tzinfo=UTC)
    samples = [sample_weather(bundled()["london"], start + timedelta(days=n)) for n in range(7)]
    temperatures = [hour.temperature for sample in samples for hour in sample.hours]
    assert max(abs(one - next_) for one, next_ in pairwise(temperatures)) < 1.5
