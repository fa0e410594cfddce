"""How providers are called: behind circuit breakers, all within one budget, in order.

`FallbackProvider` tries one `ResilientProvider` after the other until one answers. Each of them
calls its provider no more than the provider's concurrency, a `CircuitBreaker` and the `Allowance`
of the caller permit. `CallBudget` gives the allowances: calls for the home city are reserved, and
no client's searches can use up those of the others. Looking up places has a breaker of its own, on
the same host too: what visitors search for must not take the weather of known places away.
"""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Protocol, TypeVar

from weather_webapp.cache import LRUCache, ProviderAnswer
from weather_webapp.errors import Failure, ProviderError, UpstreamError, UpstreamFailure
from weather_webapp.providers import Provider
from weather_webapp.weather import Place, ProviderName, Weather

log = logging.getLogger(__name__)

T = TypeVar("T")

FAILURES_TO_OPEN = 5
OPENS_AT_ONCE = {Failure.KEY_REFUSED, Failure.QUOTA_EXCEEDED}
MINUTE = timedelta(minutes=1)
# The first back-off after a failure, and the longest when failures go on.
BACKOFF = {
    Failure.NO_KEY: (timedelta(seconds=10), timedelta(seconds=10)),
    Failure.KEY_REFUSED: (10 * MINUTE, 10 * MINUTE),
    Failure.CITY_UNKNOWN: (60 * MINUTE, 60 * MINUTE),
    Failure.QUOTA_EXCEEDED: (MINUTE, 10 * MINUTE),
    Failure.BUDGET_SPENT: (timedelta(seconds=5), timedelta(seconds=5)),
    Failure.UNAVAILABLE: (timedelta(seconds=15), 5 * MINUTE),
    Failure.UNREADABLE: (MINUTE, 10 * MINUTE),
}
MAX_DOUBLINGS = 10
# A call that fails by itself says little: the next one may come soon, each time twice as late.
FIRST_RETRY = timedelta(seconds=2)
# Of the budget, the share that is for the home city, and that of the rest for one client.
HOME_SHARE = 0.25
CLIENT_SHARE = 0.5
MAX_CLIENTS = 1000


def backoff_after(error: ProviderError, times: int, now: datetime, random: Random) -> timedelta:
    """Return how long to wait after this failure, the `times`-th in a row.

    Doubles with each failure, and is never shorter than BACKOFF says. Up to half as much again is
    added, so that many pods do not come back at once. A quota of the hour or the day is waited for
    until it is renewed (UTC).
    """
    first, longest = BACKOFF[error.failure]
    pause = min(first * 2.0 ** min(times - 1, MAX_DOUBLINGS), longest)
    jitter = pause * random.uniform(0, 0.5)
    return max(pause, _until_quota_renews(error, now)) + jitter


def _until_quota_renews(error: ProviderError, now: datetime) -> timedelta:
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    match error.quota:
        case "hour":
            return hour + timedelta(hours=1) - now
        case "day":
            return hour.replace(hour=0) + timedelta(days=1) - now
        case _:
            return timedelta(0)


