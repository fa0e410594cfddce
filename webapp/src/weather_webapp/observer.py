"""Who may watch what the weather's source does."""

from typing import Literal, Protocol

Answered = Literal["hit", "miss", "stale", "negative"]


class Observer(Protocol):
    """Is told of each call and each answer; labels come from small fixed sets."""

    def upstream(self, provider: str, outcome: str, seconds: float) -> None:
        """Take note of one HTTP call: the outcome is ok or the value of a Failure."""

    def cache(self, result: Answered) -> None:
        """Take note of one answer; negative: a failure is remembered and nothing was asked."""


class Nobody:
    """Watches nothing."""

    def upstream(self, provider: str, outcome: str, seconds: float) -> None:
        """Forget the call."""

    def cache(self, result: Answered) -> None:
        """Forget the answer."""


NOBODY = Nobody()
