"""What a command does while it takes time: a bar on a terminal, lines in a log."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, Task, TextColumn
from rich.text import Text

Update = Callable[[str, float], None]
"""Called with how far a step is: in words, and as a share of the whole between 0 and 1."""

Report = Callable[[str], AbstractContextManager[Update]]
"""Called with the name of a step; the step lasts as long as the context."""

SECONDS_BETWEEN_LINES = 30.0


@contextmanager
def silent(step: str) -> Iterator[Update]:
    """Report nothing."""
    yield lambda words, share: None


def on_console(console: Console, *, every: float = SECONDS_BETWEEN_LINES) -> Report:
    """Report what runs, then its seconds and its name.

    While it runs a terminal shows a spinner, and a bar where the step says how far it is; a log
    gets a line each `every` seconds. Several steps may run at once, in threads.
    """
    terminal = _Terminal(console)

    @contextmanager
    def report(step: str) -> Iterator[Update]:
        began = time.monotonic()
        with (
            terminal.show(step) if console.is_terminal else _in_log(console, step, every) as update
        ):
            yield update
        _print(console, time.monotonic() - began, step)

    return report


class _Terminal:
    """A line for each step that runs."""

    def __init__(self, console: Console) -> None:
        name = TextColumn("{task.description}", markup=False)
        words = TextColumn("{task.fields[words]}", markup=False)
        self._shown = Progress(
            SpinnerColumn(), name, _Bar(16), words, console=console, transient=True
        )
        self._lock = threading.Lock()

    @contextmanager
    def show(self, step: str) -> Iterator[Update]:
        with self._lock:
            task = self._shown.add_task(step, total=None, words="")
            self._shown.start()
        try:
            yield lambda words, share: self._shown.update(
                task, total=1, completed=share, words=words
            )
        finally:
            with self._lock:
                self._shown.remove_task(task)
                if not self._shown.tasks:
                    self._shown.stop()


@contextmanager
def _in_log(console: Console, step: str, every: float) -> Iterator[Update]:
    began, said, ended = time.monotonic(), [""], threading.Event()

    def print_lines() -> None:
        while not ended.wait(every):
            so_far = f": {said[0]}" if said[0] else " goes on"
            _print(console, time.monotonic() - began, f"{step}{so_far}")

    lines = threading.Thread(target=print_lines, daemon=True)
    lines.start()

    def update(words: str, share: float) -> None:
        said[0] = words

    try:
        yield update
    finally:
        ended.set()
        lines.join()


class _Bar(BarColumn):
    """Nothing at all until the step has said how far it is."""

    def render(self, task: Task) -> Text:  # type: ignore[override] # a bar is one of its kinds
        return Text() if task.total is None else super().render(task)  # type: ignore[return-value]


def _print(console: Console, seconds: float, words: str) -> None:
    console.print(f"{seconds:6.1f} s  {words}", highlight=False, markup=False)
