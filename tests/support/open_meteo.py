"""Open-Meteo's recorded answers, and the stand-in that gives them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from weather_cluster.fake_openweathermap import server

MIDNIGHT = 1_763_852_400  # in a place that is an hour ahead of UTC: 23 November 2025, 0:00
SEARCH: dict[str, Any] = {
    "results": [
        {
            "id": 2988507,
            "name": "Paris",
            "latitude": 48.85341,
            "longitude": 2.3488,
            "elevation": 42.0,
            "feature_code": "PPLC",
            "country_code": "FR",
            "country": "France",
            "admin1": "Île-de-France",
            "timezone": "Europe/Paris",
            "population": 2138551,
        },
        {
            "id": 4717560,
            "name": "Paris",
            "latitude": 33.66094,
            "longitude": -95.55551,
            "country_code": "US",
            "country": "United States",
            "admin1": "Texas",
        },
    ],
    "generationtime_ms": 0.7,
}
HOURS = 144
FORECAST: dict[str, Any] = {
    "latitude": 48.86,
    "longitude": 2.3399997,
    "generationtime_ms": 0.21,
    "utc_offset_seconds": 3600,
    "timezone": "Europe/Paris",
    "timezone_abbreviation": "GMT+1",
    "elevation": 42.0,
    "current_units": {
        "time": "unixtime",
        "interval": "seconds",
        "temperature_2m": "°C",
        "apparent_temperature": "°C",
        "relative_humidity_2m": "%",
        "is_day": "",
        "weather_code": "wmo code",
        "precipitation": "mm",
        "wind_speed_10m": "m/s",
        "wind_direction_10m": "°",
        "wind_gusts_10m": "m/s",
        "pressure_msl": "hPa",
        "cloud_cover": "%",
    },
    "current": {
        "time": MIDNIGHT + 12 * 3600 + 1800,
        "interval": 900,
        "temperature_2m": 8.3,
        "apparent_temperature": 5.1,
        "relative_humidity_2m": 81,
        "is_day": 1,
        "weather_code": 61,
        "precipitation": 0.2,
        "wind_speed_10m": 3.7,
        "wind_direction_10m": 210,
        "wind_gusts_10m": 7.9,
        "pressure_msl": 1009.4,
        "cloud_cover": 100,
    },
    "hourly_units": {"time": "unixtime", "temperature_2m": "°C", "weather_code": "wmo code"},
    "hourly": {
        "time": [MIDNIGHT + 3600 * n for n in range(HOURS)],
        "temperature_2m": [float(n) / 10 for n in range(HOURS)],
        "weather_code": [(0, 3, 61, 71)[n % 4] for n in range(HOURS)],
        "precipitation_probability": [n % 100 for n in range(HOURS)],
        "is_day": [int(7 <= n % 24 < 18) for n in range(HOURS)],
    },
    "daily_units": {"temperature_2m_max": "°C", "temperature_2m_min": "°C"},
    "daily": {
        "time": [MIDNIGHT + 86400 * n for n in range(6)],
        "weather_code": [61, 3, 0, 71, 95, 45],
        "temperature_2m_max": [9.0, 8.0, 7.0, 3.0, 12.0, 6.0],
        "temperature_2m_min": [4.0, 3.0, 2.0, -3.0, 7.0, 1.0],
        "precipitation_probability_max": [90, 20, 0, 80, 60, 10],
        "sunrise": [MIDNIGHT + 86400 * n + 8 * 3600 for n in range(6)],
        "sunset": [MIDNIGHT + 86400 * n + 17 * 3600 for n in range(6)],
    },
}
ANSWERS: dict[str, Any] = {"/v1/search": SEARCH, "/v1/forecast": FORECAST}


def recorded(path: str) -> Callable[[Mapping[str, str], datetime], Any]:
    """What was recorded for this address; nobody knows Atlantis."""
    nothing = {"generationtime_ms": 0.4}
    return lambda query, now: nothing if query.get("name") == "Atlantis" else ANSWERS[path]


@dataclass
class StandIn(server.FakeServer):
    """Open-Meteo with recorded answers, to be controlled and counted."""

    answers: ClassVar[server.Answers] = {path: recorded(path) for path in ANSWERS}