class CircuitBreaker:
    """Opens after five failures in a row, or at once when key or quota are the reason.

    Before that a provider that was unavailable is asked again after seconds. While it is open no
    call is made; then a single one may probe, and its outcome decides. Each probe that fails
    doubles the time. Failures that come together count no more than one.
    """

    def __init__(self, now: Callable[[], datetime], random: Random) -> None:
        self._now = now
        self._random = random
        self._failures = 0
        self._openings = 0
        self._cause = Failure.UNAVAILABLE
        self._opened_at = now()
        self._open_until: datetime | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether no ordinary call may be made; also while one probes."""
        return self._open_until is not None

    def rejection(self) -> tuple[Failure, datetime] | None:
        """Return why no call may be made now, and when to retry; None when one may."""
        if self._open_until is None:
            return None
        now = self._now()
        # Before it opened is after the clock was set back: nobody knows how long it has been.
        if self._opened_at <= now < self._open_until:
            return self._cause, self._open_until
        if self._probing:
            return self._cause, now + BACKOFF[Failure.BUDGET_SPENT][0]
        return None

    def begin_call(self) -> bool:
        """Record that a call begins; return whether it is the one that probes."""
        self._probing = self.is_open
        return self._probing

    def end_call(self, *, probed: bool) -> None:
        """Record that a call has ended, whatever its outcome."""
        if probed:
            self._probing = False

    def record_success(self) -> None:
        """Close."""
        self._failures = self._openings = 0
        self._open_until = None

    def record_failure(self, error: ProviderError) -> datetime:
        """Count the failure, open if it is time to, and return when to retry."""
        if self._open_until and not self._probing:
            return self._open_until
        self._failures += 1
        opens = self._failures >= FAILURES_TO_OPEN or error.failure in OPENS_AT_ONCE
        if opens or self.is_open:
            self._openings += 1
        now = self._now()
        pause = backoff_after(error, max(self._openings, 1), now, self._random)
        if self._openings:
            self._opened_at, self._open_until = now, now + pause
            self._cause = error.failure
        elif error.failure is Failure.UNAVAILABLE:
            soon = FIRST_RETRY * 2.0 ** (self._failures - 1) * self._random.uniform(1, 1.5)
            pause = min(soon, pause)
        return now + pause


class TokenBucket:
    """A bucket that is full at first and refills evenly, `per_minute` tokens a minute."""

    def __init__(self, per_minute: float, now: Callable[[], datetime]) -> None:
        self._capacity = float(per_minute)
        self._tokens = self._capacity
        self._now = now
        self._refilled_at = now()

    @property
    def available(self) -> float:
        """How many tokens can be taken now."""
        now = self._now()
        minutes = max(0.0, (now - self._refilled_at) / timedelta(minutes=1))
        self._tokens = min(self._capacity, self._tokens + minutes * self._capacity)
        self._refilled_at = now
        return self._tokens

    def take(self, tokens: int) -> bool:
        """Take so many tokens, or none when fewer are available.

        What needs more than the bucket's capacity takes a full one, or it would never be allowed.
        """
        needed = min(float(tokens), self._capacity)
        if self.available < needed:
            return False
        self._tokens -= needed
        return True

    def put_back(self, tokens: int) -> None:
        """Return tokens that were taken and not used."""
        self._tokens = min(self._capacity, self._tokens + tokens)


class Allowance(Protocol):
    """How many calls one caller may make."""

    def take(self, tokens: int) -> bool:
        """Take so many calls, or none."""
        ...

    def put_back(self, tokens: int) -> None:
        """Return calls that were taken and not made."""
        ...


class HomeAllowance:
    """Calls for the home city: the reserved ones, then those that searches leave over."""

    def __init__(self, reserved: TokenBucket, searches: TokenBucket) -> None:
        self._reserved = reserved
        self._searches = searches

    def take(self, tokens: int) -> bool:
        """Take so many calls, or none."""
        return self._reserved.take(tokens) or self._searches.take(tokens)

    def put_back(self, tokens: int) -> None:
        """Return calls that were taken and not made."""
        self._reserved.put_back(tokens)


class ClientAllowance:
    """Calls for one client's searches, within its share of all searches."""

    def __init__(self, own: TokenBucket, searches: TokenBucket) -> None:
        self._own = own
        self._searches = searches

    def take(self, tokens: int) -> bool:
        """Take so many calls, or none."""
        if not self._own.take(tokens):
            return False
        if not self._searches.take(tokens):
            self._own.put_back(tokens)
            return False
        return True

    def put_back(self, tokens: int) -> None:
        """Return calls that were taken and not made."""
        self._own.put_back(tokens)
        self._searches.put_back(tokens)


class CallBudget:
    """All upstream calls, `per_minute` a minute: some for the home city, the rest for searches."""

    def __init__(self, per_minute: int, now: Callable[[], datetime]) -> None:
        self.per_minute = per_minute
        self._now = now
        self._reserved = TokenBucket(per_minute * HOME_SHARE, now)
        self._per_minute_for_searches = per_minute * (1 - HOME_SHARE)
        self._searches = TokenBucket(self._per_minute_for_searches, now)
        self._clients = LRUCache[str, TokenBucket](MAX_CLIENTS)
        self.home: Allowance = HomeAllowance(self._reserved, self._searches)

    @property
    def available(self) -> float:
        """How many calls can be made now."""
        return self._reserved.available + self._searches.available

    def client(self, address: str) -> Allowance:
        """Return the allowance of the client with this address."""
        own = self._clients.get(address)
        if own is None:
            own = TokenBucket(self._per_minute_for_searches * CLIENT_SHARE, self._now)
            self._clients.put(address, own)
        return ClientAllowance(own, self._searches)


