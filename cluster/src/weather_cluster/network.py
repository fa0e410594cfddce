"""A subnet for each cluster with nodes, and the network namespaces that nodes live in.

Cluster number N has the subnet 10.231.N.0/24: .1 is this machine, .2 the first node, and so on.
The nodes hang on a bridge in the first node's namespace, so that nothing is bridged or filtered on
the machine itself. The number also names the cluster's namespaces, links and control groups. It is
allocated by a symbolic link in /run, which names the cluster's directory and is the only trace that
`remove` needs, however far the cluster came.
"""

import ipaddress
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from weather_cluster.errors import ClusterError
from weather_cluster.host import run

ALLOCATIONS = Path("/run")
"""Holds a link weather-cluster-N to the cluster's directory for each number in use."""

NUMBERS = range(1, 255)
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
FORWARDING_WAS_OFF = Path("/run/weather-cluster.forwarding")
"""Exists while this machine forwards packets only because a cluster needs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node's names and addresses; `index` counts from 1."""

    number: int
    index: int

    @property
    def name(self) -> str:
        """The node's name in Kubernetes."""
        return f"node-{self.index}"

    @property
    def key(self) -> str:
        """A name that no other node on this machine has: its namespace's and control group's."""
        return f"weather-{self.number}-{self.index}"

    @property
    def address(self) -> str:
        """Where the node's kubelet and NodePorts answer."""
        return f"10.231.{self.number}.{self.index + 1}"

    @property
    def pod_subnet(self) -> str:
        """The addresses of the node's pods."""
        return f"10.{231 + self.index}.{self.number}.0/24"

    @property
    def enter(self) -> tuple[str, ...]:
        """The command prefix that runs a program in the node's network.

        nsenter, because "ip netns exec" mounts a fresh /sys, which hides the cgroups.
        """
        return ("nsenter", self.nsenter_option, "--")

    @property
    def nsenter_option(self) -> str:
        """The option by which nsenter enters the node's network."""
        return f"--net=/run/netns/{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The network of one cluster."""

    number: int
    nodes: tuple[Node, ...]

    @property
    def host(self) -> str:
        """This machine's address as nodes and pods see it."""
        return f"10.231.{self.number}.1"

    @property
    def link(self) -> str:
        """The interface on this machine that leads to the nodes."""
        return f"weather-{self.number}"


def create(directory: Path, nodes: int) -> Network:
    """Allocate a subnet for the cluster in this directory and set its nodes' network up."""
    number = allocate(directory)
    network = Network(number=number, nodes=nodes_of(number, nodes))
    for node in network.nodes:
        _ip([f"netns add {node.key}"])
    _connect_first(network)
    for node in network.nodes[1:]:
        _connect(network, node)
    _masquerade(network)
    return network


def nodes_of(number: int, count: int) -> tuple[Node, ...]:
    """Return the nodes of the cluster with this number."""
    return tuple(Node(number=number, index=index + 1) for index in range(count))


def remove(number: int) -> None:
    """Remove the network of this number, however much of it exists, and free the number."""
    for file in Path("/run/netns").glob(f"weather-{number}-*"):
        _ip([f"netns del {file.name}"])
    link = Path(f"/sys/class/net/weather-{number}")
    try:
        if link.exists():
            _ip([f"link del {link.name}"])
    except ClusterError:
        if link.exists():  # it also goes with its namespace, a moment later
            raise
    # Declared first, since a table that does not exist cannot be deleted.
    _nft(f"table ip weather-{number}\ndelete table ip weather-{number}")
    release(number)
    if FORWARDING_WAS_OFF.exists() and not allocations():
        FORWARDING.write_text("0")
        FORWARDING_WAS_OFF.unlink()


