"""Where cities are: bundled with the app, cached, or looked up at a provider."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from weather_webapp.bundled_places import MAX_SUGGESTIONS, find_bundled, similar_names
from weather_webapp.cache import LRUCache, SingleFlight
from weather_webapp.errors import CityUnknownError, Failure, UpstreamError, UpstreamFailure
from weather_webapp.regions import fold, split
from weather_webapp.resilience import Allowance, FallbackProvider
from weather_webapp.weather import Place

MAX_CITIES = 1000
BUNDLED_LANGUAGE = "en"
# A page waits no longer for a mere name; what comes later is for the next one.
NAME_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class FailedLookup:
    """Why a city was not found, with these credentials, and when."""

    failure: UpstreamFailure
    at: datetime
    credentials: tuple[int | None, ...]


class Geocoder:
    """Looks a city up once for all requests, and remembers where it is, or that it is unknown.

    The home city is never evicted.
    """

    def __init__(
        self, providers: FallbackProvider, now: Callable[[], datetime], home_city: str
    ) -> None:
        self._providers = providers
        self._now = now
        self._places = LRUCache[str, Mapping[str, Place]](MAX_CITIES, pinned={fold(home_city)})
        self._failed = LRUCache[tuple[str, str], FailedLookup](MAX_CITIES)
        self._lookups = SingleFlight[tuple[str, str], Place]()

    async def find(self, city: str, language: str, allowance: Allowance, deadline: float) -> Place:
        """Return the city of this name, in this language if possible.

        Raises CityUnknownError, UpstreamError when no provider can be called, and TimeoutError at
        the deadline (of the loop).
        """
        if place := find_bundled(city):
            return await self._named_in(language, place, city, allowance, deadline)
        name = fold(city)
        by_language = self._places.get(name) or {}
        if place := by_language.get(language):
            return place
        try:
            async with asyncio.timeout_at(deadline):
                return await self._look_up(city, language, allowance)
        except (UpstreamError, TimeoutError) as error:
            if by_language:
                return next(iter(by_language.values()))
            if isinstance(error, UpstreamError) and error.failure.reason is Failure.CITY_UNKNOWN:
                names = _without_twins((*error.failure.suggestions, *similar_names(city)))
                raise CityUnknownError(city, names[:MAX_SUGGESTIONS]) from None
            raise

    async def close(self) -> None:
        """Cancel the calls in progress."""
        await self._lookups.close()

    async def _named_in(
        self, language: str, place: Place, city: str, allowance: Allowance, deadline: float
    ) -> Place:
        """Return a bundled place by its name in this language, if a provider says it soon."""
        if language == BUNDLED_LANGUAGE or not self._providers:
            return place
        known = (self._places.get(fold(city)) or {}).get(language)
        if known is None:
            soon = min(deadline, asyncio.get_running_loop().time() + NAME_SECONDS)
            with suppress(UpstreamError, TimeoutError):
                async with asyncio.timeout_at(soon):
                    known = await self._look_up(city, language, allowance)
        return replace(place, name=known.name) if known and _are_near(known, place) else place

    async def _look_up(self, city: str, language: str, allowance: Allowance) -> Place:
        if not self._providers:
            raise CityUnknownError(city, similar_names(city))
        key = (fold(city), language)
        failed = self._failed.get(key)
        if (
            failed
            and failed.at <= self._now() < failed.failure.retry_at
            and failed.credentials == self._providers.credentials()
        ):
            raise UpstreamError(failed.failure)
        return await self._lookups.do(key, lambda: self._fetch(city, language, allowance))

    async def _fetch(self, city: str, language: str, allowance: Allowance) -> Place:
        name, credentials = fold(city), self._providers.credentials()
        try:
            place = await self._providers.find(city, language, allowance)
        except UpstreamError as error:
            # That one client may make no more calls is not remembered: another may.
            if error.failure.reason is not Failure.BUDGET_SPENT:
                failed = FailedLookup(error.failure, self._now(), credentials)
                self._failed.put((name, language), failed)
            raise
        self._places.put(name, {**(self._places.get(name) or {}), language: place})
        return place


def _are_near(one: Place, other: Place) -> bool:
    """Whether both may be the same city; across the date line they are not taken for one."""
    return abs(one.latitude - other.latitude) < 0.5 and abs(one.longitude - other.longitude) < 0.5


def _without_twins(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names without a bare one of a city that is there with its region."""
    cities: dict[str, str] = {}
    for name in names:
        city, regions = split(name)
        cities.setdefault(fold(name) if regions else fold(city), name)
    with_region = {fold(split(name)[0]) for name in cities.values() if split(name)[1]}
    return tuple(name for key, name in cities.items() if key not in with_region)
