"""A clock that a test sets, and a provider that answers as a test says."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from weather_webapp.errors import Failure, ProviderError
from weather_webapp.providers.sample import sample_weather
from weather_webapp.weather import Place, ProviderName, Weather

UNKNOWN = "Atlantis"


class Clock:
    """Stands still until it is advanced."""

    def __init__(self) -> None:
        self.now = datetime(2025, 11, 23, 10, 44, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **units: float) -> None:
        """Go on by so many minutes, hours, …"""
        self.now += timedelta(**units)


class FakeProvider:
    """Counts its calls, fails on demand, and waits while `gate` is closed.

    A city is where its name says, "somewhere 12.5" at 12.5° north, unless it is one of `places`,
    by name and language.
    """

    max_concurrency = 1
    geocoding_host = "geocoding.example"
    weather_host = "weather.example"

    def __init__(self, clock: Clock, name: ProviderName = "openweathermap") -> None:
        self.name = name
        self.clock = clock
        self.calls: Counter[str] = Counter()
        self.in_progress = 0
        self.most_in_progress = 0
        self.errors: dict[str, ProviderError] = {}
        self.places: dict[tuple[str, str], Place] = {}
        self.key: int | None = 1
        self.gate = asyncio.Event()
        self.gate.set()

    def fail(self, failure: Failure | None, *methods: str) -> None:
        """Fail so from now on, in these methods or all, or answer again."""
        for method in methods or ("find", "weather"):
            self.errors.pop(method, None)
            if failure:
                self.errors[method] = ProviderError(failure)

    def credential(self) -> int | None:
        return self.key

    def calls_needed(self, place: Place) -> int:
        return 2

    def calls_to_find(self, city: str, language: str) -> int:
        return 1

    async def find(self, city: str, language: str) -> Place:
        await self._call("find")
        if city == UNKNOWN:
            raise ProviderError(Failure.CITY_UNKNOWN, suggestions=("Atlanta, US",))
        if place := self.places.get((city, language)):
            return place
        latitude = float(city.split()[-1]) if city[-1].isdecimal() else 45.0
        return Place(name=f"{city} ({language})", country="XX", latitude=latitude, longitude=7.0)

    async def weather(self, place: Place) -> Weather:
        await self._call("weather")
        return replace(sample_weather(place, self.clock()), source=self.name)

    async def _call(self, method: str) -> None:
        self.calls[method] += 1
        self.in_progress += 1
        self.most_in_progress = max(self.most_in_progress, self.in_progress)
        try:
            await self.gate.wait()
        finally:
            self.in_progress -= 1
        if method in self.errors:
            raise self.errors[method]


class RecordingMetrics:
    """Remembers what was counted."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.reads: Counter[str] = Counter()

    def count_call(self, provider: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.calls.append((provider, outcome))

    def count_cache(self, result: str) -> None:
        self.reads[result] += 1