class ResilientProvider:
    """Calls a provider within its limits and ours, and logs when it fails and recovers.

    A new API key is tried at once.
    """

    def __init__(self, provider: Provider, now: Callable[[], datetime], random: Random) -> None:
        self.name = provider.name
        self._provider = provider
        self._now = now
        self._random = random
        self._hosts = {"find": provider.geocoding_host, "weather": provider.weather_host}
        self._semaphores = {
            host: asyncio.Semaphore(provider.max_concurrency) for host in self._hosts.values()
        }
        self._credential = provider.credential()
        self._logged_errors: dict[str, str] = {}
        self._reset_breakers()

    @property
    def is_open(self) -> bool:
        """Whether the circuit breaker of the weather is open."""
        return self._breakers["weather"].is_open

    def credential(self) -> int | None:
        """Return a number that changes with the API key."""
        credential = self._provider.credential()
        if credential != self._credential:
            self._credential = credential
            self._reset_breakers()
        return credential

    async def find(self, city: str, language: str, allowance: Allowance) -> Place:
        """Return the city of this name. Raises UpstreamError."""
        calls = self._provider.calls_to_find(city, language)
        find = functools.partial(self._provider.find, city, language)
        return await self._call("find", calls, allowance, find)

    async def weather(self, place: Place, allowance: Allowance) -> Weather:
        """Return the weather of this place. Raises UpstreamError."""
        calls = self._provider.calls_needed(place)
        weather = functools.partial(self._provider.weather, place)
        return await self._call("weather", calls, allowance, weather)

    def _reset_breakers(self) -> None:
        self._breakers = {method: CircuitBreaker(self._now, self._random) for method in self._hosts}

    async def _call(
        self, method: str, calls: int, allowance: Allowance, call: Callable[[], Awaitable[T]]
    ) -> T:
        if self.credential() is None:
            raise self._not_called(ProviderError(Failure.NO_KEY))
        self._check_breaker(method)
        if not allowance.take(calls):
            raise self._not_called(ProviderError(Failure.BUDGET_SPENT))
        async with self._semaphores[self._hosts[method]]:
            try:
                self._check_breaker(method)
            except UpstreamError:
                allowance.put_back(calls)
                raise
            return await self._call_now(method, call)

    def _check_breaker(self, method: str) -> None:
        if rejection := self._breakers[method].rejection():
            reason, retry_at = rejection
            raise self._error(reason, retry_at)

    async def _call_now(self, method: str, call: Callable[[], Awaitable[T]]) -> T:
        breaker = self._breakers[method]
        probed = breaker.begin_call()
        try:
            answer = await call()
        except ProviderError as error:
            raise self._failed(method, breaker, error) from None
        finally:
            breaker.end_call(probed=probed)
        breaker.record_success()
        self._log_change(method, "")
        return answer

    def _failed(self, method: str, breaker: CircuitBreaker, error: ProviderError) -> UpstreamError:
        if error.failure is Failure.CITY_UNKNOWN:
            breaker.record_success()
            return self._not_called(error)
        self._log_change(method, str(error))
        return self._error(error.failure, breaker.record_failure(error))

    def _not_called(self, error: ProviderError) -> UpstreamError:
        """Return the error of a failure that says nothing about the provider's health."""
        now = self._now()
        retry_at = now + backoff_after(error, 1, now, self._random)
        return self._error(error.failure, retry_at, error.suggestions)

    def _error(
        self, reason: Failure, retry_at: datetime, suggestions: tuple[str, ...] = ()
    ) -> UpstreamError:
        return UpstreamError(
            UpstreamFailure(
                provider=self.name, reason=reason, retry_at=retry_at, suggestions=suggestions
            )
        )

    def _log_change(self, method: str, error: str) -> None:
        if self._logged_errors.get(method, "") != error:
            self._logged_errors[method] = error
            message = "provider failed" if error else "provider answers again"
            about = {"provider": self.name, "host": self._hosts[method], "method": method}
            log.warning(message, extra={**about, "reason": error})


class FallbackProvider:
    """Tries each provider in turn until one answers.

    That one has no key is no failure as long as another answers.
    """

    def __init__(self, providers: Sequence[ResilientProvider]) -> None:
        self._providers = providers

    def __bool__(self) -> bool:
        return bool(self._providers)

    def credentials(self) -> tuple[int | None, ...]:
        """Return what changes when an API key does."""
        return tuple(provider.credential() for provider in self._providers)

    def open_breakers(self) -> dict[ProviderName, bool]:
        """Return of each provider whether its weather is not called for a while."""
        return {provider.name: provider.is_open for provider in self._providers}

    async def find(self, city: str, language: str, allowance: Allowance) -> Place:
        """Return the city of this name. Raises UpstreamError."""
        return (await self._first(lambda each: each.find(city, language, allowance))).value

    async def weather(self, place: Place, allowance: Allowance) -> ProviderAnswer[Weather]:
        """Return the weather of this place. Raises UpstreamError."""
        return await self._first(lambda each: each.weather(place, allowance))

    async def _first(self, call: Callable[[ResilientProvider], Awaitable[T]]) -> ProviderAnswer[T]:
        failures: list[UpstreamFailure] = []
        for provider in self._providers:
            try:
                value = await call(provider)
            except UpstreamError as error:
                failures.append(error.failure)
            else:
                failure = next(iter(_serious(failures)), None)
                return ProviderAnswer(value=value, provider=provider.name, failure=failure)
        raise UpstreamError(_summarize(failures))


def _serious(failures: Sequence[UpstreamFailure]) -> list[UpstreamFailure]:
    return [failure for failure in failures if failure.reason is not Failure.NO_KEY]


def _summarize(failures: Sequence[UpstreamFailure]) -> UpstreamFailure:
    """Say that a city is unknown if one provider does, else give the first serious failure."""
    unknown = [failure for failure in failures if failure.reason is Failure.CITY_UNKNOWN]
    relevant = unknown or _serious(failures) or failures
    suggestions = dict.fromkeys(name for failure in unknown for name in failure.suggestions)
    return replace(
        relevant[0],
        retry_at=min(failure.retry_at for failure in relevant),
        suggestions=tuple(suggestions),
    )
