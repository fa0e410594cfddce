"""Programs that go on running after the command that started them.

Each has the directory of its cluster and the name of its component in its environment, which its
children inherit. What runs for a cluster is therefore read from /proc alone: there is no file with
process ids that can be missing or stale.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from weather_cluster.errors import ClusterError

Condition = Callable[[], bool]

DIRECTORY = "WEATHER_CLUSTER_DIRECTORY"
COMPONENT = "WEATHER_CLUSTER_COMPONENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process of a cluster; `component` is None for a child of a component."""

    pid: int
    component: str | None


def start(
    directory: Path,
    component: str,
    command: Sequence[str | Path],
    *,
    enter: Sequence[str] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Start a component in a session of its own, with its output in the cluster's log directory.

    `enter` is a command prefix that executes the program in its own place, as nsenter does.
    Raises ClusterError with the end of the log when the program does not start.
    """
    with log_file(directory, component).open("ab") as log:
        subprocess.run(
            ["setsid", "--fork", *enter, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=directory,
            env={
                **environment,
                "PATH": f"{directory / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": str(directory),
                DIRECTORY: str(directory),
                COMPONENT: component,
            },
            check=True,
        )
    # Until the last exec is done the kernel may show no environment, and the component as dead.
    deadline = time.monotonic() + 10
    while str(command[0]) not in _programs(directory, component):
        if time.monotonic() > deadline:
            raise ClusterError(f"{component} did not start; {_log_end(directory, component)}")
        time.sleep(0.005)


def log_file(directory: Path, component: str) -> Path:
    """Return the file that a component's output goes to."""
    return directory / "log" / f"{component}.log"


def components(directory: Path) -> dict[str, bool]:
    """Return each component that was ever started for the cluster, and whether it runs."""
    alive = {process.component for process in running(directory)}
    logs = sorted((directory / "log").glob("*.log"))
    return {log.stem: log.stem in alive for log in logs}


def running(directory: Path) -> Iterator[Process]:
    """Yield every process of the cluster that this user may see."""
    mark = f"{DIRECTORY}={directory}".encode()
    for pid in [int(entry) for entry in os.listdir("/proc") if entry.isdecimal()]:
        with suppress(OSError):
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if mark in variables:
                yield Process(
                    pid=pid, component=_component(variables) if _is_session_leader(pid) else None
                )


def wait_until(ready: Condition, directory: Path, component: str, *, seconds: float) -> None:
    """Return once `ready()` is true.

    Raises ClusterError with the end of the component's log when it ends or time runs out.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if not components(directory).get(component):
            raise ClusterError(
                f"{component} ended while it started; {_log_end(directory, component)}"
            )
        if time.monotonic() > deadline:
            end = _log_end(directory, component)
            raise ClusterError(f"{component} was not ready after {seconds:.0f} s; {end}")
        time.sleep(0.05)


def kill(pid: int, mark: bytes) -> None:
    """Kill the process, unless its id now belongs to one without this environment variable."""
    with suppress(ProcessLookupError, FileNotFoundError):
        handle = os.pidfd_open(pid)
        try:
            if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)


def kill_all(directory: Path, *, seconds: float = 20) -> None:
    """Kill every process of the cluster, components before their children.

    Raises ClusterError when processes outlive that.
    """
    mark = f"{DIRECTORY}={directory}".encode()
    deadline = time.monotonic() + seconds
    while found := sorted(running(directory), key=lambda process: process.component is None):
        for process in found:
            kill(process.pid, mark)
        if time.monotonic() > deadline:
            pids = ", ".join(str(process.pid) for process in found)
            raise ClusterError(f"processes {pids} do not end; look at them with ps, then try again")
        time.sleep(0.02)


def tail(directory: Path, component: str, lines: int = 20) -> str:
    """Return the last lines of a component's log."""
    text = log_file(directory, component).read_text(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def _programs(directory: Path, component: str) -> Iterator[str]:
    for process in running(directory):
        if process.component == component:
            with suppress(OSError):
                yield Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")[0]


def _is_session_leader(pid: int) -> bool:
    return os.getsid(pid) == pid


def _component(variables: list[bytes]) -> str:
    prefix = f"{COMPONENT}=".encode()
    return next(v for v in variables if v.startswith(prefix)).removeprefix(prefix).decode()


def _log_end(directory: Path, component: str) -> str:
    return f"the end of {log_file(directory, component)}:\n{tail(directory, component)}"
