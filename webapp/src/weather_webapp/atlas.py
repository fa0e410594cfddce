"""Where cities are: bundled, remembered, or asked for."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from weather_webapp.chain import Chain
from weather_webapp.flights import Flights
from weather_webapp.guard import NoAnswer, NoAnswerError
from weather_webapp.places import MOST_SUGGESTIONS, bundled, like
from weather_webapp.providers import Failure
from weather_webapp.recent import Recent
from weather_webapp.weather import Place

CITIES = 1000


class CityUnknownError(Exception):
    """Nobody knows a city of this name; `suggestions` are names to search for instead."""

    def __init__(self, city: str, suggestions: tuple[str, ...] = ()) -> None:
        super().__init__("no city has this name")
        self.city = city
        self.suggestions = suggestions


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a city was not found, asked with these credentials."""

    reason: NoAnswer
    credentials: tuple[int | None, ...]


class Atlas:
    """Finds a city once for all who ask, and remembers where it is, or that nobody knows it.

    The home city is never forgotten.
    """

    def __init__(self, chain: Chain, now: Callable[[], datetime], home: str) -> None:
        self._chain = chain
        self._now = now
        self._found = Recent[str, Mapping[str, Place]](CITIES, pinned={home.casefold()})
        self._troubles = Recent[tuple[str, str], Trouble](CITIES)
        self._flights = Flights[tuple[str, str], Place]()

    async def find(self, city: str, language: str, deadline: float) -> Place:
        """Return the city of this name, in this language if that can be had.

        Raises CityUnknownError, NoAnswerError when nobody can be asked, and TimeoutError at the
        deadline (of the loop).
        """
        name = city.casefold()
        if place := bundled().get(name):
            return place
        found = self._found.get(name) or {}
        if place := found.get(language):
            return place
        try:
            async with asyncio.timeout_at(deadline):
                return await self._ask(city, language)
        except (NoAnswerError, TimeoutError) as error:
            if found:
                return next(iter(found.values()))
            if isinstance(error, NoAnswerError) and error.reason.failure is Failure.CITY_UNKNOWN:
                names = dict.fromkeys((*error.reason.suggestions, *like(city)))
                raise CityUnknownError(city, tuple(names)[:MOST_SUGGESTIONS]) from None
            raise

    async def close(self) -> None:
        """End the calls that are under way."""
        await self._flights.close()

    async def _ask(self, city: str, language: str) -> Place:
        if not self._chain:
            raise CityUnknownError(city, like(city))
        key = (city.casefold(), language)
        known = self._troubles.get(key)
        if (
            known
            and self._now() < known.reason.again_at
            and known.credentials == self._chain.credentials()
        ):
            raise NoAnswerError(known.reason)
        return await self._flights.join(key, lambda: self._look_up(city, language))

    async def _look_up(self, city: str, language: str) -> Place:
        name, credentials = city.casefold(), self._chain.credentials()
        try:
            place = await self._chain.find(city, language)
        except NoAnswerError as error:
            self._troubles.put((name, language), Trouble(error.reason, credentials))
            raise
        self._found.put(name, {**(self._found.get(name) or {}), language: place})
        return place
