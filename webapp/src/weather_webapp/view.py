"""The weather in the reader's words and units: renderers only place it.

Charts are numbers for SVG, on a grid of 100 by 100 with y downwards.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from weather_webapp.i18n import Translations
from weather_webapp.regions import country_name
from weather_webapp.service import WeatherResult
from weather_webapp.units import Formatter
from weather_webapp.weather import Condition, Day, Weather

PROVIDERS = {
    "openweathermap": ("OpenWeather", "https://openweathermap.org/"),
    "open-meteo": ("Open-Meteo", "https://open-meteo.com/"),
}
HOUR_COLUMNS = 8
MINUTE = timedelta(minutes=1)
# A smaller chance of precipitation is not worth mentioning.
MIN_CHANCE = 0.1
MIN_BAR_WIDTH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A span of the grid's width."""

    x: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HourView:
    """One column of the next 24 hours."""

    time: str
    temperature: str
    icon: str
    condition: str
    chance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayView:
    """One row of the next days."""

    name: str
    date: str
    date_text: str
    low: str
    high: str
    icon: str
    condition: str
    chance: str
    bar: Bar


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherView:
    """The weather as a person reads it."""

    city: str
    country: str
    temperature: str
    unit: str
    condition: str
    icon: str
    sky: str
    summary: str
    observed_at: datetime
    observed: str
    local_time: str
    source: str
    provider: str
    provider_url: str
    age: str
    warning: str
    failure: str
    facts: tuple[tuple[str, str], ...]
    hours: tuple[HourView, ...]
    sparkline: str
    days: tuple[DayView, ...]


def weather_view(
    result: WeatherResult, translations: Translations, formatter: Formatter, now: datetime
) -> WeatherView:
    """Return the view of this result, at `now` (UTC)."""
    weather = result.weather
    condition = translations.text(f"condition.{weather.condition}")
    temperatures = [hour.temperature for hour in weather.hours]
    provider, url = PROVIDERS.get(result.provider, ("", ""))
    return WeatherView(
        city=weather.place.name,
        country=country_name(weather.place.country, translations.language),
        temperature=formatter.temperature(weather.temperature),
        unit=formatter.temperature_unit,
        condition=condition,
        icon=icon_name(weather.condition, weather.daylight),
        sky=_sky(weather),
        summary=_summary(weather, condition, translations, formatter),
        observed_at=weather.observed_at,
        observed=f"{weather.observed_at:%H:%M} UTC",
        local_time=translations.text(
            "page.local-time", time=formatter.day_and_time(weather.local(now))
        ),
        source=weather.source,
        provider=provider,
        provider_url=url,
        age=age(now - result.fetched_at, translations, formatter),
        warning=_warning(result, translations),
        failure=_failure(result, translations),
        facts=tuple(_facts(weather, translations, formatter)),
        hours=tuple(hour_views(weather, translations, formatter)),
        sparkline=sparkline(temperatures, HOUR_COLUMNS)
        if len(temperatures) >= HOUR_COLUMNS
        else "",
        days=tuple(day_views(weather, translations, formatter, now)),
    )


def _sky(weather: Weather) -> str:
    name = icon_name(weather.condition, True).removesuffix("-day")
    return f"{name} {'day' if weather.daylight else 'night'}"


def icon_name(condition: Condition, daylight: bool) -> str:
    """Return the name of the icon's symbol; only an open sky looks different by night."""
    if condition in (Condition.SMOKE, Condition.DUST, Condition.ASH):
        return Condition.FOG.value
    if condition in (Condition.CLEAR, Condition.PARTLY_CLOUDY):
        return f"{condition}-{'day' if daylight else 'night'}"
    return condition.value


