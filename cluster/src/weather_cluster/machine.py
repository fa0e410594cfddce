"""A node before Kubernetes: namespaces of this machine.

Besides its network namespace a node has a mount namespace, where it alone sees what it writes to
/run, /var/log and /var/lib, and its part of the cluster's directory is /run/node. Sockets so have
short names, and every mount of a pod is gone with the node's last process.
"""

from dataclasses import dataclass
from pathlib import Path

from weather_cluster import processes
from weather_cluster.errors import ClusterError
from weather_cluster.network import Node
from weather_cluster.pki import Authority

OWN_MOUNTS = """
mount -t tmpfs tmpfs /run && mkdir -p /run/netns /run/node /run/lib/own /run/lib/work &&
mount --bind "$0" /run/node && mount -t tmpfs tmpfs /var/log &&
mount -t overlay -o lowerdir=/var/lib,upperdir=/run/lib/own,workdir=/run/lib/work lib /var/lib &&
exec "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a node's programs are started with."""

    node: Node
    directory: Path
    authority: Authority
    server: str
    registry: str

    @property
    def files(self) -> Path:
        """The node's part of the cluster's directory, /run/node inside."""
        return self.directory / self.node.name

    @property
    def first_enter(self) -> tuple[str, ...]:
        """The command prefix that makes the mount namespace and runs a program in both.

        Mounts made on this machine reach the node, those of the node do not come back.
        """
        apart = ("unshare", "--mount", "--propagation=slave", "sh", "-c", OWN_MOUNTS)
        return (*self.node.enter, *apart, str(self.files))

    def component(self, program: str) -> str:
        """The name that `status` and `logs` know the node's program by."""
        return f"{program}-{self.node.index}"


def enter(directory: Path, node: Node) -> tuple[str, ...]:
    """Give the command prefix that runs a program in the node's two namespaces."""
    holder = f"containerd-{node.index}"
    for process in processes.running(directory):
        if process.component == holder:
            mounts = f"--mount=/proc/{process.pid}/ns/mnt"
            return ("nsenter", node.network_option, mounts, "--")
    raise ClusterError(f"{holder} does not run: weather-cluster status says how it ended")
