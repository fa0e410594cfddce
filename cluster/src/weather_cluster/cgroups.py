"""The control groups that nodes keep their pods in."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from weather_cluster.errors import ClusterError

ROOT = Path("/sys/fs/cgroup")


def create(key: str) -> None:
    """Make the group: under version 1 in each controller, under version 2 once."""
    unified = (ROOT / "cgroup.controllers").exists()
    for hierarchy in [ROOT] if unified else ROOT.iterdir():
        if hierarchy.is_dir() and not hierarchy.is_symlink():
            (hierarchy / key).mkdir(exist_ok=True)


def remove(pattern: str, *, seconds: float = 20) -> None:
    """Kill every process in the groups of this name pattern, then remove the groups."""
    deadline = time.monotonic() + seconds
    while groups := list(_groups(pattern)):
        for group in groups:
            with suppress(OSError):
                for pid in (group / "cgroup.procs").read_text().split():
                    with suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
        for group in groups:
            with suppress(OSError):
                group.rmdir()
        if time.monotonic() > deadline:
            raise ClusterError(f"the control group {groups[0]} still has processes: end them first")
        time.sleep(0.02)


def _groups(pattern: str) -> Iterator[Path]:
    """Give the groups and all below them, the deepest first."""
    for top in (*ROOT.glob(pattern), *ROOT.glob(f"*/{pattern}")):
        for folder, _, _ in os.walk(top, topdown=False):
            yield Path(folder)
