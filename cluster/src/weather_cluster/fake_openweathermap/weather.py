"""Invented weather in the formats of OpenWeatherMap and Open-Meteo, for any place and time."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

Query = Mapping[str, str]

TOWNS = (
    ("London", "GB", "England", 51.5074, -0.1278),
    ("Bath", "GB", "England", 51.3814, -2.3597),
    ("Bath", "US", "Maine", 43.9106, -69.8206),
    ("Heidelberg", "DE", "Baden-Württemberg", 49.4077, 8.6908),
    ("Uppsala", "SE", "Uppsala", 59.8586, 17.6389),
)


class Sky(NamedTuple):
    """One kind of sky in both providers' codes."""

    code: int
    group: str
    description: str
    icon: str
    wmo: int
    chance: float


# One for each third of a day.
SKIES = (
    Sky(500, "Rain", "light rain", "10", 61, 0.8),
    Sky(803, "Clouds", "broken clouds", "04", 3, 0.3),
    Sky(800, "Clear", "clear sky", "01", 0, 0.0),
    Sky(801, "Clouds", "few clouds", "02", 1, 0.1),
    Sky(741, "Fog", "fog", "50", 45, 0.05),
)


def geocoding(query: Query, now: datetime) -> Any:
    """Answer /geo/1.0/direct."""
    name, *region = (word.strip().casefold() for word in query.get("q", "").split(","))
    return [
        {"name": town, "lat": lat, "lon": lon, "country": country, "state": state}
        for town, country, state, lat, lon in TOWNS
        if town.casefold() == name and {country.casefold(), state.casefold()} >= set(region)
    ][: int(query.get("limit", "1"))]


def current(query: Query, now: datetime) -> Any:
    """Answer /data/2.5/weather."""
    step = _step(query, now)
    return {
        "coord": {"lat": float(query["lat"]), "lon": float(query["lon"])},
        "base": "stations",
        "visibility": 10_000,
        "dt": int(now.timestamp()),
        "timezone": 0,
        "id": 2643743,
        "name": "London",
        "cod": 200,
        **step,
        "sys": {"type": 2, "country": "GB", **_sun(now)},
    }


def forecast(query: Query, now: datetime) -> Any:
    """Answer /data/2.5/forecast: forty steps of three hours."""
    first = now.replace(hour=now.hour // 3 * 3, minute=0, second=0, microsecond=0)
    times = [first + timedelta(hours=3 * n) for n in range(1, 41)]
    steps = [
        {"dt": int(at.timestamp()), "pop": _sky(at).chance, **_step(query, at)} for at in times
    ]
    return {"cod": "200", "message": 0, "cnt": 40, "list": steps, "city": {"timezone": 0}}


def search(query: Query, now: datetime) -> Any:
    """Answer Open-Meteo's /v1/search."""
    name = query.get("name", "").casefold()
    found = [
        {"name": town, "latitude": lat, "longitude": lon, "country_code": country, "admin1": state}
        for town, country, state, lat, lon in TOWNS
        if town.casefold() == name
    ]
    return {"results": found} if found else {"generationtime_ms": 0.5}


def open_meteo(query: Query, now: datetime) -> Any:
    """Answer Open-Meteo's /v1/forecast."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    hours = [midnight + timedelta(hours=n) for n in range(144)]
    days = [midnight + timedelta(days=n) for n in range(6)]
    return {
        "latitude": float(query["latitude"]),
        "longitude": float(query["longitude"]),
        "utc_offset_seconds": 0,
        "current_units": {"temperature_2m": "°C", "wind_speed_10m": "m/s", "pressure_msl": "hPa"},
        "current": {
            "time": int(now.timestamp()) // 900 * 900,
            "interval": 900,
            "temperature_2m": _temperature(now),
            "apparent_temperature": _temperature(now) - 2,
            "relative_humidity_2m": 71,
            "is_day": int(_is_day(now)),
            "weather_code": _sky(now).wmo,
            "precipitation": 0.0,
            "wind_speed_10m": 4.1,
            "wind_direction_10m": 240,
            "pressure_msl": 1016.2,
            "cloud_cover": 60,
        },
        "hourly_units": {"temperature_2m": "°C"},
        "hourly": {
            "time": [int(at.timestamp()) for at in hours],
            "temperature_2m": [_temperature(at) for at in hours],
            "weather_code": [_sky(at).wmo for at in hours],
            "precipitation_probability": [int(_sky(at).chance * 100) for at in hours],
            "is_day": [int(_is_day(at)) for at in hours],
        },
        "daily_units": {"temperature_2m_max": "°C", "temperature_2m_min": "°C"},
        "daily": {
            "time": [int(at.timestamp()) for at in days],
            "weather_code": [_sky(at).wmo for at in days],
            "temperature_2m_max": [_temperature(at.replace(hour=15)) for at in days],
            "temperature_2m_min": [_temperature(at.replace(hour=3)) for at in days],
            "sunrise": [_sun(at)["sunrise"] for at in days],
            "sunset": [_sun(at)["sunset"] for at in days],
        },
    }


def _step(query: Query, at: datetime) -> dict[str, Any]:
    kelvin = 0 if query.get("units") == "metric" else 273.15
    temperature = _temperature(at) + kelvin
    sky = _sky(at)
    pod = "d" if _is_day(at) else "n"
    return {
        "weather": [
            {
                "id": sky.code,
                "main": sky.group,
                "description": sky.description,
                "icon": f"{sky.icon}{pod}",
            }
        ],
        "main": {
            "temp": temperature,
            "feels_like": temperature - 2,
            "pressure": 1016,
            "humidity": 71,
        },
        "wind": {"speed": 4.1, "deg": 240},
        "clouds": {"all": 60},
        "sys": {"pod": pod},
    }


def _temperature(at: datetime) -> float:
    return round(9 + at.toordinal() % 4 + 4 * math.sin((at.hour - 9) / 12 * math.pi), 2)


def _sky(at: datetime) -> Sky:
    return SKIES[(at.toordinal() * 3 + at.hour // 8) % len(SKIES)]


def _is_day(at: datetime) -> bool:
    return 7 <= at.hour < 17


def _sun(at: datetime) -> dict[str, int]:
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "sunrise": int((midnight + timedelta(hours=7)).timestamp()),
        "sunset": int((midnight + timedelta(hours=17)).timestamp()),
    }
