"""Providers in their order: the first that answers is taken."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from weather_webapp.guard import Guard, NoAnswer, NoAnswerError
from weather_webapp.providers import Failure
from weather_webapp.weather import Place, ProviderName, Weather

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What a provider answered, and the trouble of one that comes before it, if it was in any."""

    value: T
    provider: ProviderName
    trouble: NoAnswer | None


class Chain:
    """Asks each provider in turn until one answers.

    That one has no key is no trouble as long as another answers.
    """

    def __init__(self, guards: Sequence[Guard]) -> None:
        self._guards = guards

    def __bool__(self) -> bool:
        return bool(self._guards)

    def credentials(self) -> tuple[int | None, ...]:
        """Return what changes when an API key does."""
        return tuple(guard.credential() for guard in self._guards)

    def open_breakers(self) -> dict[ProviderName, bool]:
        """Return of each provider whether it is left alone for a while."""
        return {guard.name: guard.is_open for guard in self._guards}

    async def find(self, city: str, language: str) -> Place:
        """Return the city of this name. Raises NoAnswerError."""
        return (await self._first(lambda guard: guard.find(city, language))).value

    async def weather(self, place: Place) -> Answer[Weather]:
        """Return the weather of this place. Raises NoAnswerError."""
        return await self._first(lambda guard: guard.weather(place))

    async def _first(self, ask: Callable[[Guard], Awaitable[T]]) -> Answer[T]:
        troubles: list[NoAnswer] = []
        for guard in self._guards:
            try:
                value = await ask(guard)
            except NoAnswerError as error:
                troubles.append(error.reason)
            else:
                return Answer(value, guard.name, next(iter(_serious(troubles)), None))
        raise NoAnswerError(_summed_up(troubles))


def _serious(troubles: Sequence[NoAnswer]) -> list[NoAnswer]:
    return [trouble for trouble in troubles if trouble.failure is not Failure.NO_KEY]


def _summed_up(troubles: Sequence[NoAnswer]) -> NoAnswer:
    """Say that a city is unknown if one provider does, else tell the first serious trouble."""
    unknown = [trouble for trouble in troubles if trouble.failure is Failure.CITY_UNKNOWN]
    telling = unknown or _serious(troubles) or troubles
    suggestions = dict.fromkeys(name for trouble in unknown for name in trouble.suggestions)
    return replace(
        telling[0],
        again_at=min(trouble.again_at for trouble in telling),
        suggestions=tuple(suggestions),
    )
