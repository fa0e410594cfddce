"""The processes of a cluster, stopped and started as they were: what a test may do to its own."""

import os
import shutil
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from support.deadlines import eventually
from support.kubectl import Shell
from weather_cluster import processes
from weather_cluster.clusters import Cluster

_SERVER = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
"""In the order in which they start."""


def kill(cluster: Cluster, component: str) -> list[str]:
    """Kill a component, and return the command that starts it again."""
    found = [each for each in processes.running(cluster.directory) if each.component == component]
    (pid,) = (each.pid for each in found)
    command = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
    os.kill(pid, signal.SIGKILL)
    eventually(partial(_is_gone, pid))
    return command


def restart(cluster: Cluster, component: str) -> None:
    """Kill a component and start it as it was."""
    _start(cluster, component, kill(cluster, component))


def backup(cluster: Cluster, to: Path) -> None:
    """Copy what etcd has stored, while it stands still."""
    command = kill(cluster, "etcd")
    shutil.copytree(cluster.directory / "etcd", to)
    _start(cluster, "etcd", command)
    wait_until_ready(cluster)


def restore(cluster: Cluster, backup: Path) -> None:
    """Bring the cluster back as it was when the backup was made, as its documentation says how."""
    commands = {component: kill(cluster, component) for component in reversed(_SERVER)}
    shutil.rmtree(cluster.directory / "etcd")
    shutil.copytree(backup, cluster.directory / "etcd")
    for component in _SERVER:
        _start(cluster, component, commands[component])
        if component == "kube-apiserver":
            wait_until_ready(cluster)


def wait_until_ready(cluster: Cluster) -> None:
    """Return when the API server, and its etcd, answer."""
    shell = Shell.of(cluster)
    eventually(lambda: shell.run("kubectl", "get", "--raw", "/readyz").returncode == 0)


def _start(cluster: Cluster, component: str, command: Sequence[str]) -> None:
    processes.start(cluster.directory, component, command)


def _is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()
