"""OpenWeatherMap's recorded answers, and the stand-in that gives them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from weather_cluster.fake_openweathermap import server

KEY = "0123456789abcdef0123456789abcdef"
GEOCODING: list[dict[str, Any]] = [
    {
        "name": "Munich",
        "local_names": {"de": "München", "en": "Munich"},
        "lat": 48.1371079,
        "lon": 11.5753822,
        "country": "DE",
        "state": "Bavaria",
    }
]
CURRENT: dict[str, Any] = {
    "coord": {"lon": -0.1278, "lat": 51.5074},
    "weather": [{"id": 500, "main": "Rain", "description": "light rain", "icon": "10d"}],
    "base": "stations",
    "main": {
        "temp": 11.44,
        "feels_like": -0.6,
        "temp_min": 10.5,
        "temp_max": 12.3,
        "pressure": 1012,
        "humidity": 87,
        "sea_level": 1012,
        "grnd_level": 1008,
    },
    "visibility": 9000,
    "wind": {"speed": 4.12, "deg": 225, "gust": 8.2},
    "rain": {"1h": 0.31},
    "clouds": {"all": 75},
    "dt": 1_763_894_400,
    "sys": {"type": 2, "id": 268730, "country": "GB", "sunrise": 1763883000, "sunset": 1763913600},
    "timezone": 3600,
    "id": 2643743,
    "name": "London",
    "cod": 200,
}


def step(ahead: int, temperature: float, code: int, pod: str) -> dict[str, Any]:
    """One step of the forecast, so many hours after the current weather."""
    return {
        "dt": CURRENT["dt"] + ahead * 3600,
        "main": {"temp": temperature, "temp_min": temperature, "temp_max": temperature},
        "weather": [{"id": code, "main": "", "description": "", "icon": f"01{pod}"}],
        "clouds": {"all": 0},
        "wind": {"speed": 1.0, "deg": 0},
        "pop": 0.25,
        "sys": {"pod": pod},
    }


FORECAST: dict[str, Any] = {
    "cod": "200",
    "message": 0,
    "cnt": 40,
    "list": [step(3 * n, 10 + n % 8, 500 if n % 8 < 4 else 800, "dn"[n % 2]) for n in range(40)],
    "city": {"id": 2643743, "name": "London", "country": "GB", "timezone": 3600},
}
ANSWERS: dict[str, Any] = {
    "/geo/1.0/direct": GEOCODING,
    "/data/2.5/weather": CURRENT,
    "/data/2.5/forecast": FORECAST,
}


def recorded(path: str) -> Callable[[Mapping[str, str], datetime], Any]:
    """What was recorded for this address; nobody knows Atlantis."""
    return lambda query, now: [] if query.get("q") == "Atlantis" else ANSWERS[path]


@dataclass
class StandIn(server.FakeServer):
    """OpenWeatherMap with recorded answers, to be controlled and counted; no Open-Meteo."""

    answers: ClassVar[server.Answers] = {path: recorded(path) for path in ANSWERS}
    key: str = KEY
