"""What is remembered, and how many concurrent requests share one call.

`SingleFlight` joins requests that want the same thing, `LRUCache` bounds what is remembered,
`ResponseCache` holds rendered responses for a second, and `WeatherCache` puts the first two
together: the last good weather of each place, renewed when it is read and no longer fresh.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Coroutine, Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Generic, Literal, Protocol, TypeVar

from weather_webapp.errors import Failure, UpstreamError, UpstreamFailure
from weather_webapp.weather import Place, ProviderName, Weather

K = TypeVar("K")
V = TypeVar("V")
A = TypeVar("A", contravariant=True)

MAX_RESPONSES = 200
MAX_PLACES = 500
FRESH_FOR = timedelta(minutes=10)
# Weather read again within this time after its last renewal is served without waiting for newer.
STALE_WHILE_REVALIDATE = timedelta(minutes=30)
STALE_IF_ERROR = timedelta(hours=24)

CacheResult = Literal["hit", "miss", "stale", "negative"]
Coordinates = tuple[float, float]


class SingleFlight(Generic[K, V]):
    """Calls in progress, by key. A call goes on without anyone waiting for it, until `close`."""

    def __init__(self) -> None:
        self._tasks: dict[K, asyncio.Task[V]] = {}

    def do(self, key: K, call: Callable[[], Coroutine[Any, Any, V]]) -> asyncio.Future[V]:
        """Return the future result of the call in progress, or of one that is started now.

        Cancelling the future does not cancel the call.
        """
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(call())
            task.add_done_callback(lambda _: self._tasks.pop(key))
        return asyncio.shield(task)

    async def close(self) -> None:
        """Cancel the calls in progress."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class LRUCache(Generic[K, V]):
    """Holds at most `limit` values; the least recently used makes room for a new one.

    A key among the `pinned` is never evicted.
    """

    def __init__(self, limit: int, pinned: Collection[K] = ()) -> None:
        self._limit = limit
        self._pinned = pinned
        self._values: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """Return the value, which becomes the most recently used, or None."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        """Store the value as the most recently used."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._limit:
            del self._values[next(key for key in self._values if key not in self._pinned)]

    def delete(self, key: K) -> None:
        """Remove the value, if there is one."""
        self._values.pop(key, None)


