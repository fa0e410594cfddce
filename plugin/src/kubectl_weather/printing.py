"""How things look in a terminal, and in a file or a pipe: the same words without colour."""

import json
import sys
from collections.abc import Iterable, Sequence
from functools import cache

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from kubectl_weather.tree import BAD, GOOD, QUIET, WAITING, Branch, Word

STYLES = {
    GOOD: "green",
    WAITING: "yellow",
    BAD: "red",
    QUIET: "dim",
    "yellow": "bold yellow",
    "green": "bold green",
    "red": "bold red",
    "blue": "bold blue",
}
_NEVER_CUT = 100_000


@cache
def console() -> Console:
    """Return the console: coloured on a terminal unless NO_COLOR is set, never cut elsewhere."""
    return Console(width=None if sys.stdout.isatty() else _NEVER_CUT, highlight=False)


def drawn(root: Branch) -> Tree:
    """Return a tree as it is drawn."""
    tree = Tree(line(root.words), guide_style="dim")
    _grow(tree, root.branches)
    return tree


def say_table(titles: Sequence[str], rows: Iterable[Sequence[Word]]) -> None:
    """Print a table in the form that kubectl gives them."""
    found = Table(*titles, box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for row in rows:
        found.add_row(*(_text(word) for word in row))
    if console().is_terminal:
        console().print(found)
        return
    # The last column would be filled up to its longest word.
    with console().capture() as captured:
        console().print(found)
    for row_said in captured.get().splitlines():
        print(row_said.rstrip())


def line(words: Sequence[Word]) -> Text:
    """Return words as one line."""
    return Text("  ").join(_text(word) for word in words)


def say(*things: RenderableType, sep: str = " ") -> None:
    """Print to the terminal, or plainly to wherever the output goes."""
    console().print(*things, sep=sep, markup=False)


def say_none(namespace: str) -> None:
    """Say that there is nothing to show, beside the output as kubectl does."""
    where = f"in namespace {namespace}" if namespace else "in this cluster"
    print(f"There is no WeatherApp {where}.", file=sys.stderr)


def say_json(value: object, *, indent: int | None = 2) -> None:
    """Print a value as JSON that a person can read too."""
    print(json.dumps(value, indent=indent, ensure_ascii=False), flush=True)


def _text(word: Word) -> Text:
    return Text(word.text, STYLES.get(word.meaning, ""))


def _grow(tree: Tree, branches: Iterable[Branch]) -> None:
    for branch in branches:
        _grow(tree.add(line(branch.words)), branch.branches)
