"""A clock to be set, and a provider that does what it is told."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from weather_webapp.providers import Failure, ProviderError
from weather_webapp.providers.sample import sample_weather
from weather_webapp.weather import Place, ProviderName, Weather

UNKNOWN = "Atlantis"


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2025, 11, 23, 10, 44, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **units: float) -> None:
        """Move on by so many minutes, hours, …"""
        self.now += timedelta(**units)


class Scripted:
    """Counts its calls, fails on demand, and waits while `gate` is closed.

    A city lies where its name says, "somewhere 12.5" at 12.5° north.
    """

    at_once = 1

    def __init__(self, clock: Clock, name: ProviderName = "openweathermap") -> None:
        self.name = name
        self.clock = clock
        self.asked: Counter[str] = Counter()
        self.under_way = 0
        self.most_under_way = 0
        self.failure: ProviderError | None = None
        self.key: int | None = 1
        self.gate = asyncio.Event()
        self.gate.set()

    def fail(self, failure: Failure | None, **details: object) -> None:
        """Answer with this failure from now on, or with weather again."""
        self.failure = ProviderError(failure, **details) if failure else None  # type: ignore[arg-type] # by name

    def credential(self) -> int | None:
        return self.key

    def calls(self, place: Place) -> int:
        return 2

    async def find(self, city: str, language: str) -> Place:
        await self._ask("find")
        if city == UNKNOWN:
            raise ProviderError(Failure.CITY_UNKNOWN, suggestions=("Atlanta, US",))
        latitude = float(city.split()[-1]) if city[-1].isdecimal() else 45.0
        return Place(name=f"{city} ({language})", country="XX", latitude=latitude, longitude=7.0)

    async def weather(self, place: Place) -> Weather:
        await self._ask("weather")
        return replace(sample_weather(place, self.clock()), source=self.name)

    async def _ask(self, what: str) -> None:
        self.asked[what] += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.gate.wait()
        finally:
            self.under_way -= 1
        if self.failure:
            raise self.failure


class Watching:
    """Remembers what an observer is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.answers: Counter[str] = Counter()

    def upstream(self, provider: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.calls.append((provider, outcome))

    def cache(self, result: str) -> None:
        self.answers[result] += 1
