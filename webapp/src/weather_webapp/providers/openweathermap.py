"""OpenWeatherMap: geocoding, current weather and the five days ahead, as in its free plan.

Shapes: openweathermap.org/current, /forecast5, /api/geocoding-api. A field whose phenomenon did not
happen is left out of an answer, so only place, time, temperature and condition must be there.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from weather_webapp.cache import LRUCache
from weather_webapp.errors import Failure, ProviderError
from weather_webapp.providers import parsing
from weather_webapp.providers.api_key import ApiKey
from weather_webapp.providers.days import days_of
from weather_webapp.providers.upstream import Upstream
from weather_webapp.regions import Region, split
from weather_webapp.weather import Condition, Hour, Place, ProviderName, Weather

DAYS_AHEAD = 5
STEPS = 40
# It changes slower than the weather does, and is half of the calls.
FORECAST_FRESH_FOR = timedelta(minutes=45)
MAX_FORECASTS = 500
MAX_MATCHES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The steps of one forecast, and when it was fetched."""

    hours: tuple[Hour, ...]
    fetched_at: datetime


class OpenWeatherMap:
    """Calls OpenWeatherMap with the key as it is at that moment.

    A forecast is cached for a while, so that most renewals take one call.
    """

    name: ProviderName = "openweathermap"
    max_concurrency = 2

    def __init__(
        self, upstream: Upstream, base_url: str, key: ApiKey, now: Callable[[], datetime]
    ) -> None:
        self._upstream = upstream
        self._base_url = base_url
        self.weather_host = self.geocoding_host = urlsplit(base_url).netloc
        self._key = key
        self._now = now
        self._forecasts = LRUCache[tuple[float, float], Forecast](MAX_FORECASTS)

    def credential(self) -> int | None:
        """Return a number that changes with the key; None while there is none."""
        key = self._key.read()
        return hash(key) if key else None

    def calls_needed(self, place: Place) -> int:
        """Return 2, or 1 while the forecast is still fresh."""
        return 1 if self._cached_forecast(place) else 2

    def calls_to_find(self, city: str, language: str) -> int:
        """Return 1, or 2 when a region may be a country or a state."""
        return len(_geocoding_queries(*split(city)))

    async def find(self, city: str, language: str) -> Place:
        """Return the city of this name. Raises ProviderError and nothing else."""
        name, regions = split(city)
        names: dict[str, None] = {}
        for text in _geocoding_queries(name, regions):
            query = self._with_key({"q": text, "limit": str(MAX_MATCHES)})
            found = await self._upstream.find(f"{self._base_url}/geo/1.0/direct", query)
            with _parsing():
                within = [match for match in found if all(_is_in(each, match) for each in regions)]
                if within:
                    return parse_place(within[0], language)
                names |= dict.fromkeys(_full_name(match) for match in found)
        raise ProviderError(Failure.CITY_UNKNOWN, suggestions=tuple(names))

    async def weather(self, place: Place) -> Weather:
        """Return the weather of this place. Raises ProviderError and nothing else."""
        query = self._with_key(
            {
                "lat": f"{place.latitude:.4f}",
                "lon": f"{place.longitude:.4f}",
                "units": "metric",
            }
        )
        # One after the other: where the first is refused, the second would be wasted.
        current = await self._upstream.get(f"{self._base_url}/data/2.5/weather", query)
        forecast = self._cached_forecast(place) or await self._fetch_forecast(place, query)
        with _parsing():
            return parse_weather(place, current, forecast.hours if forecast else ())

    async def _fetch_forecast(self, place: Place, query: Mapping[str, str]) -> Forecast | None:
        """Return the forecast, or the last one: the current weather is worth showing by itself."""
        key = (place.latitude, place.longitude)
        try:
            answer = await self._upstream.get(f"{self._base_url}/data/2.5/forecast", query)
            with _parsing():
                forecast = Forecast(hours=parse_hours(answer), fetched_at=self._now())
        except ProviderError:
            return self._forecasts.get(key)
        self._forecasts.put(key, forecast)
        return forecast

    def _cached_forecast(self, place: Place) -> Forecast | None:
        forecast = self._forecasts.get((place.latitude, place.longitude))
        if forecast is None:
            return None
        age = self._now() - forecast.fetched_at
        return forecast if timedelta(0) <= age < FORECAST_FRESH_FOR else None

    def _with_key(self, query: Mapping[str, str]) -> dict[str, str]:
        return {**query, "appid": self._key.read()}


@contextmanager
def _parsing() -> Iterator[None]:
    try:
        yield
    except parsing.UNREADABLE:
        raise ProviderError(Failure.UNREADABLE) from None


