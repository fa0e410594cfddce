"""The addresses of a cluster with nodes, and the network namespaces they lie in.

Cluster number N has 10.231.N.0/24: .1 is this machine, .2 the first node, and so on. The nodes
hang on a bridge in the first node's namespace, so that nothing is bridged or filtered outside.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from weather_cluster import numbers
from weather_cluster.errors import ClusterError
from weather_cluster.programs import run

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
SWITCHED = Path("/run/weather-cluster.forwarding")
"""Lies there while this machine forwards packets only because a cluster made it do so."""


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
        """A name that no other node on this machine has: its namespace's, its cgroup's."""
        return f"weather-{self.number}-{self.index}"

    @property
    def address(self) -> str:
        """Where the node's kubelet and NodePorts answer."""
        return f"10.231.{self.number}.{self.index + 1}"

    @property
    def pod_addresses(self) -> str:
        """The subnet of the node's pods."""
        return f"10.{231 + self.index}.{self.number}.0/24"

    @property
    def enter(self) -> tuple[str, ...]:
        """The command prefix that runs a program in the node's network.

        nsenter, because "ip netns exec" mounts a fresh /sys, which hides the cgroups.
        """
        return ("nsenter", self.network_option, "--")

    @property
    def network_option(self) -> str:
        """What tells nsenter of the node's network."""
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
    """Claim a free number for the cluster in this directory and lay its network."""
    number = numbers.claim(directory)
    network = Network(number=number, nodes=nodes_of(number, nodes))
    for node in network.nodes:
        _ip([f"netns add {node.key}"])
    _join_first(network)
    for node in network.nodes[1:]:
        _join(network, node)
    _lead_out(network)
    return network


def nodes_of(number: int, count: int) -> tuple[Node, ...]:
    """Give the nodes of the cluster with this number."""
    return tuple(Node(number=number, index=index + 1) for index in range(count))


def remove(number: int) -> None:
    """Take the network of this number away, however much of it is there, and free the number."""
    for file in Path("/run/netns").glob(f"weather-{number}-*"):
        _ip([f"netns del {file.name}"])
    link = Path(f"/sys/class/net/weather-{number}")
    try:
        if link.exists():
            _ip([f"link del {link.name}"])
    except ClusterError:
        if link.exists():  # it also goes with its namespace, a moment later
            raise
    # Declared first, since a table that is not there cannot be deleted.
    _nft(f"table ip weather-{number}\ndelete table ip weather-{number}")
    numbers.release(number)
    if SWITCHED.exists() and not numbers.claims():
        FORWARDING.write_text("0")
        SWITCHED.unlink()


def _join_first(network: Network) -> None:
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
    _forward(first)


def _join(network: Network, node: Node) -> None:
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
    _forward(node)


def _routes(network: Network, node: Node) -> Iterator[str]:
    yield f"route add default via {network.host}"
    for other in network.nodes:
        if other != node:
            yield f"route add {other.pod_addresses} via {other.address}"


def _forward(node: Node) -> None:
    run(*node.enter, "sh", "-c", f"echo 1 >{FORWARDING}")


def _lead_out(network: Network) -> None:
    """Let nodes and pods reach what this machine reaches, under this machine's address."""
    if FORWARDING.read_text().strip() == "0":
        SWITCHED.touch()
        FORWARDING.write_text("1")
    rules = f"""
        table ip {network.link} {{
            chain out {{
                type nat hook postrouting priority srcnat
                ip saddr {numbers.subnet(network.number)} oifname != "{network.link}" masquerade
            }}
        }}
    """
    _nft(rules)


def _nft(script: str) -> None:
    run("nft", "-f", "-", text=script)


def _ip(commands: Iterable[str], node: Node | None = None) -> None:
    inside = ("-netns", node.key) if node else ()
    run("ip", *inside, "-batch", "-", text="\n".join(commands))
