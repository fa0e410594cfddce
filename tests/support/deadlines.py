"""Waiting for the world, with a deadline instead of a sleep."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(probe: Callable[[], T], *, seconds: float = 60, every: float = 0.1) -> T:
    """Return the first true answer of the probe; a probe that asserts may fail until then.

    Raises AssertionError with the last answer, or the last failed assertion, at the deadline.
    """
    deadline = time.monotonic() + seconds
    while True:
        failure: AssertionError | None = None
        try:
            if answer := probe():
                return answer
        except AssertionError as error:
            failure = error
        if time.monotonic() > deadline:
            raise failure or AssertionError(
                f"not within {seconds:.0f} s; the last answer: {answer!r}"
            )
        time.sleep(every)
