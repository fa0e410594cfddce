"""The last good weather of each place, renewed when it is looked at and no longer fresh."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from weather_webapp.chain import Chain
from weather_webapp.flights import Flights
from weather_webapp.guard import NoAnswer, NoAnswerError
from weather_webapp.observer import Answered
from weather_webapp.recent import Memory
from weather_webapp.weather import Place, ProviderName, Weather

FRESH_FOR = timedelta(minutes=10)
# Who looks at what was looked after this recently need not wait for newer.
SHOWN_AT_ONCE_FOR = timedelta(minutes=30)
LAST_GOOD_FOR = timedelta(hours=24)
PLACES = 500

Spot = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """What a provider answered, and when."""

    weather: Weather
    provider: ProviderName
    fetched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The last good weather of a spot, if there is any, and how the last attempt to renew it ended.

    `trouble` is why the attempt, or a provider before the one that answered, gave nothing.
    """

    good: Good | None
    tried_at: datetime
    due_at: datetime
    credentials: tuple[int | None, ...]
    trouble: NoAnswer | None = None

    @property
    def is_last_good(self) -> bool:
        """Whether the last attempt to renew it failed."""
        return self.good is not None and self.good.fetched_at != self.tried_at


def spot_of(place: Place) -> Spot:
    """Return what places that share their weather have in common: about a kilometre."""
    return round(place.latitude, 2), round(place.longitude, 2)


class Snapshots:
    """Many who look at a spot at once share one call. What is `pinned` is not forgotten."""

    def __init__(
        self,
        chain: Chain,
        now: Callable[[], datetime],
        random: Random,
        pinned: Collection[Spot] = (),
    ) -> None:
        self._chain = chain
        self._now = now
        self._random = random
        self._kept = Memory[Spot, Snapshot](PLACES, pinned)
        self._flights = Flights[Spot, Snapshot]()

    async def look(self, place: Place, deadline: float) -> tuple[Snapshot | None, Answered]:
        """Return what is known of the place, and how; nothing after the deadline (of the loop)."""
        snapshot = self.kept(spot_of(place))
        may_wait = True
        if snapshot and snapshot.credentials == self._chain.credentials():
            now = self._now()
            if now < snapshot.due_at:
                return snapshot, _answered(snapshot, "hit")
            may_wait = now - snapshot.tried_at >= SHOWN_AT_ONCE_FOR
        renewal = self._flights.join(spot_of(place), lambda: self._renew(place))
        if snapshot and not may_wait:
            return snapshot, _answered(snapshot, "stale")
        try:
            async with asyncio.timeout_at(deadline):
                snapshot = await renewal
        except TimeoutError:
            return snapshot, _answered(snapshot, "stale") if snapshot else "miss"
        return snapshot, _answered(snapshot, "miss")

    def kept(self, spot: Spot) -> Snapshot | None:
        """Return what is known of the spot without asking anyone."""
        snapshot = self._kept.get(spot)
        if snapshot and snapshot.good and self._now() - snapshot.good.fetched_at >= LAST_GOOD_FOR:
            return replace(snapshot, good=None)
        return snapshot

    async def close(self) -> None:
        """End the calls that are under way."""
        await self._flights.close()

    async def _renew(self, place: Place) -> Snapshot:
        spot, credentials = spot_of(place), self._chain.credentials()
        trouble: NoAnswer | None
        try:
            answer = await self._chain.weather(place)
        except NoAnswerError as error:
            old, trouble, now = self.kept(spot), error.reason, self._now()
            good, due_at = old.good if old else None, trouble.again_at
        else:
            trouble, now = answer.trouble, self._now()
            good = Good(weather=answer.value, provider=answer.provider, fetched_at=now)
            due_at = now + FRESH_FOR * self._random.uniform(0.9, 1.1)
        snapshot = Snapshot(
            good=good, tried_at=now, due_at=due_at, credentials=credentials, trouble=trouble
        )
        self._kept.put(spot, snapshot, worthy=good is not None)
        return snapshot


def _answered(snapshot: Snapshot, how: Answered) -> Answered:
    if snapshot.good is None:
        return "negative"
    return "stale" if snapshot.is_last_good else how
