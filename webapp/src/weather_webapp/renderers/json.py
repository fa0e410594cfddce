"""The weather for programs: one JSON document in SI units, which the names say.

`schemas/weather.json` describes it; a name in it stays, with the same meaning.
"""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from weather_webapp.build_info import BuildInfo
from weather_webapp.service import WeatherResult
from weather_webapp.units import timestamp
from weather_webapp.weather import Weather


def weather_document(result: WeatherResult, build: BuildInfo, now: datetime) -> dict[str, Any]:
    """Return the document of this result, served by `build` at `now` (UTC). Unknown is null."""
    weather = result.weather
    return {
        "place": {
            "name": weather.place.name,
            "country": weather.place.country,
            "latitude_degrees": weather.place.latitude,
            "longitude_degrees": weather.place.longitude,
            "utc_offset_seconds": int(
                (weather.local(now) - now.replace(tzinfo=None)).total_seconds()
            ),
            "time_zone": weather.zone.key if weather.zone else None,
        },
        "data": {
            "source": weather.source,
            "provider": result.provider,
            "cache": result.cache,
            "failure": result.failure,
            "observed_at": timestamp(weather.observed_at),
            "fetched_at": timestamp(result.fetched_at),
            "age_seconds": result.age_seconds(now),
        },
        "current": _current(weather),
        "hours": [
            {
                "at": timestamp(hour.at),
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
        "served_by": {**asdict(build), "at": timestamp(now)},
    }


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
        "sunrise_at": timestamp(weather.sunrise),
        "sunset_at": timestamp(weather.sunset),
    }


def _percent(share: float | None) -> int | None:
    return None if share is None else round(share * 100)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
