"""What stands in for a node's own machine: namespaces and a control group of this one.

Besides its network namespace a node has a mount namespace, where it alone sees what it writes to
/run, /var/log and /var/lib, and where its part of the cluster's directory is /run/node. Sockets
therefore have short names, and every mount of a pod is gone with the node's last process. Pods run
in a control group of the node's, through which whatever they left behind can be killed.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from weather_cluster import processes
from weather_cluster.errors import ClusterError
from weather_cluster.network import Node
from weather_cluster.pki import Authority

CGROUPS = Path("/sys/fs/cgroup")
PRIVATE_MOUNTS = """
mount -t tmpfs tmpfs /run && mkdir -p /run/netns /run/node /run/lib/own /run/lib/work &&
mount --bind "$0" /run/node && mount -t tmpfs tmpfs /var/log &&
mount -t overlay -o lowerdir=/var/lib,upperdir=/run/lib/own,workdir=/run/lib/work lib /var/lib &&
exec "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHost:
    """A node's host, and what its components need to know of the cluster.

    `directory` is the cluster's, `server` the API server's URL, `registry` the "host:port" of the
    image registry.
    """

    node: Node
    directory: Path
    authority: Authority
    server: str
    registry: str

    @property
    def files(self) -> Path:
        """The node's part of the cluster's directory: /run/node inside."""
        return self.directory / self.node.name

    @property
    def create_and_enter(self) -> tuple[str, ...]:
        """The command prefix that creates the mount namespace and runs the node's first program.

        Mounts made later on this machine reach the node; the node's own stay inside.
        """
        unshare = ("unshare", "--mount", "--propagation=slave", "sh", "-c", PRIVATE_MOUNTS)
        return (*self.node.enter, *unshare, str(self.files))

    def component(self, program: str) -> str:
        """Return the name by which `status` and `logs` know the node's program."""
        return f"{program}-{self.node.index}"


def enter(directory: Path, node: Node) -> tuple[str, ...]:
    """Return the command prefix that runs a program on the node's host.

    Raises ClusterError when containerd, which holds the mount namespace, does not run.
    """
    holder = f"containerd-{node.index}"
    for process in processes.running(directory):
        if process.component == holder:
            mounts = f"--mount=/proc/{process.pid}/ns/mnt"
            return ("nsenter", node.nsenter_option, mounts, "--")
    raise ClusterError(f"{holder} does not run: weather-cluster status says how it ended")


def create_cgroup(node: Node) -> None:
    """Create the node's control group: under version 1 in each controller, under version 2 once."""
    unified = (CGROUPS / "cgroup.controllers").exists()
    for hierarchy in [CGROUPS] if unified else CGROUPS.iterdir():
        if hierarchy.is_dir() and not hierarchy.is_symlink():
            (hierarchy / node.key).mkdir(exist_ok=True)


def remove_cgroups(number: int, *, seconds: float = 20) -> None:
    """Kill every process in the control groups of this cluster's nodes, then remove the groups.

    Raises ClusterError when processes outlive that.
    """
    deadline = time.monotonic() + seconds
    while groups := list(_cgroups(f"weather-{number}-*")):
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


def _cgroups(pattern: str) -> Iterator[Path]:
    """Yield the groups and all below them, the deepest first."""
    for top in (*CGROUPS.glob(pattern), *CGROUPS.glob(f"*/{pattern}")):
        for folder, _, _ in os.walk(top, topdown=False):
            yield Path(folder)
