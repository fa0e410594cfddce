from pathlib import Path

import pytest
from weather_cluster import host
from weather_cluster.errors import ClusterError


def test_missing_programs_are_named_by_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ClusterError, match=r"apt-get install iproute2 nftables$"):
        host.require_programs("nft", "ip")


def test_every_program_we_name_a_package_for_is_installed_by_the_set_up() -> None:
    listed = Path(__file__).parents[3].joinpath("cluster/debian-packages.txt").read_text().split()
    assert set(host.DEBIAN_PACKAGES.values()) <= set(listed)
    assert listed == sorted(set(listed))


def test_a_second_command_waits_and_then_says_on_what(tmp_path: Path) -> None:
    with (
        host.exclusive(str(tmp_path)),
        pytest.raises(ClusterError, match=f"still working on {tmp_path}"),
        host.exclusive(str(tmp_path), seconds=0.1),
    ):
        pass
    with host.exclusive(str(tmp_path), seconds=0.1):
        pass


def test_nobody_is_given_a_reserved_port() -> None:
    with host.reserved_ports(3) as ports:
        assert len(set(ports)) == 3
        assert not any(host.is_listening("127.0.0.1", port) for port in ports)
