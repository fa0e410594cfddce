"""Two hours of ordinary life, and whether the operator grows meanwhile: `make soak`.

On a control plane of its own, whose pods are ready after 0.3 s, users act upon their apps about
once in two seconds. The operator's process is looked at every half a minute. Ends with 1 if
anything grows, if the process has ended, or if an app is not in the end what its user wants. After
an end it is started again, as a kubelet would, and the samples begin anew.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from campaign.api import Api
from rich.console import Console
from rich.table import Table
from support.clusters import running_cluster
from support.deadlines import eventually
from support.kubectl import ROOT, Shell
from support.operator import Operator, install

from soak.samples import LIMITS_PER_HOUR, Trend, read, trends
from soak.users import Users

_REST_SECONDS = 300
_REPORT_SECONDS = 300


def main() -> int:
    """Let users act for so long, and print what became of the operator."""
    options = _options()
    console = Console(width=None if sys.stdout.isatty() else 100)
    with (
        running_cluster("soak", control_plane_only=True) as cluster,
        tempfile.TemporaryDirectory() as directory,
    ):
        install(Shell.of(cluster))
        operator = Operator(
            kubeconfig=cluster.kubeconfig,
            log=Path(directory, "log"),
            environment={
                "LOG_LEVEL": "WARNING",
                "PYTHONPATH": str(ROOT / "tests"),
                "SAMPLES": str(options.csv.absolute()),
                "SAMPLE_SECONDS": str(options.sample_seconds),
            },
            module="soak.sampled_operator",
        )
        operator.log.touch()
        _start(operator)
        try:
            failures = _live(
                operator, Users(Api(cluster.kubeconfig), options.apps, _CHANCE), options
            )
        finally:
            operator.stop()
        failures += [line for line in operator.log.read_text().splitlines() if "Traceback" in line]
    found = trends(read(options.csv))
    console.print(_table(found))
    failures += [f"{each.name} grows" for each in found if each.grows]
    for failure in failures:
        console.print(failure, markup=False, soft_wrap=True)
    return 1 if failures else 0


_CHANCE = random.Random(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    add = parser.add_argument
    add("--hours", type=float, default=2)
    add("--apps", type=int, default=300)
    add("--every", type=float, default=2, metavar="S", help="seconds between two acts")
    add("--sample-seconds", type=float, default=30, metavar="S")
    add("--csv", type=Path, default=Path("build/soak.csv"), metavar="FILE", help="the samples")
    options = parser.parse_args()
    options.csv.parent.mkdir(parents=True, exist_ok=True)
    return options


def _live(operator: Operator, users: Users, options: argparse.Namespace) -> list[str]:
    """Return what went wrong; the samples are in their file."""
    began = reported = time.monotonic()
    users.begin()
    failures = []
    while time.monotonic() - began < options.hours * 3600:
        if operator.process is None or operator.process.poll() is not None:
            failures.append(f"the operator has ended: {operator.log.read_text()[-500:]}")
            print(failures[-1], flush=True)
            options.csv.rename(options.csv.with_suffix(f".{len(failures)}.csv"))
            _start(operator)
        users.act()
        if time.monotonic() - reported > _REPORT_SECONDS:
            reported = time.monotonic()
            _report(reported - began, users, options.csv)
        time.sleep(options.every * users.chance.uniform(0.5, 1.5))  # so gentle the stream is
    print(f"acts: {dict(users.acts)}", flush=True)
    try:
        eventually(lambda: not users.unfinished(), seconds=_REST_SECONDS, every=2)
    except AssertionError:
        failures += users.unfinished()
    return failures


def _start(operator: Operator) -> None:
    """Start it, also on a machine that is busy enough to have made it lose its Lease."""
    operator.start()
    eventually(lambda: operator.metric("weather_operator_leader"), seconds=_REST_SECONDS)


def _report(seconds: float, users: Users, file: Path) -> None:
    newest = read(file)[-1:]
    said = ", ".join(
        f"{name} {value:g}" for each in newest for name, value in each._asdict().items()
    )
    print(f"{seconds / 60:.0f} min, {users.acts.total()} acts: {said}", flush=True)


def _table(found: list[Trend]) -> Table:
    heads = ("", "first", "last", "lowest", "highest", "an hour", "an hour, %", "may", "grows")
    table = Table(*heads, title="Soak, after the first quarter", title_justify="left")
    for each in found:
        numbers = (each.first, each.last, each.lowest, each.highest)
        table.add_row(
            each.name,
            *(f"{number:,.6g}" for number in numbers),
            f"{each.per_hour:+.3g}",
            f"{100 * each.per_hour / each.first:+.1f}",
            f"{100 * LIMITS_PER_HOUR[each.name]:.0f}",
            "yes" if each.grows else "no",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