def allocate(directory: Path) -> int:
    """Take the first free number for the cluster in this directory; safe against other processes.

    Raises ClusterError when none is free.
    """
    for number in free_numbers(_routed_networks()):
        with suppress(FileExistsError):
            _allocation(number).symlink_to(directory)
            return number
    raise ClusterError(
        "every network from 10.231.1.0/24 to 10.231.254.0/24 is in use: take a cluster down"
    )


def allocated(directory: Path) -> Iterator[int]:
    """Yield the numbers of the cluster in this directory, even if it never came up."""
    for link in allocations():
        with suppress(FileNotFoundError):  # another cluster released its number meanwhile
            if link.readlink() == directory:
                yield int(link.name.removeprefix("weather-cluster-"))


def allocations() -> list[Path]:
    """Return the links of all clusters on this machine."""
    return list(ALLOCATIONS.glob("weather-cluster-*"))


def release(number: int) -> None:
    """Free a number for other clusters."""
    _allocation(number).unlink(missing_ok=True)


def subnet(number: int) -> ipaddress.IPv4Network:
    """Return the addresses of a cluster's nodes, and of this machine as they see it."""
    return ipaddress.IPv4Network(f"10.231.{number}.0/24")


def free_numbers(routed: Iterable[ipaddress.IPv4Network]) -> Iterator[int]:
    """Yield the numbers whose subnet overlaps none of these networks."""
    taken = list(routed)
    for number in NUMBERS:
        if not any(subnet(number).overlaps(network) for network in taken):
            yield number


def _allocation(number: int) -> Path:
    return ALLOCATIONS / f"weather-cluster-{number}"


def _routed_networks() -> Iterator[ipaddress.IPv4Network]:
    """Yield the networks that this machine has routes to; ours may lie within a wide one."""
    for route in json.loads(run("ip", "-json", "-4", "route", "show", "table", "all")):
        with suppress(ValueError):
            network = ipaddress.IPv4Network(route["dst"])
            if network.prefixlen >= 16:
                yield network


def _connect_first(network: Network) -> None:
    first, link = network.nodes[0], network.link
    _ip(
        [
            f"link add {link} type veth peer name host netns {first.key}",
            f"addr add {network.host}/24 dev {link}",
            f"link set {link} up",
        ]
    )
    _ip(
        [
            "link set lo up",
            "link add nodes type bridge",
            "link set host master nodes up",
            f"addr add {first.address}/24 dev nodes",
            "link set nodes up",
            *_routes(network, first),
        ],
        first,
    )
    _enable_forwarding(first)


def _connect(network: Network, node: Node) -> None:
    first = network.nodes[0]
    _ip([f"link add {node.name} type veth peer name nodes netns {node.key}"], first)
    _ip([f"link set {node.name} master nodes up"], first)
    _ip(
        [
            "link set lo up",
            f"addr add {node.address}/24 dev nodes",
            "link set nodes up",
            *_routes(network, node),
        ],
        node,
    )
    _enable_forwarding(node)


def _routes(network: Network, node: Node) -> Iterator[str]:
    yield f"route add default via {network.host}"
    for other in network.nodes:
        if other != node:
            yield f"route add {other.pod_subnet} via {other.address}"


def _enable_forwarding(node: Node) -> None:
    run(*node.enter, "sh", "-c", f"echo 1 >{FORWARDING}")


def _masquerade(network: Network) -> None:
    """Let nodes and pods reach what this machine reaches, under this machine's address."""
    if FORWARDING.read_text().strip() == "0":
        FORWARDING_WAS_OFF.touch()
        FORWARDING.write_text("1")
    _nft(f"""
        table ip {network.link} {{
            chain out {{
                type nat hook postrouting priority srcnat
                ip saddr {subnet(network.number)} oifname != "{network.link}" masquerade
            }}
        }}
    """)


def _nft(script: str) -> None:
    run("nft", "-f", "-", text=script)


def _ip(commands: Iterable[str], node: Node | None = None) -> None:
    inside = ("-netns", node.key) if node else ()
    run("ip", *inside, "-batch", "-", text="\n".join(commands))