def hour_views(
    weather: Weather, translations: Translations, formatter: Formatter
) -> Iterator[HourView]:
    """Yield as many of the hours as there are columns, evenly spread."""
    step = max(1, len(weather.hours) // HOUR_COLUMNS)
    for hour in weather.hours[::step][:HOUR_COLUMNS]:
        yield HourView(
            time=f"{weather.local(hour.at):%H:%M}",
            temperature=formatter.temperature(hour.temperature),
            icon=icon_name(hour.condition, hour.daylight),
            condition=translations.text(f"condition.{hour.condition}"),
            chance=_chance(hour.precipitation_chance, formatter),
        )


def day_views(
    weather: Weather, translations: Translations, formatter: Formatter, now: datetime
) -> Iterator[DayView]:
    """Yield the days by their names; that of `now` (UTC) there is today."""
    today = weather.local(now).date()
    for day, bar in zip(weather.days, bars(weather.days), strict=True):
        yield DayView(
            name=translations.text("day.today") if day.on == today else formatter.weekday(day.on),
            date=day.on.isoformat(),
            date_text=formatter.day(day.on),
            low=formatter.temperature(day.low),
            high=formatter.temperature(day.high),
            icon=icon_name(day.condition, True),
            condition=translations.text(f"condition.{day.condition}"),
            chance=_chance(day.precipitation_chance, formatter),
            bar=bar,
        )


def age(since: timedelta, translations: Translations, formatter: Formatter) -> str:
    """Return how long ago this is."""
    return translations.text("age.now") if since < MINUTE else formatter.ago(since)


def sparkline(values: Sequence[float], columns: int) -> str:
    """Return SVG points, left to right, that use the whole height.

    The grid's width has so many columns; the first value is in the middle of the first, and the
    values go on evenly. What would be beyond the last column is left out.
    """
    low, high = min(values), max(values)
    span = high - low or 1
    steps = (100 / len(values) * index + 50 / columns for index in range(len(values)))
    return " ".join(
        f"{x:.1f},{100 - (value - low) / span * 100:.0f}"
        for x, value in zip(steps, values, strict=True)
        if x <= 100
    )


def bars(days: Sequence[Day]) -> list[Bar]:
    """Return each day's low to high, on the scale of all of them."""
    low = min((day.low for day in days), default=0)
    span = max((day.high for day in days), default=0) - low or 1
    return [_bar((day.low - low) / span * 100, (day.high - day.low) / span * 100) for day in days]


def _bar(x: float, width: float) -> Bar:
    """Return a bar that is visible even where low and high are the same."""
    width = max(width, MIN_BAR_WIDTH)
    return Bar(x=round(min(x, 100 - width), 1), width=round(width, 1))


def _chance(chance: float | None, formatter: Formatter) -> str:
    return formatter.percentage(chance) if chance is not None and chance >= MIN_CHANCE else ""


def _warning(result: WeatherResult, translations: Translations) -> str:
    """Say what a reader must know before believing this."""
    if result.weather.source == "sample":
        return translations.text("warning.sample")
    if result.weather.source == "snapshot" or (result.cache == "stale" and result.failure):
        return translations.text("warning.old")
    return ""


def _failure(result: WeatherResult, translations: Translations) -> str:
    if result.failure is None:
        return ""
    unnamed = (translations.text("failure.provider"), "")
    provider, _ = PROVIDERS.get(result.failed_provider or "", unnamed)
    return translations.text(f"failure.{result.failure}", provider=provider)


def _summary(
    weather: Weather, condition: str, translations: Translations, formatter: Formatter
) -> str:
    if weather.feels_like is None:
        return translations.text("page.summary-plain", condition=condition)
    felt = formatter.temperature(weather.feels_like)
    return translations.text("page.summary", condition=condition, temperature=felt)


def _facts(
    weather: Weather, translations: Translations, formatter: Formatter
) -> Iterator[tuple[str, str]]:
    if weather.wind_speed is not None:
        wind = formatter.speed(weather.wind_speed)
        if weather.wind_direction is not None:
            names = translations.names("compass")
            wind = f"{wind} {names[round(weather.wind_direction / 45) % len(names)]}"
        yield translations.text("fact.wind"), wind
    for name, value, text_of in (
        ("wind-gust", weather.wind_gust, formatter.speed),
        ("humidity", weather.humidity, formatter.percentage),
        ("precipitation", weather.precipitation, formatter.rate),
        ("pressure", weather.pressure, formatter.pressure),
        ("visibility", weather.visibility, formatter.distance),
        ("cloud-cover", weather.cloud_cover, formatter.percentage),
    ):
        if value is not None:
            yield translations.text(f"fact.{name}"), text_of(value)
    if weather.sunrise and weather.sunset:
        rise, fall = weather.local(weather.sunrise), weather.local(weather.sunset)
        yield translations.text("fact.sun"), f"{rise:%H:%M} \N{EN DASH} {fall:%H:%M}"