class TwoTierCache(Generic[K, V]):
    """Two LRU caches in one: failures never evict what is good."""

    def __init__(self, limit: int, pinned: Collection[K] = ()) -> None:
        self._good = LRUCache[K, V](limit, pinned)
        self._failed = LRUCache[K, V](limit)

    def __len__(self) -> int:
        return len(self._good) + len(self._failed)

    def get(self, key: K) -> V | None:
        """Return the value, or None."""
        good = self._good.get(key)
        return self._failed.get(key) if good is None else good

    def put(self, key: K, value: V, *, good: bool) -> None:
        """Store the value in the place of what was there."""
        target, other = (self._good, self._failed) if good else (self._failed, self._good)
        other.delete(key)
        target.put(key, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedResponse:
    """A response's body and the headers that belong to it."""

    body: bytes
    headers: Mapping[str, str]


class ResponseCache:
    """Holds the responses that were rendered in the current second."""

    def __init__(self) -> None:
        self._second: datetime | None = None
        self._responses: dict[Hashable, CachedResponse] = {}

    def get(self, key: Hashable, now: datetime) -> CachedResponse | None:
        """Return what was rendered for this key in the second of `now`."""
        self._expire(now)
        return self._responses.get(key)

    def put(self, key: Hashable, response: CachedResponse, now: datetime) -> None:
        """Store this response, rendered at `now`, to the end of its second."""
        self._expire(now)
        if len(self._responses) < MAX_RESPONSES:
            self._responses[key] = response

    def clear(self) -> None:
        """Forget what was rendered."""
        self._responses.clear()

    def _expire(self, now: datetime) -> None:
        second = now.replace(microsecond=0)
        if second != self._second:
            self._second = second
            self._responses.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAnswer(Generic[V]):
    """What a provider answered, and why one before it in the order did not, if it failed."""

    value: V
    provider: ProviderName
    failure: UpstreamFailure | None


class WeatherSource(Protocol[A]):
    """Where a WeatherCache gets what it does not hold."""

    def credentials(self) -> tuple[int | None, ...]:
        """Return what changes when an API key does."""
        ...

    async def weather(self, place: Place, allowance: A) -> ProviderAnswer[Weather]:
        """Return the weather of this place, in the calls allowed. Raises UpstreamError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedWeather:
    """What a provider answered, and when."""

    weather: Weather
    provider: ProviderName
    fetched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """The last good weather of a place, if any, and how the last attempt to renew it ended.

    `failure` is why that attempt, or a provider before the one that answered, gave nothing.
    """

    last_good: FetchedWeather | None
    attempted_at: datetime
    expires_at: datetime
    credentials: tuple[int | None, ...]
    failure: UpstreamFailure | None = None

    @property
    def renewal_failed(self) -> bool:
        """Whether there is weather, and it is older than the last attempt to renew it."""
        return self.last_good is not None and self.last_good.fetched_at != self.attempted_at


def coordinates_of(place: Place) -> Coordinates:
    """Return what places that share their weather have in common: about a kilometre."""
    return round(place.latitude, 2), round(place.longitude, 2)


class WeatherCache(Generic[A]):
    """Concurrent reads of a place share one call. What is `pinned` is never evicted.

    That one caller may make no more calls is not remembered: another may.
    """

    def __init__(
        self,
        source: WeatherSource[A],
        now: Callable[[], datetime],
        random: Random,
        pinned: Collection[Coordinates] = (),
    ) -> None:
        self._source = source
        self._now = now
        self._random = random
        self._entries = TwoTierCache[Coordinates, CacheEntry](MAX_PLACES, pinned)
        self._renewals = SingleFlight[Coordinates, CacheEntry]()

    async def get(
        self, place: Place, allowance: A, deadline: float
    ) -> tuple[CacheEntry | None, CacheResult]:
        """Return the place's entry and where it came from.

        There is no entry when there is none by the deadline (of the loop).
        """
        key = coordinates_of(place)
        entry = self.peek(key)
        must_wait = True
        if entry and entry.credentials == self._source.credentials():
            now = self._now()
            # An attempt in the future is of a clock that was set back since: nothing is kept by it.
            if entry.attempted_at <= now < entry.expires_at:
                return entry, _result(entry, "hit")
            must_wait = now - entry.attempted_at >= STALE_WHILE_REVALIDATE
        renewal = self._renewals.do(key, lambda: self._renew(place, allowance))
        if entry and not must_wait:
            return entry, _result(entry, "stale")
        try:
            async with asyncio.timeout_at(deadline):
                entry = await renewal
        except TimeoutError:
            return entry, _result(entry, "stale") if entry else "miss"
        return entry, _result(entry, "miss")

    def peek(self, key: Coordinates) -> CacheEntry | None:
        """Return the entry without a call to anyone."""
        entry = self._entries.get(key)
        if entry and entry.last_good:
            age = self._now() - entry.last_good.fetched_at
            return replace(entry, last_good=None) if age >= STALE_IF_ERROR else entry
        return entry

    async def close(self) -> None:
        """Cancel the calls in progress."""
        await self._renewals.close()

    async def _renew(self, place: Place, allowance: A) -> CacheEntry:
        key, credentials = coordinates_of(place), self._source.credentials()
        failure: UpstreamFailure | None
        try:
            answer = await self._source.weather(place, allowance)
        except UpstreamError as error:
            old, failure, now = self.peek(key), error.failure, self._now()
            last_good, expires_at = old.last_good if old else None, failure.retry_at
        else:
            failure, now = answer.failure, self._now()
            last_good = FetchedWeather(
                weather=answer.value, provider=answer.provider, fetched_at=now
            )
            expires_at = now + FRESH_FOR * self._random.uniform(0.9, 1.1)
        entry = CacheEntry(
            last_good=last_good,
            attempted_at=now,
            expires_at=expires_at,
            credentials=credentials,
            failure=failure,
        )
        answered = last_good is not None and last_good.fetched_at == now
        if answered or not failure or failure.reason is not Failure.BUDGET_SPENT:
            self._entries.put(key, entry, good=last_good is not None)
        return entry


def _result(entry: CacheEntry, result: CacheResult) -> CacheResult:
    if entry.last_good is None:
        return "negative"
    return "stale" if entry.renewal_failed else result
