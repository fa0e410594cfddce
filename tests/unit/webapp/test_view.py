from dataclasses import replace

from support.browsing import NOW
from weather_webapp.geocoding import bundled_places
from weather_webapp.i18n import Translations, locale_of
from weather_webapp.providers.sample import sample_weather
from weather_webapp.service import WeatherResult
from weather_webapp.units import Formatter
from weather_webapp.view import WeatherView, weather_view
from weather_webapp.weather import Condition


def view(**weather: object) -> WeatherView:
    sample = replace(sample_weather(bundled_places()["london"], NOW), **weather)  # type: ignore[arg-type] # by name
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
