"""The weather for programs: one JSON document, units in the names, SI whatever a person prefers.

`schemas/weather.json` describes it; a name that is there stays, with the same meaning.
"""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from weather_webapp.identity import Identity
from weather_webapp.source import Report
from weather_webapp.weather import Weather


def weather_document(report: Report, who: Identity, now: datetime) -> dict[str, Any]:
    """Return the document of this report, served by `who` at `now` (UTC). Unknown is null."""
    weather = report.weather
    return {
        "place": {
            "name": weather.place.name,
            "country": weather.place.country,
            "latitude_degrees": weather.place.latitude,
            "longitude_degrees": weather.place.longitude,
            "utc_offset_seconds": int(weather.utc_offset.total_seconds()),
        },
        "data": {
            "source": weather.source,
            "provider": report.provider,
            "cache": report.cache,
            "failure": report.failure,
            "observed_at": instant(weather.observed_at),
            "fetched_at": instant(report.fetched_at),
            "age_seconds": age_seconds(report, now),
        },
        "current": _current(weather),
        "hours": [
            {
                "at": instant(hour.at),
                "condition": hour.condition,
                "daylight": hour.daylight,
                "temperature_celsius": _rounded(hour.temperature),
                "precipitation_chance_percent": _percent(hour.precipitation_chance),
            }
            for hour in weather.hours
        ],
        "days": [
            {
                "date": day.on.isoformat(),
                "condition": day.condition,
                "low_celsius": _rounded(day.low),
                "high_celsius": _rounded(day.high),
                "precipitation_chance_percent": _percent(day.precipitation_chance),
            }
            for day in weather.days
        ],
        "served_by": {**asdict(who), "at": instant(now)},
    }


def instant(moment: datetime | None) -> str | None:
    """Return an instant (UTC) to the second, as RFC 3339 writes it."""
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def age_seconds(report: Report, now: datetime) -> int:
    """Return how long ago this was fetched."""
    return max(0, int((now - report.fetched_at).total_seconds()))


def _current(weather: Weather) -> dict[str, Any]:
    return {
        "condition": weather.condition,
        "daylight": weather.daylight,
        "temperature_celsius": _rounded(weather.temperature),
        "feels_like_celsius": _rounded(weather.feels_like),
        "humidity_percent": _percent(weather.humidity),
        "pressure_pascals": _rounded(weather.pressure),
        "visibility_metres": _rounded(weather.visibility),
        "cloud_cover_percent": _percent(weather.cloud_cover),
        "precipitation_millimetres_per_hour": _rounded(weather.precipitation),
        "wind_speed_metres_per_second": _rounded(weather.wind_speed),
        "wind_gust_metres_per_second": _rounded(weather.wind_gust),
        "wind_direction_degrees": _rounded(weather.wind_direction),
        "sunrise_at": instant(weather.sunrise),
        "sunset_at": instant(weather.sunset),
    }


def _percent(share: float | None) -> int | None:
    return None if share is None else round(share * 100)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
