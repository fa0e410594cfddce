"""Waiting for the world, with a deadline instead of a sleep."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(probe: Callable[[], T], *, seconds: float = 120, every: float = 0.1) -> T:
    """Return the first true answer of the probe; until then it may assert, or miss something.

    At the deadline raises the probe's last error, or AssertionError with its last answer. It only
    bounds how long a failure takes, so it is far: a slow machine is none.
    """
    deadline = time.monotonic() + seconds
    while True:
        failure: Exception | None = None
        try:
            if answer := probe():
                return answer
        except (AssertionError, LookupError, ValueError) as error:
            failure = error
        if time.monotonic() > deadline:
            raise failure or AssertionError(
                f"not within {seconds:.0f} s; the last answer: {answer!r}"
            )
        time.sleep(every)
