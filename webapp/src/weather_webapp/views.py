"""The weather now in the reader's words and units: pages and texts only place it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from weather_webapp.catalogue import Catalogue
from weather_webapp.charts import sparkline
from weather_webapp.forecasts import COLUMNS, DayView, HourView, day_views, hour_views, icon_of
from weather_webapp.source import Report
from weather_webapp.units import Formatter, share
from weather_webapp.weather import Weather

PROVIDERS = {
    "openweathermap": ("OpenWeather", "https://openweathermap.org/"),
    "open-meteo": ("Open-Meteo", "https://open-meteo.com/"),
}


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
    provider_address: str
    age: str
    warning: str
    trouble: str
    facts: tuple[tuple[str, str], ...]
    hours: tuple[HourView, ...]
    sparkline: str
    days: tuple[DayView, ...]


def weather_view(report: Report, words: Catalogue, write: Formatter, now: datetime) -> WeatherView:
    """Return the view of this report, at `now` (UTC)."""
    weather = report.weather
    condition = words.text(f"condition.{weather.condition}")
    felt = weather.temperature if weather.feels_like is None else weather.feels_like
    temperatures = [hour.temperature for hour in weather.hours]
    provider, address = PROVIDERS.get(report.provider, ("", ""))
    return WeatherView(
        city=weather.place.name,
        country=weather.place.country,
        temperature=write.temperature(weather.temperature),
        unit=write.temperature_unit,
        condition=condition,
        icon=icon_of(weather.condition, weather.daylight),
        sky=f"{weather.condition} {'day' if weather.daylight else 'night'}",
        summary=words.text(
            "page.summary", condition=condition, temperature=write.temperature(felt)
        ),
        observed_at=weather.observed_at,
        observed=f"{weather.observed_at:%H:%M} UTC",
        local_time=_local(now + weather.utc_offset, words),
        source=weather.source,
        provider=provider,
        provider_address=address,
        age=age(now - report.fetched_at, words),
        warning=_warning(report, words),
        trouble=_trouble(report, words),
        facts=tuple(_facts(weather, words, write)),
        hours=tuple(hour_views(weather, words, write)),
        sparkline=sparkline(temperatures, COLUMNS) if len(temperatures) >= COLUMNS else "",
        days=tuple(day_views(weather, words, write, now)),
    )


def age(since: timedelta, words: Catalogue) -> str:
    """Return how long ago this is, in whole minutes, hours or days."""
    minutes = int(since.total_seconds() // 60)
    for name, size in (("days", 48 * 60), ("hours", 120), ("minutes", 1)):
        if minutes >= size:
            per = {"days": 24 * 60, "hours": 60, "minutes": 1}[name]
            return words.text(f"age.{name}", number=str(minutes // per))
    return words.text("age.now")


def _warning(report: Report, words: Catalogue) -> str:
    """Say what a reader must know before believing this."""
    if report.weather.source == "sample":
        return words.text("warning.sample")
    if report.weather.source == "snapshot" or (report.cache == "stale" and report.failure):
        return words.text("warning.old")
    return ""


def _trouble(report: Report, words: Catalogue) -> str:
    if report.failure is None:
        return ""
    provider, _ = PROVIDERS.get(report.failed or "", (words.text("failure.provider"), ""))
    return words.text(f"failure.{report.failure}", provider=provider)


def _local(moment: datetime, words: Catalogue) -> str:
    return f"{words.names('day')[moment.weekday()]} {moment:%H:%M}"


def _facts(weather: Weather, words: Catalogue, write: Formatter) -> Iterator[tuple[str, str]]:
    if weather.wind_speed is not None:
        wind = write.speed(weather.wind_speed)
        if weather.wind_direction is not None:
            names = words.names("compass")
            wind = f"{wind} {names[round(weather.wind_direction / 45) % len(names)]}"
        yield words.text("fact.wind"), wind
    for name, value, written in (
        ("wind-gust", weather.wind_gust, write.speed),
        ("humidity", weather.humidity, share),
        ("precipitation", weather.precipitation, write.rate),
        ("pressure", weather.pressure, write.pressure),
        ("visibility", weather.visibility, write.distance),
        ("cloud-cover", weather.cloud_cover, share),
    ):
        if value is not None:
            yield words.text(f"fact.{name}"), written(value)
    if weather.sunrise and weather.sunset:
        rise, fall = weather.sunrise + weather.utc_offset, weather.sunset + weather.utc_offset
        yield words.text("fact.sun"), f"{rise:%H:%M} \N{EN DASH} {fall:%H:%M}"
