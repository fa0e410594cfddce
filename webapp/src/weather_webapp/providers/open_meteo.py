"""Open-Meteo: worldwide weather and geocoding without a key, free for use that is not commercial.

Shapes: open-meteo.com/en/docs, /en/docs/geocoding-api. A forecast comes in columns, and a column
may hold null; what a step lacks is left out, and a step without temperature or sky too.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from weather_webapp.errors import Failure, ProviderError
from weather_webapp.providers import parsing
from weather_webapp.providers.upstream import Upstream
from weather_webapp.regions import Region, split
from weather_webapp.weather import Condition, Day, Hour, Place, ProviderName, Weather

DAYS_AHEAD = 5
HOURS_AHEAD = timedelta(hours=48)
MAX_STEPS = 24 * (DAYS_AHEAD + 2)
MAX_MATCHES = 10
QUERY = {
    "timezone": "auto",
    "timeformat": "unixtime",
    "wind_speed_unit": "ms",
    "forecast_days": str(DAYS_AHEAD + 1),
    "current": "temperature_2m,apparent_temperature,relative_humidity_2m,is_day,weather_code,"
    "precipitation,wind_speed_10m,wind_direction_10m,wind_gusts_10m,pressure_msl,cloud_cover",
    "hourly": "temperature_2m,weather_code,precipitation_probability,is_day",
    "daily": "weather_code,temperature_2m_max,temperature_2m_min,precipitation_probability_max,"
    "sunrise,sunset",
}
UNITS = {
    "current": {
        "temperature_2m": "°C",
        "apparent_temperature": "°C",
        "wind_speed_10m": "m/s",
        "wind_gusts_10m": "m/s",
        "precipitation": "mm",
        "pressure_msl": "hPa",
    },
    "hourly": {"temperature_2m": "°C"},
    "daily": {"temperature_2m_max": "°C", "temperature_2m_min": "°C"},
}
CONDITIONS = {
    Condition.CLEAR: (0,),
    Condition.PARTLY_CLOUDY: (1, 2),
    Condition.CLOUDY: (3,),
    Condition.FOG: (45, 48),
    Condition.DRIZZLE: (51, 53, 55),
    Condition.RAIN: (61, 63, 65, 80, 81, 82),
    Condition.SLEET: (56, 57, 66, 67),
    Condition.SNOW: (71, 73, 75, 77, 85, 86),
    Condition.THUNDER: (95, 96, 99),
}
CONDITION_BY_CODE = {code: condition for condition, codes in CONDITIONS.items() for code in codes}


class OpenMeteo:
    """Calls Open-Meteo, one call at a time: it counts calls by address, and queues few."""

    name: ProviderName = "open-meteo"
    max_concurrency = 1

    def __init__(self, upstream: Upstream, base_url: str, geocoding_url: str) -> None:
        self._upstream = upstream
        self._base_url = base_url
        self._geocoding_url = geocoding_url
        self.weather_host = urlsplit(base_url).netloc
        self.geocoding_host = urlsplit(geocoding_url).netloc

    def credential(self) -> int | None:
        """Return a constant: no key is needed."""
        return 0

    def calls_needed(self, place: Place) -> int:
        """Return 1: one call fetches everything."""
        return 1

    def calls_to_find(self, city: str, language: str) -> int:
        """Return 2 when the region may be named in English where the answer is not."""
        return 2 if language != "en" and "," in city else 1

    async def find(self, city: str, language: str) -> Place:
        """Return the city of this name. Raises ProviderError and nothing else."""
        name, regions = split(city)
        matches = await self._search(name, language)
        ids = _ids_within(regions, matches)
        if not ids and matches and self.calls_to_find(city, language) > 1:
            ids = _ids_within(regions, await self._search(name, "en"))
        try:
            found = next((match for match in matches if match.get("id") in ids), None)
            if found:
                return parse_place(found)
            names = tuple(dict.fromkeys(_full_name(match) for match in matches))
        except parsing.UNREADABLE:
            raise ProviderError(Failure.UNREADABLE) from None
        raise ProviderError(Failure.CITY_UNKNOWN, suggestions=names)

    async def _search(self, name: str, language: str) -> list[Mapping[str, Any]]:
        query = {"name": name, "count": str(MAX_MATCHES), "language": language, "format": "json"}
        found = await self._upstream.find(f"{self._geocoding_url}/v1/search", query)
        try:
            return [
                {"id": number, **match} for number, match in enumerate(found.get("results", []))
            ]
        except parsing.UNREADABLE:
            raise ProviderError(Failure.UNREADABLE) from None

    async def weather(self, place: Place) -> Weather:
        """Return the weather of this place. Raises ProviderError and nothing else."""
        where = {"latitude": f"{place.latitude:.4f}", "longitude": f"{place.longitude:.4f}"}
        answer = await self._upstream.get(f"{self._base_url}/v1/forecast", {**where, **QUERY})
        try:
            return parse_weather(place, answer)
        except parsing.UNREADABLE:
            raise ProviderError(Failure.UNREADABLE) from None


def parse_place(match: Mapping[str, Any]) -> Place:
    """Return the place of one geocoding match. Raises one of UNREADABLE."""
    return Place(
        name=parsing.name(match["name"]),
        country=parsing.country(match.get("country_code")),
        latitude=parsing.number(match["latitude"], parsing.LATITUDE),
        longitude=parsing.number(match["longitude"], parsing.LONGITUDE),
    )


def _ids_within(regions: list[Region], matches: list[Mapping[str, Any]]) -> list[Any]:
    return [match["id"] for match in matches if all(_is_in(region, match) for region in regions)]


def _is_in(region: Region, match: Mapping[str, Any]) -> bool:
    names = (str(match.get(key, "")) for key in ("country", "admin1", "admin2"))
    return region.contains(str(match.get("country_code", "")).upper(), *names)


def _full_name(match: Mapping[str, Any]) -> str:
    names = (match["name"], match.get("admin1"), match.get("country_code"))
    return ", ".join(parsing.name(name) for name in names if name)


def parse_weather(place: Place, answer: Mapping[str, Any]) -> Weather:
    """Return what the answer says. Raises one of UNREADABLE."""
    _check_units(answer, "current")
    current = answer["current"]
    observed_at = parsing.instant(current["time"])
    utc_offset = parsing.offset(answer["utc_offset_seconds"])
    per_hour = 3600 / parsing.number(current["interval"], (60, 86_400))
    hourly, daily = _rows(answer, "hourly"), _rows(answer, "daily")
    today = daily[0] if daily else {}
    return Weather(
        source="open-meteo",
        place=place,
        utc_offset=utc_offset,
        zone=parsing.zone(answer.get("timezone"), observed_at, utc_offset),
        observed_at=observed_at,
        condition=CONDITION_BY_CODE[current["weather_code"]],
        daylight=current.get("is_day") != 0,
        temperature=parsing.number(current["temperature_2m"], parsing.TEMPERATURE),
        feels_like=parsing.optional(current.get("apparent_temperature"), parsing.TEMPERATURE),
        humidity=parsing.optional(current.get("relative_humidity_2m"), parsing.PERCENT, 0.01),
        pressure=parsing.optional(current.get("pressure_msl"), parsing.HECTOPASCAL, 100),
        cloud_cover=parsing.optional(current.get("cloud_cover"), parsing.PERCENT, 0.01),
        precipitation=parsing.optional(current.get("precipitation"), parsing.RATE, per_hour),
        wind_speed=parsing.optional(current.get("wind_speed_10m"), parsing.SPEED),
        wind_direction=parsing.optional(current.get("wind_direction_10m"), parsing.DIRECTION),
        wind_gust=parsing.optional(current.get("wind_gusts_10m"), parsing.SPEED),
        sunrise=parsing.optional_instant(today.get("sunrise")),
        sunset=parsing.optional_instant(today.get("sunset")),
        hours=tuple(
            hour
            for hour in parsing.parsable(_hour, hourly)
            if observed_at - timedelta(hours=1) < hour.at <= observed_at + HOURS_AHEAD
        ),
        days=tuple(parsing.parsable(partial(_day, utc_offset), daily))[: DAYS_AHEAD + 1],
    )


def _hour(row: Mapping[str, Any]) -> Hour:
    return Hour(
        at=parsing.instant(row["time"]),
        temperature=parsing.number(row["temperature_2m"], parsing.TEMPERATURE),
        condition=CONDITION_BY_CODE[row["weather_code"]],
        daylight=row.get("is_day") != 0,
        precipitation_chance=parsing.optional(
            row.get("precipitation_probability"), parsing.PERCENT, 0.01
        ),
    )


def _day(utc_offset: timedelta, row: Mapping[str, Any]) -> Day:
    # A day begins at midnight, an hour earlier or later once the clocks have changed.
    after_midnight = parsing.instant(row["time"]) + utc_offset + timedelta(hours=2)
    return Day(
        on=after_midnight.date(),
        low=parsing.number(row["temperature_2m_min"], parsing.TEMPERATURE),
        high=parsing.number(row["temperature_2m_max"], parsing.TEMPERATURE),
        condition=CONDITION_BY_CODE[row["weather_code"]],
        precipitation_chance=parsing.optional(
            row.get("precipitation_probability_max"), parsing.PERCENT, 0.01
        ),
    )


def _rows(answer: Mapping[str, Any], section: str) -> list[dict[str, Any]]:
    """Return the section's columns as rows; none when the section is not as it should be.

    The current weather is worth showing without it.
    """
    try:
        _check_units(answer, section)
        columns = answer[section]
        rows = islice(zip(*columns.values(), strict=True), MAX_STEPS)
        return [dict(zip(columns, row, strict=True)) for row in rows]
    except parsing.UNREADABLE:
        return []


def _check_units(answer: Mapping[str, Any], section: str) -> None:
    for variable, unit in UNITS[section].items():
        if answer[f"{section}_units"].get(variable, unit) != unit:
            raise ValueError("not the requested units")
