"""Text for terminals, files and pipes: the same everywhere, coloured on a terminal only."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from kubectl_weather.colours import css_colours, shape_of
from kubectl_weather.terminal import in_one_line

GOOD, WAITING, BAD, QUIET = "good", "waiting", "bad", "quiet"
"""What a span means; the styles below decide how that looks."""

_STYLES = {
    GOOD: "green",
    WAITING: "yellow",
    BAD: "red",
    QUIET: "dim",
    "yellow": "bold yellow",
    "green": "bold green",
    "red": "bold red",
}
_NEVER_CUT = 100_000
_GAP = 3


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text, and what it means: one of the above, a version's colour, or nothing."""

    text: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One line, and the nodes below it."""

    spans: list[Span]
    children: list["TreeNode"] = field(default_factory=list)


def version_span(version: str, colour: str) -> Span:
    """Return a version with its colour's shape and name: never the colour alone."""
    if not version:
        return Span("no version yet", QUIET)
    return Span(f"{shape_of(colour)} {version} {colour}".rstrip(), colour)


@cache
def console() -> Console:
    """Return the console: coloured on a terminal unless NO_COLOR is set, never cut elsewhere."""
    return Console(width=None if sys.stdout.isatty() else _NEVER_CUT, highlight=False)


def rendered(root: TreeNode) -> Tree:
    """Return a tree that `print_text` and rich's own console draw with lines."""
    tree = Tree(line(root.spans), guide_style="dim")
    _add_children(tree, root.children)
    return tree


def print_tree(root: TreeNode) -> None:
    """Print a tree: wrapped below its lines on a terminal, as it is elsewhere."""
    if console().is_terminal:
        console().print(rendered(root))
    else:
        print("\n".join(_drawn(root)))  # rich takes a millisecond for each of a thousand


def _drawn(node: TreeNode, first: str = "", rest: str = "") -> Iterator[str]:
    yield first + line(node.spans).plain
    for child in node.children:
        is_last = child is node.children[-1]
        branch, below = ("└── ", "    ") if is_last else ("├── ", "│   ")
        yield from _drawn(child, rest + branch, rest + below)


def line(spans: Sequence[Span]) -> Text:
    """Return spans as one line."""
    return Text("  ").join(_text(span) for span in spans)


def print_text(*items: str | Tree, sep: str = " ") -> None:
    """Print strings and rendered trees to standard output."""
    shown = [Text(in_one_line(each)) if isinstance(each, str) else each for each in items]
    console().print(*shown, sep=sep)


def print_table(titles: Sequence[str], rows: Iterable[Sequence[Span | Sequence[Span]]]) -> None:
    """Print a table in kubectl's form, without spaces at the end of a line."""
    cells = [[Text(title, "bold") for title in titles]]
    cells += [
        [_text(cell) if isinstance(cell, Span) else line(cell) for cell in row] for row in rows
    ]
    widths = [max(cell.cell_len for cell in column) for column in zip(*cells, strict=True)]
    for row in cells:
        for cell, width in zip(row[:-1], widths, strict=False):
            cell.pad_right(width - cell.cell_len + _GAP)
        printed = Text.assemble(*row)
        if console().is_terminal:
            console().print(printed, soft_wrap=True)
        else:
            print(printed.plain.rstrip())


def print_json(value: object, *, indent: int | None = 2) -> None:
    """Print a value as JSON that a person can read too."""
    is_ascii = sys.stdout.encoding.lower() != "utf-8"
    print(json.dumps(value, indent=indent, ensure_ascii=is_ascii), flush=True)


def no_apps(namespace: str) -> str:
    """Return the sentence that there is nothing to show."""
    where = f"in namespace {namespace}" if namespace else "in this cluster"
    return f"There is no WeatherApp {where}."


def print_no_apps(namespace: str) -> None:
    """Print to standard error that there is nothing to show, as kubectl does."""
    print(no_apps(namespace), file=sys.stderr)


def _text(span: Span) -> Text:
    return Text(in_one_line(span.text), _style(span.meaning))


def _style(meaning: str) -> str:
    if not meaning or meaning in _STYLES:
        return _STYLES.get(meaning, "")
    value = css_colours().get(meaning)
    return f"bold {value}" if value else ""


def _add_children(tree: Tree, children: Iterable[TreeNode]) -> None:
    for child in children:
        _add_children(tree.add(line(child.spans)), child.children)
