"""OpenWeatherMap: geocoding, current weather and the five days ahead, as in its free plan.

Shapes: openweathermap.org/current, /forecast5, /api/geocoding-api. A field whose phenomenon did not
happen is left out of an answer, so only place, time, temperature and condition must be there.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from weather_webapp.providers import Failure, ProviderError, reading
from weather_webapp.providers.days import days_of
from weather_webapp.providers.keys import ApiKey
from weather_webapp.providers.upstream import Upstream
from weather_webapp.recent import Recent
from weather_webapp.weather import Condition, Hour, Place, ProviderName, Weather

DAYS_AHEAD = 5
STEPS = 40
# It changes slower than the weather does, and is half of the calls.
FORECAST_GOOD_FOR = timedelta(minutes=45)
PLACES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The steps of one forecast, and when it was asked for."""

    hours: tuple[Hour, ...]
    asked_at: datetime


class OpenWeatherMap:
    """Asks OpenWeatherMap with the key that is in force at that moment.

    A forecast is kept for a while, so that most renewals take one call.
    """

    name: ProviderName = "openweathermap"
    at_once = 2

    def __init__(
        self, upstream: Upstream, base_url: str, key: ApiKey, now: Callable[[], datetime]
    ) -> None:
        self._upstream = upstream
        self._base_url = base_url
        self._key = key
        self._now = now
        self._forecasts = Recent[tuple[float, float], Forecast](PLACES)

    def credential(self) -> int | None:
        """Return a number that changes with the key; None while there is none."""
        key = self._key.read()
        return hash(key) if key else None

    def calls(self, place: Place) -> int:
        """Return 2, or 1 while the forecast is still good."""
        return 1 if self._forecast_of(place) else 2

    async def find(self, city: str, language: str) -> Place:
        """Return the city of this name. Raises ProviderError and nothing else."""
        query = self._with_key({"q": city.replace(", ", ","), "limit": "1"})
        found = await self._upstream.find(f"{self._base_url}/geo/1.0/direct", query)
        if found == []:
            raise ProviderError(Failure.CITY_UNKNOWN)
        with _readable():
            return place_from(found[0], language)

    async def weather(self, place: Place) -> Weather:
        """Return the weather of this place. Raises ProviderError and nothing else."""
        query = self._with_key(
            {
                "lat": f"{place.latitude:.4f}",
                "lon": f"{place.longitude:.4f}",
                "units": "metric",
            }
        )
        # One after the other: where the first is refused, the second would be one more in vain.
        current = await self._upstream.get(f"{self._base_url}/data/2.5/weather", query)
        forecast = self._forecast_of(place)
        if forecast is None:
            answer = await self._upstream.get(f"{self._base_url}/data/2.5/forecast", query)
            with _readable():
                forecast = Forecast(hours=hours_from(answer), asked_at=self._now())
            self._forecasts.put((place.latitude, place.longitude), forecast)
        with _readable():
            return weather_from(place, current, forecast.hours)

    def _forecast_of(self, place: Place) -> Forecast | None:
        forecast = self._forecasts.get((place.latitude, place.longitude))
        return (
            forecast if forecast and self._now() - forecast.asked_at < FORECAST_GOOD_FOR else None
        )

    def _with_key(self, query: Mapping[str, str]) -> dict[str, str]:
        return {**query, "appid": self._key.read()}


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except reading.UNREADABLE:
        raise ProviderError(Failure.UNREADABLE) from None


def place_from(found: Mapping[str, Any], language: str) -> Place:
    """Return the place of one geocoding match, by its name in this language if it has one."""
    return Place(
        name=reading.name(reading.part(found, "local_names").get(language) or found["name"]),
        country=reading.country(found.get("country")),
        latitude=reading.number(found["lat"], reading.LATITUDE),
        longitude=reading.number(found["lon"], reading.LONGITUDE),
    )


def hours_from(forecast: Mapping[str, Any]) -> tuple[Hour, ...]:
    """Return the steps of the forecast. Raises one of UNREADABLE."""
    return tuple(_hour(step) for step in forecast["list"][:STEPS])


def weather_from(place: Place, current: Mapping[str, Any], hours: tuple[Hour, ...]) -> Weather:
    """Return the current weather with the forecast. Raises one of UNREADABLE."""
    now, main = _hour(current), current["main"]
    # Late in the evening no step is left of today: what is now stands for it.
    steps = sorted((now, *hours), key=lambda step: step.at)
    wind, sun = reading.part(current, "wind"), reading.part(current, "sys")
    utc_offset = reading.offset(current.get("timezone", 0))
    return Weather(
        source="openweathermap",
        place=place,
        utc_offset=utc_offset,
        observed_at=now.at,
        condition=now.condition,
        daylight=now.daylight,
        temperature=now.temperature,
        feels_like=reading.maybe(main.get("feels_like"), reading.TEMPERATURE),
        humidity=reading.maybe(main.get("humidity"), reading.PERCENT, 0.01),
        pressure=reading.maybe(main.get("pressure"), reading.HECTOPASCAL, 100),
        visibility=reading.maybe(current.get("visibility"), reading.METRES),
        cloud_cover=reading.maybe(
            reading.part(current, "clouds").get("all"), reading.PERCENT, 0.01
        ),
        precipitation=sum(
            reading.maybe(reading.part(current, kind).get("1h"), reading.RATE) or 0.0
            for kind in ("rain", "snow")
        ),
        wind_speed=reading.maybe(wind.get("speed"), reading.SPEED),
        wind_direction=reading.maybe(wind.get("deg"), reading.DIRECTION),
        wind_gust=reading.maybe(wind.get("gust"), reading.SPEED),
        sunrise=reading.maybe_instant(sun.get("sunrise")),
        sunset=reading.maybe_instant(sun.get("sunset")),
        hours=hours,
        days=days_of(steps, utc_offset)[: DAYS_AHEAD + 1],
    )


def condition_of(code: int) -> Condition:
    """Return the condition of an OpenWeatherMap condition code. Raises LookupError."""
    match code:
        case 800:
            return Condition.CLEAR
        case 801 | 802:
            return Condition.PARTLY_CLOUDY
        case 803 | 804:
            return Condition.CLOUDY
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
        at=reading.instant(step["dt"]),
        temperature=reading.number(step["main"]["temp"], reading.TEMPERATURE),
        condition=condition_of(sky["id"]),
        daylight=not str(sky.get("icon", "")).endswith("n"),
        precipitation_chance=reading.maybe(step.get("pop"), reading.CHANCE),
    )
