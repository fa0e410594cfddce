"""One line for each step that takes time."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console

Report = Callable[[str], AbstractContextManager[None]]
"""Called with the name of a step; the step lasts as long as the context."""


@contextmanager
def silent(step: str) -> Iterator[None]:
    """Report nothing."""
    yield


def on_console(console: Console) -> Report:
    """Report with a spinner while a step runs, then with its seconds and its name."""

    @contextmanager
    def report(step: str) -> Iterator[None]:
        began = time.monotonic()
        with console.status(step) if console.is_terminal else silent(step):
            yield
        console.print(f"{time.monotonic() - began:6.1f} s  {step}", highlight=False, markup=False)

    return report
