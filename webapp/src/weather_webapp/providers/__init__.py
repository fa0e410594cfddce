"""What a weather provider is, and the ways in which one fails."""

from enum import StrEnum
from typing import Literal, Protocol

from weather_webapp.weather import Place, ProviderName, Weather

Quota = Literal["minute", "hour", "day"]


class Failure(StrEnum):
    """Why a provider gave no weather; how long to leave it alone depends on this."""

    NO_KEY = "no-key"
    KEY_REFUSED = "key-refused"
    CITY_UNKNOWN = "city-unknown"
    QUOTA_EXCEEDED = "quota-exceeded"
    BUDGET_SPENT = "budget-spent"
    UNAVAILABLE = "unavailable"
    UNREADABLE = "unreadable"


class ProviderError(Exception):
    """A provider gave no weather.

    Carries the kind, the HTTP status, which quota is used up, and names of cities like one that is
    unknown: addresses and bodies may hold the API key.
    """

    def __init__(
        self,
        failure: Failure,
        status: int | None = None,
        *,
        quota: Quota = "minute",
        suggestions: tuple[str, ...] = (),
    ) -> None:
        super().__init__(failure.value if status is None else f"{failure.value} (HTTP {status})")
        self.failure = failure
        self.status = status
        self.quota = quota
        self.suggestions = suggestions


class Provider(Protocol):
    """A place to ask for weather.

    `at_once`: how many may ask at the same time.
    """

    name: ProviderName
    at_once: int

    def credential(self) -> int | None:
        """Return a number that changes with the API key; None when one is needed and missing."""
        ...

    def calls(self, place: Place) -> int:
        """Return how many HTTP calls the weather of this place takes now."""
        ...

    async def find(self, city: str, language: str) -> Place:
        """Return the city of this name, in one HTTP call.

        Raises ProviderError and nothing else, CITY_UNKNOWN when there is none.
        """
        ...

    async def weather(self, place: Place) -> Weather:
        """Return the weather of this place. Raises ProviderError and nothing else."""
        ...
