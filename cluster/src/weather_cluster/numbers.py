"""The numbers that keep clusters apart: each has its own subnets, namespaces and groups."""

import ipaddress
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from weather_cluster.errors import ClusterError
from weather_cluster.programs import run

CLAIMS = Path("/run")
"""Here lies a link weather-cluster-N to the cluster's directory for each number in use."""

NUMBERS = range(1, 255)


def claim(directory: Path) -> int:
    """Take the first free number for the cluster in this directory.

    Raises ClusterError when all are taken.
    """
    for number in free(_routed()):
        with suppress(FileExistsError):
            _link(number).symlink_to(directory)
            return number
    raise ClusterError(
        "every network from 10.231.1.0/24 to 10.231.254.0/24 is in use: take a cluster down"
    )


def claimed(directory: Path) -> Iterator[int]:
    """Give the numbers of the cluster in this directory, also of one that never came up whole."""
    for link in claims():
        with suppress(FileNotFoundError):  # another cluster gave its number back meanwhile
            if link.readlink() == directory:
                yield int(link.name.removeprefix("weather-cluster-"))


def claims() -> list[Path]:
    """Give the links of all clusters on this machine."""
    return list(CLAIMS.glob("weather-cluster-*"))


def release(number: int) -> None:
    """Give a number back."""
    _link(number).unlink(missing_ok=True)


def subnet(number: int) -> ipaddress.IPv4Network:
    """Give the addresses of a cluster's nodes, and of this machine as they see it."""
    return ipaddress.IPv4Network(f"10.231.{number}.0/24")


def free(routed: Iterable[ipaddress.IPv4Network]) -> Iterator[int]:
    """Give the numbers whose subnet no route leads to yet."""
    taken = list(routed)
    for number in NUMBERS:
        if not any(subnet(number).overlaps(network) for network in taken):
            yield number


def _link(number: int) -> Path:
    return CLAIMS / f"weather-cluster-{number}"


def _routed() -> Iterator[ipaddress.IPv4Network]:
    """Give the networks that have a route of their own; ours is more specific than a wide one."""
    for route in json.loads(run("ip", "-json", "-4", "route", "show", "table", "all")):
        with suppress(ValueError):
            network = ipaddress.IPv4Network(route["dst"])
            if network.prefixlen >= 16:
                yield network
