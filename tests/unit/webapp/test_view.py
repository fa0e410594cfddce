from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st
from support.browsing import NOW
from support.places import bundled
from weather_webapp.i18n import Translations, locale_of
from weather_webapp.providers.sample import sample_weather
from weather_webapp.service import WeatherResult
from weather_webapp.units import Formatter
from weather_webapp.view import WeatherView, weather_view
from weather_webapp.weather import HOUR, Condition, Hour


def view(**weather: object) -> WeatherView:
    sample = replace(sample_weather(bundled("London"), NOW), **weather)  # type: ignore[arg-type] # by name
    result = WeatherResult(weather=sample, fetched_at=NOW, provider="sample", cache="miss")
    return weather_view(result, Translations("en"), Formatter("metric", locale_of("en")), NOW)


def test_an_unknown_feeling_is_left_out() -> None:
    assert view(condition=Condition.RAIN, feels_like=None).summary == "Rain."
    assert view(condition=Condition.RAIN, feels_like=3).summary == "Rain, feels like 3\u00b0."


def test_smoke_dust_and_ash_are_named() -> None:
    names = [
        view(condition=each).condition for each in (Condition.SMOKE, Condition.DUST, Condition.ASH)
    ]
    assert names == ["Smoke", "Dust", "Volcanic ash"]


def test_days_have_dates_and_countries_their_names() -> None:
    assert [day.date_text for day in view().days[:2]] == ["23 Nov", "24 Nov"]
    assert view().country == "United Kingdom"


@given(
    zone=st.sampled_from(["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo"]),
    start=st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),
)
@example(zone="Europe/Paris", start=datetime(2025, 10, 25, 21, tzinfo=UTC))
@example(zone="Europe/Paris", start=datetime(2026, 3, 28, 21, tzinfo=UTC))
def test_each_time_has_its_own_offset_where_clocks_change(zone: str, start: datetime) -> None:
    there = ZoneInfo(zone)
    offset = there.utcoffset(start.astimezone(there))
    hours = tuple(
        Hour(at=start + HOUR * n, temperature=1, condition=Condition.RAIN, daylight=True)
        for n in range(24)
    )
    shown = view(zone=there, utc_offset=offset, hours=hours, sunrise=start, sunset=hours[-1].at)
    expected = [f"{hour.at.astimezone(there):%H:%M}" for hour in hours[::3]]
    assert [hour.time for hour in shown.hours] == expected
    rise, fall = (f"{at.astimezone(there):%H:%M}" for at in (start, hours[-1].at))
    assert dict(shown.facts)["Sunrise \u2013 sunset"] == f"{rise} \u2013 {fall}"


def test_without_a_zone_the_offset_is_the_one_of_the_observation() -> None:
    hour = Hour(at=NOW, temperature=1, condition=Condition.RAIN, daylight=True)
    assert view(utc_offset=timedelta(hours=9), hours=(hour,)).hours[0].time == "19:44"