def _geocoding_queries(name: str, regions: list[Region]) -> list[str]:
    """Return "city,country" or "city,state,US": OpenWeatherMap knows ISO codes and those states.

    A code such as MA, Morocco and Massachusetts, makes two queries.
    """
    certain = [each.country for each in regions if each.country and not each.subdivision]
    subdivision = next((each for each in regions if each.subdivision), None)
    of = subdivision.subdivision_country if subdivision else ""
    if subdivision is None or (certain and certain[-1] != of):
        return [f"{name},{certain[-1]}" if certain else name]
    within = f"{name},{subdivision.subdivision_code},US" if of == "US" else f"{name},{of}"
    if subdivision.country and not certain:
        return [f"{name},{subdivision.country}", within]
    return [within]


def _is_in(region: Region, match: Mapping[str, Any]) -> bool:
    return region.contains(str(match.get("country", "")), str(match.get("state", "")))


def _full_name(match: Mapping[str, Any]) -> str:
    names = (match["name"], match.get("state"), match.get("country"))
    return ", ".join(parsing.name(name) for name in names if name)


def parse_place(found: Mapping[str, Any], language: str) -> Place:
    """Return the place of one geocoding match, by its name in this language if it has one."""
    return Place(
        name=parsing.name(parsing.section(found, "local_names").get(language) or found["name"]),
        country=parsing.country(found.get("country")),
        latitude=parsing.number(found["lat"], parsing.LATITUDE),
        longitude=parsing.number(found["lon"], parsing.LONGITUDE),
    )


def parse_hours(forecast: Mapping[str, Any]) -> tuple[Hour, ...]:
    """Return the steps of the forecast that can be parsed. Raises one of UNREADABLE."""
    return tuple(parsing.parsable(_hour, forecast["list"][:STEPS]))


def parse_weather(place: Place, current: Mapping[str, Any], hours: tuple[Hour, ...]) -> Weather:
    """Return the current weather with the forecast. Raises one of UNREADABLE."""
    now, main = _hour(current), current["main"]
    # Late in the evening no step is left of today: what is now stands for it.
    steps = sorted((now, *hours), key=lambda step: step.at)
    wind, sun = parsing.section(current, "wind"), parsing.section(current, "sys")
    utc_offset = parsing.offset(current.get("timezone", 0))
    return Weather(
        source="openweathermap",
        place=place,
        utc_offset=utc_offset,
        observed_at=now.at,
        condition=now.condition,
        daylight=now.daylight,
        temperature=now.temperature,
        feels_like=parsing.optional(main.get("feels_like"), parsing.TEMPERATURE),
        humidity=parsing.optional(main.get("humidity"), parsing.PERCENT, 0.01),
        pressure=parsing.optional(main.get("pressure"), parsing.HECTOPASCAL, 100),
        visibility=parsing.optional(current.get("visibility"), parsing.METRES),
        cloud_cover=parsing.optional(
            parsing.section(current, "clouds").get("all"), parsing.PERCENT, 0.01
        ),
        precipitation=sum(
            parsing.optional(parsing.section(current, kind).get("1h"), parsing.RATE) or 0.0
            for kind in ("rain", "snow")
        ),
        wind_speed=parsing.optional(wind.get("speed"), parsing.SPEED),
        wind_direction=parsing.optional(wind.get("deg"), parsing.DIRECTION),
        wind_gust=parsing.optional(wind.get("gust"), parsing.SPEED),
        sunrise=parsing.optional_instant(sun.get("sunrise")),
        sunset=parsing.optional_instant(sun.get("sunset")),
        hours=hours,
        days=days_of(steps, utc_offset)[: DAYS_AHEAD + 1],
    )


def parse_condition(code: int) -> Condition:
    """Return the condition of an OpenWeatherMap condition code. Raises LookupError."""
    match code:
        case 800:
            return Condition.CLEAR
        case 801 | 802:
            return Condition.PARTLY_CLOUDY
        case 803 | 804:
            return Condition.CLOUDY
        case 711:
            return Condition.SMOKE
        case 731 | 751 | 761:
            return Condition.DUST
        case 762:
            return Condition.ASH
        case 771 | 781:
            return Condition.WIND
        case 511 | 611 | 612 | 613 | 615 | 616:
            return Condition.SLEET
    groups = {
        2: Condition.THUNDER,
        3: Condition.DRIZZLE,
        5: Condition.RAIN,
        6: Condition.SNOW,
        7: Condition.FOG,
    }
    return groups[code // 100]


def _hour(step: Mapping[str, Any]) -> Hour:
    sky = step["weather"][0]
    return Hour(
        at=parsing.instant(step["dt"]),
        temperature=parsing.number(step["main"]["temp"], parsing.TEMPERATURE),
        condition=parse_condition(sky["id"]),
        daylight=not str(sky.get("icon", "")).endswith("n"),
        precipitation_chance=parsing.optional(step.get("pop"), parsing.CHANCE),
    )
