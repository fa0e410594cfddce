"""What a weather provider is; `factory` makes those that the settings name."""

from typing import Protocol

from weather_webapp.weather import Place, ProviderName, Weather


class Provider(Protocol):
    """A service to get weather from, at most `max_concurrency` calls of a host at a time.

    Its two hosts may be the same one.
    """

    name: ProviderName
    max_concurrency: int
    geocoding_host: str
    weather_host: str

    def credential(self) -> int | None:
        """Return a number that changes with the API key; None when one is needed and missing."""
        ...

    def calls_needed(self, place: Place) -> int:
        """Return how many HTTP calls the weather of this place takes now."""
        ...

    def calls_to_find(self, city: str, language: str) -> int:
        """Return how many HTTP calls finding this city takes at most."""
        ...

    async def find(self, city: str, language: str) -> Place:
        """Return the city of this name; regions and a country may follow: "Paris, Texas, US".

        Raises ProviderError and nothing else, CITY_UNKNOWN when there is none.
        """
        ...

    async def weather(self, place: Place) -> Weather:
        """Return the weather of this place. Raises ProviderError and nothing else."""
        ...
