"""Fetching and `go build` of several programs at once, with how much is done of all.

Go compiles package by package into its own cache, so an interrupted build goes on where it was,
and programs of one module share what they have in common.
"""

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from weather_cluster.errors import ClusterError
from weather_cluster.host import run
from weather_cluster.progress import Report

LINK_BYTES = 2_000_000
"""How much source takes as long to compile as it takes to link a program, about."""

MEMORY_PER_LINK = 2e9
DOWNLOADS = 16
"""How many modules are fetched at once: Go itself would fetch one for each processor."""

_STALE = (
    '{{if and .Stale (ne .Name "main")}}{{.ImportPath}}\t{{.Dir}}\t{{join .GoFiles "\t"}}{{end}}'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoBuild:
    """Programs of one module, each a Go package, that the same flags make; `title` says which."""

    title: str
    module: Path
    packages: tuple[str, ...]
    flags: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)


@dataclass(slots=True, kw_only=True)
class Meter:
    """How far a build is, from what Go says and the sizes of the packages that it has to compile.

    `sizes` are bytes of source; `linked` counts which of the `programs` are done.
    """

    sizes: Mapping[str, int]
    programs: tuple[str, ...]
    linked: Callable[[], int]
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)
    seen: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def begins(self, line: str) -> bool:
        """Count a package that Go begins to compile; tell whether the line names one."""
        if line in self.sizes:
            self.seen.add(line)
        return line in self.sizes or line in self.programs

    def state(self) -> tuple[str, float]:
        """Return what is done of all in words, and as a share from 0 to 1.

        There is an estimate of how long the rest takes once there is evidence for one.
        """
        linked, programs = self.linked(), len(self.programs)
        whole = sum(self.sizes.values()) + LINK_BYTES * programs
        done = sum(self.sizes[name] for name in self.seen) + LINK_BYTES * linked
        share, passed = done / whole, self.clock() - self.began
        if len(self.seen) < len(self.sizes):
            words = f"{len(self.seen):,} of {len(self.sizes):,} packages"
        else:
            words = f"{linked} of {programs} programs linked"
        if share < 0.02 or share == 1 or passed < 10:
            return words, share
        left = passed * (1 - share) / share
        return (
            f"{words}, {f'about {left / 60:.0f} min' if left >= 45 else 'under a minute'} left",
            share,
        )


def fetch(go: Path, what: GoBuild, report: Report) -> None:
    """Fetch the modules that the programs are made of into Go's cache. Raises ClusterError."""
    fetched: list[str] = []

    def takes(line: str) -> bool:
        fetched.extend(line.split()[2:3] if line.startswith("go: downloading ") else ())
        return line.startswith("go: ")

    with report(f"fetch the sources of {what.title}") as update:
        _run(
            [go, "list", "-deps", *what.flags, *what.packages],
            what.module,
            {**what.environment, "GOMAXPROCS": str(DOWNLOADS)},
            takes=takes,
            tick=lambda: update(f"{len(fetched)} modules", 0) if fetched else None,
        )


def build(go: Path, what: GoBuild, output: Path, report: Report, *, inherit: int) -> None:
    """Put the programs into the directory `output`, each under its package's last name.

    Go inherits the file descriptor `inherit`. Raises ClusterError with what the compiler said.
    """
    work = output / "work"
    work.mkdir(parents=True)
    environment = {**what.environment, "GOTMPDIR": str(work)}
    names = [program_name(package) for package in what.packages]
    with report(f"build {what.title}") as update:
        meter = Meter(
            sizes=_sizes_of_stale(go, what),
            programs=what.packages,
            linked=lambda: sum((output / name).exists() for name in names),
        )
        _run(
            [go, "build", "-v", *_jobs(), "-o", output, *what.flags, *what.packages],
            what.module,
            environment,
            inherit,
            takes=meter.begins,
            tick=lambda: update(*meter.state()),
        )


def program_name(package: str) -> str:
    """Return the name that Go gives to a program: the path's last, but for a major version."""
    *_, above, last = ("", *package.split("/"))
    is_version = last[0] == "v" and last[1:].isdecimal()
    return above if is_version else last


def _sizes_of_stale(go: Path, what: GoBuild) -> dict[str, int]:
    """Return the bytes of source of each package that is not in Go's cache."""
    sizes: dict[str, int] = {}
    flags, where = ("-deps", f"-f={_STALE}", *what.flags), what.module
    text = run(go, "list", *flags, *what.packages, directory=where, environment=what.environment)
    for line in filter(None, text.splitlines()):
        package, directory, *files = line.split("\t")
        sizes[package] = sum(Path(directory, file).stat().st_size for file in filter(None, files))
    return sizes


def _jobs() -> tuple[str, ...]:
    """Return an option that keeps Go from linking more programs at once than memory holds."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    jobs = max(1, int(memory / MEMORY_PER_LINK))
    return (f"-p={jobs}",) if jobs < len(os.sched_getaffinity(0)) else ()


def _run(
    command: Sequence[str | Path],
    directory: Path,
    environment: Mapping[str, str],
    *inherit: int,
    takes: Callable[[str], bool],
    tick: Callable[[], None],
) -> str:
    """Run Go, show each line of its error output to `takes`, and return its output.

    `tick` is called twice a second. Raises ClusterError with the lines that were not taken.
    """
    rest: list[str] = []
    with (
        tempfile.TemporaryFile("w+") as output,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            cwd=directory,
            env=environment,
            pass_fds=inherit,
        ) as process,
    ):
        lines = process.stderr or ()
        reader = threading.Thread(
            target=lambda: rest.extend(line for line in lines if not takes(line.rstrip("\n")))
        )
        reader.start()
        try:
            _wait(process, tick)
        except BaseException:
            process.send_signal(signal.SIGINT)
            raise
        finally:
            reader.join()
        output.seek(0)
        if process.returncode:
            words = "".join(rest).strip()[-2000:]
            raise ClusterError(f"{' '.join(map(str, command))} failed: {words}")
        return output.read()


def _wait(process: "subprocess.Popen[str]", tick: Callable[[], None]) -> None:
    while process.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.5)
        tick()
