import ipaddress
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from weather_cluster import network
from weather_cluster.errors import ClusterError
from weather_cluster.network import nodes_of


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "ALLOCATIONS", tmp_path)
    monkeypatch.setattr(network, "_routed_networks", lambda: iter(()))


def test_a_number_whose_subnet_is_routed_already_is_passed_over() -> None:
    routed = [ipaddress.IPv4Network(f"10.231.{n}") for n in ("1.0/24", "2.128/25", "4.7/32")]
    assert list(itertools.islice(network.free_numbers(routed), 3)) == [3, 5, 6]


def test_clusters_that_start_at_once_get_different_numbers() -> None:
    directories = [Path(f"/clusters/{index}") for index in range(20)]
    with ThreadPoolExecutor(20) as pool:
        claimed = list(pool.map(network.allocate, directories))
    assert sorted(claimed) == list(range(1, 21))
    assert [list(network.allocated(directory)) for directory in directories] == [
        [number] for number in claimed
    ]


def test_a_released_number_is_free_again() -> None:
    first = network.allocate(Path("/clusters/a"))
    network.allocate(Path("/clusters/b"))
    network.release(first)
    assert list(network.allocated(Path("/clusters/a"))) == []
    assert network.allocate(Path("/clusters/c")) == first


def test_a_number_that_is_given_back_meanwhile_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number = network.allocate(Path("/clusters/a"))
    links = [network.ALLOCATIONS / "weather-cluster-250", *network.allocations()]
    monkeypatch.setattr(network, "allocations", lambda: links)
    assert list(network.allocated(Path("/clusters/a"))) == [number]


def test_it_is_said_when_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "NUMBERS", range(1, 2))
    network.allocate(Path("/clusters/a"))
    with pytest.raises(ClusterError, match="take a cluster down"):
        network.allocate(Path("/clusters/b"))


def test_each_node_has_addresses_of_its_own() -> None:
    def addresses() -> Iterator[str]:
        for number in (1, 254):
            for node in nodes_of(number, 4):
                yield from (node.address, node.pod_subnet, node.key)

    found = list(addresses())
    assert len(set(found)) == len(found)
