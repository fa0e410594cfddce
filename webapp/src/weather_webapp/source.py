"""Where the page's weather comes from: providers, their last good answer, in the end a sample."""

import asyncio
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Literal

from weather_webapp.atlas import Atlas, CityUnknownError
from weather_webapp.budget import Budget
from weather_webapp.chain import Chain
from weather_webapp.guard import Guard, NoAnswerError
from weather_webapp.observer import NOBODY, Observer
from weather_webapp.providers import Failure, Provider
from weather_webapp.providers.sample import sample_weather
from weather_webapp.snapshots import Snapshots, Spot, spot_of
from weather_webapp.weather import Place, ProviderName, Weather

__all__ = ["CityUnknownError", "Report", "Source"]

LONGEST_CITY = 80

Cached = Literal["hit", "miss", "stale"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Weather, when and from whom it came, and why a better source did not give it, if one failed.

    `provider` is to be credited, also for a snapshot. `cache` is hit for what is kept and fresh,
    miss for what was asked for now, stale for what is kept and old. `failure` is of `failed`, the
    provider that should have answered.
    """

    weather: Weather
    fetched_at: datetime
    provider: ProviderName
    cache: Cached
    failure: Failure | None = None
    failed: ProviderName | None = None


class Source:
    """Gives weather to many who ask with few calls, and goes on giving it when calls fail.

    Who asks for one place at once share one call. Weather older than ten minutes is served while
    newer is fetched; last good weather is served for a day when none can be had. Who asks waits
    `patience` at most; the call goes on for those who ask later. Close it when done.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        now: Callable[[], datetime],
        home: str = "London",
        observe: Observer = NOBODY,
        budget_per_minute: int = 30,
        patience: timedelta = timedelta(seconds=2.5),
        random: Random | None = None,
    ) -> None:
        random = random or Random()  # noqa: S311 - it spreads calls, it guards nothing
        self._now = now
        self._home = _tidy(home)
        self._observe = observe
        self._patience = patience
        self._budget = Budget(budget_per_minute, now)
        self._chain = Chain([Guard(each, self._budget, now, random) for each in providers])
        self._atlas = Atlas(self._chain, now, self._home)
        self._home_spots: set[Spot] = set()
        self._snapshots = Snapshots(self._chain, now, random, self._home_spots)

    async def report(self, city: str, language: str) -> Report:
        """Return the best weather to be had for this city now.

        Raises CityUnknownError; not for the home city, which has a sample in the end.
        """
        city = _tidy(city)
        is_home = city.casefold() == self._home.casefold()
        if not (is_home or (city.isprintable() and 0 < len(city) <= LONGEST_CITY)):
            raise CityUnknownError(city[:LONGEST_CITY])
        deadline = asyncio.get_running_loop().time() + self._patience.total_seconds()
        try:
            place = await self._atlas.find(city, language, deadline)
        except CityUnknownError:
            self._observe.cache("negative")
            if is_home:
                return self._sample(_nowhere(city), Failure.CITY_UNKNOWN)
            raise
        except NoAnswerError as error:
            self._observe.cache("negative")
            return self._sample(_nowhere(city), error.reason.failure, error.reason.provider)
        except TimeoutError:
            self._observe.cache("miss")
            return self._sample(_nowhere(city), Failure.UNAVAILABLE)
        if is_home:
            self._home_spots.add(spot_of(place))
        return await self._weather(place, deadline)

    def data_age(self) -> timedelta | None:
        """Return how old the home city's weather is; None while it is a sample."""
        kept = [self._snapshots.kept(spot) for spot in self._home_spots]
        ages = [self._now() - each.good.fetched_at for each in kept if each and each.good]
        return min(ages, default=None)

    def budget_left(self) -> float:
        """Return how many upstream calls may be made now."""
        return self._budget.left

    def open_breakers(self) -> Mapping[ProviderName, bool]:
        """Return of each provider whether it is left alone for a while."""
        return self._chain.open_breakers()

    async def close(self) -> None:
        """End the calls that are under way."""
        await self._atlas.close()
        await self._snapshots.close()

    async def _weather(self, place: Place, deadline: float) -> Report:
        if not self._chain:
            return self._sample(place)
        snapshot, answered = await self._snapshots.look(place, deadline)
        self._observe.cache(answered)
        if snapshot is None:
            return self._sample(place, Failure.UNAVAILABLE)
        failure = snapshot.trouble.failure if snapshot.trouble else None
        failed = snapshot.trouble.provider if snapshot.trouble else None
        if snapshot.good is None:
            return self._sample(place, failure, failed)
        source = "snapshot" if snapshot.is_last_good else snapshot.good.provider
        weather = snapshot.good.weather.seen_at(self._now())
        return Report(
            weather=replace(weather, source=source, place=place),
            fetched_at=snapshot.good.fetched_at,
            provider=snapshot.good.provider,
            cache="hit" if answered == "negative" else answered,
            failure=failure,
            failed=failed,
        )

    def _sample(
        self, place: Place, failure: Failure | None = None, failed: ProviderName | None = None
    ) -> Report:
        """Return invented weather; nobody being asked is no failure."""
        now = self._now()
        return Report(
            weather=sample_weather(place, now),
            fetched_at=now,
            provider="sample",
            cache="miss",
            failure=failure if self._chain else None,
            failed=failed,
        )


def _tidy(city: str) -> str:
    words = (" ".join(part.split()) for part in unicodedata.normalize("NFC", city).split(","))
    return ", ".join(filter(None, words))


def _nowhere(city: str) -> Place:
    return Place(name=city, latitude=0.0, longitude=0.0)
