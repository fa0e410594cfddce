"""A provider behind its breaker, its queue, and the budget that all share."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import TypeVar

from weather_webapp.breaker import Breaker, pause_after
from weather_webapp.budget import Budget
from weather_webapp.providers import Failure, Provider, ProviderError
from weather_webapp.weather import Place, ProviderName, Weather

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """Who gave no answer and why; ask again at `again_at`, not sooner."""

    provider: ProviderName
    failure: Failure
    again_at: datetime
    suggestions: tuple[str, ...] = ()


class NoAnswerError(Exception):
    """There is no answer now, for the reason it carries."""

    def __init__(self, reason: NoAnswer) -> None:
        super().__init__(f"{reason.provider}: {reason.failure}")
        self.reason = reason


class Guard:
    """Asks a provider no more than it bears and we allow ourselves, and says when it is in trouble.

    A new API key is tried at once.
    """

    def __init__(
        self, provider: Provider, budget: Budget, now: Callable[[], datetime], random: Random
    ) -> None:
        self.name = provider.name
        self._provider = provider
        self._budget = budget
        self._now = now
        self._random = random
        self._queue = asyncio.Semaphore(provider.at_once)
        self._credential = provider.credential()
        self._breaker = Breaker(now, random)
        self._trouble = ""

    @property
    def is_open(self) -> bool:
        """Whether the provider is left alone for a while."""
        return self._breaker.is_open

    def credential(self) -> int | None:
        """Return a number that changes with the API key."""
        credential = self._provider.credential()
        if credential != self._credential:
            self._credential = credential
            self._breaker = Breaker(self._now, self._random)
        return credential

    async def find(self, city: str, language: str) -> Place:
        """Return the city of this name. Raises NoAnswerError."""
        return await self._ask(1, lambda: self._provider.find(city, language))

    async def weather(self, place: Place) -> Weather:
        """Return the weather of this place. Raises NoAnswerError."""
        calls = self._provider.calls(place)
        return await self._ask(calls, lambda: self._provider.weather(place))

    async def _ask(self, calls: int, ask: Callable[[], Awaitable[T]]) -> T:
        if self.credential() is None:
            raise self._pause(ProviderError(Failure.NO_KEY))
        self._heed_breaker()
        if not self._budget.take(calls):
            raise self._pause(ProviderError(Failure.BUDGET_SPENT))
        async with self._queue:
            try:
                self._heed_breaker()
            except NoAnswerError:
                self._budget.give_back(calls)
                raise
            return await self._call(ask)

    def _heed_breaker(self) -> None:
        if refusal := self._breaker.refusal():
            failure, again_at = refusal
            raise self._no_answer(failure, again_at)

    async def _call(self, ask: Callable[[], Awaitable[T]]) -> T:
        breaker = self._breaker
        tries = breaker.enter()
        try:
            answer = await ask()
        except ProviderError as error:
            raise self._failed(breaker, error) from None
        finally:
            breaker.leave(tried=tries)
        breaker.succeeded()
        self._say("")
        return answer

    def _failed(self, breaker: Breaker, error: ProviderError) -> NoAnswerError:
        if error.failure is Failure.CITY_UNKNOWN:
            breaker.succeeded()
            return self._pause(error)
        self._say(str(error))
        return self._no_answer(error.failure, breaker.failed(error))

    def _pause(self, error: ProviderError) -> NoAnswerError:
        now = self._now()
        again_at = now + pause_after(error, 1, now, self._random)
        return self._no_answer(error.failure, again_at, error.suggestions)

    def _no_answer(
        self, failure: Failure, again_at: datetime, suggestions: tuple[str, ...] = ()
    ) -> NoAnswerError:
        return NoAnswerError(
            NoAnswer(
                provider=self.name, failure=failure, again_at=again_at, suggestions=suggestions
            )
        )

    def _say(self, trouble: str) -> None:
        if self._trouble != trouble:
            self._trouble = trouble
            message = "provider failed" if trouble else "provider answers again"
            log.warning(message, extra={"provider": self.name, "reason": trouble})
