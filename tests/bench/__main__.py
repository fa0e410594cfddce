"""Figures of the whole, in tables: `make bench`. Nothing here passes or fails."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext

from rich.console import Console
from rich.table import Table

from bench import (
    analysis,
    binaries,
    canaries,
    canary,
    clusters,
    images,
    load_balancer,
    operator,
    waves,
    webapp,
)
from bench.figures import Figure

PARTS = {
    "analysis": analysis.measure,
    "binaries": binaries.measure,
    "canaries": canaries.measure,
    "canary": canary.measure,
    "clusters": clusters.measure,
    "images": images.measure,
    "load-balancer": load_balancer.measure,
    "operator": operator.measure,
    "waves": waves.measure,
    "webapp": webapp.measure,
}
SLOW = {"binaries", "load-balancer"}


def main() -> None:
    """Measure from outside, and print one table for each part."""
    parser = argparse.ArgumentParser(prog="make bench", description=main.__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"any of {', '.join(PARTS)}; without one, all but {' and '.join(sorted(SLOW))}",
    )
    chosen = parser.parse_args().parts or [part for part in PARTS if part not in SLOW]
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"no part is called {', '.join(unknown)}: choose from {', '.join(PARTS)}")
    console = Console(width=None if sys.stdout.isatty() else 100)
    for part in chosen:
        with console.status(f"measuring {part}") if console.is_terminal else nullcontext():
            figures = PARTS[part]()
        console.print(_table(part, figures))


def _table(title: str, figures: Sequence[Figure]) -> Table:
    cases = list(dict.fromkeys(figure.case for figure in figures))
    units = any(figure.unit for figure in figures)
    heads = ["figure", *(case or "value" for case in cases), *(["unit"] if units else [])]
    table = Table(*heads, title=title, title_justify="left")
    rows: dict[str, dict[str, Figure]] = {}
    for figure in figures:
        rows.setdefault(figure.name, {})[figure.case] = figure
    for name, row in rows.items():
        shown = [row[case].shown if case in row else "" for case in cases]
        table.add_row(name, *shown, *([next(iter(row.values())).unit] if units else []))
    return table


if __name__ == "__main__":
    main()
