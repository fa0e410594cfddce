"""Generated plans against the real operator on a real control plane: `make campaign`."""

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from weather_cluster.clusters import Cluster

from campaign.bugs import BUGS
from campaign.hunt import hunt, side_by_side
from campaign.minimise import minimised
from campaign.plans import Plan, generate
from campaign.play import Result, play
from campaign.scenes import with_scenes
from campaign.stage import Stage, own_cluster, stage


def main() -> int:
    """Play plans, and say which failed and how to play them again."""
    options = _options()
    plans = [with_scenes(_plan(seed, options)) for seed in options.seeds]
    console = Console(width=None if sys.stdout.isatty() else 120)
    if options.show:
        for plan in plans:
            _show(plan, console)
        return 0
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)  # the proxy breaks connections
    with own_cluster() as cluster:
        if options.bugs:
            return _hunt(cluster, plans, options, console)
        with _set(cluster, {}) as here:
            results = _play_all(here, plans, options, console)
            console.print(_summary(results))
            failed = [result for result in results if result.failures]
            for result in failed:
                _print_failures(result, console)
                if options.minimise:
                    _minimise(here, result, options, console)
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make campaign", description=__doc__)
    add = parser.add_argument
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--seeds", type=_range, metavar="N", help="the first N plans (default 20), or N-M"
    )
    which.add_argument("--seed", type=int, help="one plan, which is then played alone")
    add("--scenes", action="store_true", help="only the scenes in which every plan ends")
    add("--side-by-side", type=int, default=3, metavar="N", help="so many plans at once")
    add("--timeout", type=float, default=300, metavar="S", help="seconds until an end must come")
    add("--minimise", type=float, metavar="S", help="drop steps of what fails, for S seconds each")
    add("--show", action="store_true", help="print the plans and play none")
    add(
        "--bugs",
        nargs="*",
        metavar="BUG",
        help=f"plant these mistakes, or all, each in an operator of its own: {'; '.join(BUGS)}",
    )
    add("--log", type=Path, metavar="FILE", help="append a line of JSON for each plan")
    options = parser.parse_args()
    if options.seed is not None:
        options.seeds = range(options.seed, options.seed + 1)
    options.seeds = options.seeds or range(1, 21)
    if options.bugs is not None:
        unknown = [name for name in options.bugs if name not in BUGS]
        if unknown:
            parser.error(f"no bug is called {', '.join(unknown)}: see --help")
        options.bugs = options.bugs or [*BUGS]
    return options


def _plan(seed: int, options: argparse.Namespace) -> Plan:
    return Plan(seed=seed, steps=()) if options.scenes else generate(seed)


def _range(text: str) -> range:
    first, dash, last = text.partition("-")
    return range(int(first), int(last) + 1) if dash else range(1, int(first) + 1)


@contextmanager
def _set(cluster: Cluster, environment: dict[str, str]) -> Iterator[Stage]:
    with (
        tempfile.TemporaryDirectory() as directory,
        stage(cluster, Path(directory), environment) as here,
    ):
        yield here


def _play_all(
    here: Stage, plans: Sequence[Plan], options: argparse.Namespace, console: Console
) -> list[Result]:
    results = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("plans", total=len(plans))
        playing = side_by_side(here, plans, number=options.side_by_side, timeout=options.timeout)
        for result in playing:
            results.append(result)
            _log(options.log, result)
            failed = sum(bool(each.failures) for each in results)
            progress.update(task, advance=1, description=f"plans, {failed} failed")
            if not console.is_terminal:
                state = "; ".join(result.failures) or "as predicted"
                console.print(f"seed {result.plan.seed}: {state} ({result.seconds:.0f} s)")
    return results


def _hunt(
    cluster: Cluster, plans: Sequence[Plan], options: argparse.Namespace, console: Console
) -> int:
    """Plant the bugs, each in an operator of its own, and play plans until one of them fails."""

    def report(name: str, found: Result | None) -> None:
        said = f"seed {found.plan.seed}: {found.failures[0]}" if found else "not caught"
        console.print(f"{name}: {said}", soft_wrap=True)

    caught = hunt(
        cluster,
        options.bugs,
        plans,
        number=options.side_by_side,
        timeout=options.timeout,
        report=report,
    )
    table = Table("bug", "caught by seed", "as", title="Planted bugs", title_justify="left")
    for name, found in caught.items():
        table.add_row(name, *((str(found.plan.seed), found.failures[0]) if found else ("none", "")))
    console.print(table)
    return 0 if all(caught.values()) else 1


def _minimise(here: Stage, result: Result, options: argparse.Namespace, console: Console) -> None:
    def still_fails(plan: Plan) -> bool:
        return bool(play(here, plan, timeout=options.timeout).failures)

    console.print(f"seed {result.plan.seed}, as small as it could be made:")
    _show(minimised(result.plan, still_fails, seconds=options.minimise), console)


def _show(plan: Plan, console: Console) -> None:
    console.print(f"seed {plan.seed}: {len(plan.steps)} steps, {plan.faults} of them faults")
    for step in plan.steps:
        console.print(f"  {step.after:4.2f} s  {step}", markup=False, soft_wrap=True)


def _print_failures(result: Result, console: Console) -> None:
    console.print(f"seed {result.plan.seed} failed; again: make campaign SEED={result.plan.seed}")
    for failure in result.failures:
        console.print(f"  {failure}", markup=False, soft_wrap=True)


def _summary(results: Sequence[Result]) -> Table:
    table = Table("figure", "value", title="Campaign", title_justify="left")
    settled = sorted(result.settled_seconds for result in results)
    for name, value in (
        ("plans", len(results)),
        ("steps", sum(len(result.plan.steps) for result in results)),
        ("of them faults", sum(result.plan.faults for result in results)),
        ("writes of the operator", sum(result.writes for result in results)),
        ("plans that failed", sum(bool(result.failures) for result in results)),
        ("until settled, median, s", f"{settled[len(settled) // 2]:.1f}" if settled else "none"),
        ("until settled, longest, s", f"{settled[-1]:.1f}" if settled else "none"),
    ):
        table.add_row(name, str(value))
    return table


def _log(file: Path | None, result: Result) -> None:
    if file is None:
        return
    said = {
        "at": round(time.time()),
        "seed": result.plan.seed,
        "steps": len(result.plan.steps),
        "faults": result.plan.faults,
        "writes": result.writes,
        "seconds": round(result.seconds, 1),
        "settled": round(result.settled_seconds, 1),
        "failures": result.failures,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lines:
        lines.write(f"{json.dumps(said)}\n")


if __name__ == "__main__":
    sys.exit(main())
