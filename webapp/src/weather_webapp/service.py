"""The weather of a city whatever happens: from a provider, the last good one, or a sample.

`WeatherService` finds the city with the `Geocoder`, reads its weather through the `WeatherCache`,
and falls back to a sample that is marked as such.
"""

import asyncio
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Literal

from weather_webapp.cache import Coordinates, WeatherCache, coordinates_of
from weather_webapp.errors import CityLookupError, CityUnknownError, Failure, UpstreamError
from weather_webapp.geocoding import Geocoder
from weather_webapp.metrics import NO_METRICS, UpstreamMetrics
from weather_webapp.params import JOINERS
from weather_webapp.providers import Provider
from weather_webapp.providers.sample import sample_weather
from weather_webapp.resilience import Allowance, CallBudget, FallbackProvider, ResilientProvider
from weather_webapp.settings import MAX_CITY_LENGTH
from weather_webapp.weather import Place, ProviderName, Weather


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherResult:
    """Weather, when and from whom it came, and why a better source did not give it, if one failed.

    `provider` is to be credited, also for a snapshot. `cache` is hit for cached and fresh weather,
    miss for what was fetched now, stale for cached and old. `failure` is that of
    `failed_provider`, which should have answered.
    """

    weather: Weather
    fetched_at: datetime
    provider: ProviderName
    cache: Literal["hit", "miss", "stale"]
    failure: Failure | None = None
    failed_provider: ProviderName | None = None

    def age_seconds(self, now: datetime) -> int:
        """Return how long ago this was fetched."""
        return max(0, int((now - self.fetched_at).total_seconds()))


class WeatherService:
    """Gives weather to many requests with few calls, and goes on giving it when calls fail.

    Concurrent requests for one place share one call. Weather older than ten minutes is served
    while newer is fetched; the last good weather is served for a day when none can be fetched. A
    request waits `timeout` at most; its call goes on for later ones. Close it when done.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        now: Callable[[], datetime],
        home_city: str = "London",
        metrics: UpstreamMetrics = NO_METRICS,
        budget_per_minute: int = 30,
        timeout: timedelta = timedelta(seconds=2.5),
        random: Random | None = None,
    ) -> None:
        random = random or Random()  # noqa: S311 - it spreads calls, it protects nothing
        self._now = now
        self._home_city = _normalize(home_city)
        self._metrics = metrics
        self._timeout = timeout
        self._budget = CallBudget(budget_per_minute, now)
        self._providers = FallbackProvider(
            [ResilientProvider(each, now, random) for each in providers]
        )
        self._geocoder = Geocoder(self._providers, now, self._home_city)
        self._home_coordinates: set[Coordinates] = set()
        self._cache = WeatherCache(self._providers, now, random, self._home_coordinates)

    async def get(self, city: str, language: str, client: str = "") -> WeatherResult:
        """Return the best weather that is available for this city now.

        The client's address is for sharing the budget of calls.

        Raises CityUnknownError, and CityLookupError while it cannot be known whether there is such
        a city; neither for the home city, which has a sample in the end.
        """
        city = _normalize(city)
        is_home = city.casefold() == self._home_city.casefold()
        if not (is_home or (_is_printable(city) and 0 < len(city) <= MAX_CITY_LENGTH)):
            raise CityUnknownError(city[:MAX_CITY_LENGTH])
        allowance = self._budget.home if is_home else self._budget.client(client)
        deadline = asyncio.get_running_loop().time() + self._timeout.total_seconds()
        try:
            place = await self._geocoder.find(city, language, allowance, deadline)
        except CityUnknownError:
            self._metrics.count_cache("negative")
            if is_home:
                return self._sample(_without_coordinates(city), Failure.CITY_UNKNOWN)
            raise
        except UpstreamError as error:
            self._metrics.count_cache("negative")
            failure = error.failure
            if is_home:
                return self._sample(_without_coordinates(city), failure.reason, failure.provider)
            raise CityLookupError(city, failure.retry_at) from None
        except TimeoutError:
            self._metrics.count_cache("miss")
            if is_home:
                return self._sample(_without_coordinates(city), Failure.UNAVAILABLE)
            raise CityLookupError(city, self._now() + self._timeout) from None
        if is_home:
            self._home_coordinates.add(coordinates_of(place))
        return await self._weather(place, allowance, deadline)

    def home_data_age(self) -> timedelta | None:
        """Return how old the home city's weather is; None while it is a sample."""
        entries = [self._cache.peek(key) for key in self._home_coordinates]
        ages = [
            self._now() - each.last_good.fetched_at for each in entries if each and each.last_good
        ]
        return min(ages, default=None)

    @property
    def calls_per_minute(self) -> int:
        """How many upstream calls may be made a minute."""
        return self._budget.per_minute

    def available_calls(self) -> float:
        """Return how many upstream calls may be made now."""
        return self._budget.available

    def open_breakers(self) -> Mapping[ProviderName, bool]:
        """Return of each provider whether its weather is not called for a while."""
        return self._providers.open_breakers()

    async def close(self) -> None:
        """Cancel the calls in progress."""
        await self._geocoder.close()
        await self._cache.close()

    async def _weather(self, place: Place, allowance: Allowance, deadline: float) -> WeatherResult:
        if not self._providers:
            return self._sample(place)
        entry, cache_result = await self._cache.get(place, allowance, deadline)
        self._metrics.count_cache(cache_result)
        if entry is None:
            return self._sample(place, Failure.UNAVAILABLE)
        failure = entry.failure.reason if entry.failure else None
        failed_provider = entry.failure.provider if entry.failure else None
        if entry.last_good is None:
            return self._sample(place, failure, failed_provider)
        source = "snapshot" if entry.renewal_failed else entry.last_good.provider
        weather = entry.last_good.weather.seen_at(self._now())
        return WeatherResult(
            weather=replace(weather, source=source, place=place),
            fetched_at=entry.last_good.fetched_at,
            provider=entry.last_good.provider,
            cache="hit" if cache_result == "negative" else cache_result,
            failure=failure,
            failed_provider=failed_provider,
        )

    def _sample(
        self,
        place: Place,
        failure: Failure | None = None,
        failed_provider: ProviderName | None = None,
    ) -> WeatherResult:
        """Return invented weather; without any provider that is no failure."""
        now = self._now()
        return WeatherResult(
            weather=sample_weather(place, now),
            fetched_at=now,
            provider="sample",
            cache="miss",
            failure=failure if self._providers else None,
            failed_provider=failed_provider,
        )


def _normalize(city: str) -> str:
    parts = (" ".join(part.split()) for part in unicodedata.normalize("NFC", city).split(","))
    return ", ".join(filter(None, parts))


def _is_printable(city: str) -> bool:
    return all(c.isprintable() or c in JOINERS for c in city)


def _without_coordinates(city: str) -> Place:
    return Place(name=city, latitude=0.0, longitude=0.0)
