import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.deadlines import eventually
from weather_cluster import addons, processes
from weather_cluster.errors import ClusterError
from weather_cluster.processes import COMPONENT, DIRECTORY


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "log").mkdir()
    yield tmp_path
    processes.kill_all(tmp_path)


def test_a_component_runs_until_all_are_killed(directory: Path) -> None:
    processes.start(directory, "sleeper", ["sleep", "600"])
    assert processes.components(directory) == {"sleeper": True}
    processes.kill_all(directory)
    assert processes.components(directory) == {"sleeper": False}


def test_what_a_component_started_goes_too_but_does_not_count_as_it(directory: Path) -> None:
    script = "sleep 600 & echo $! >child; sleep 600; true"
    processes.start(directory, "parent", ["sh", "-c", script])
    file = directory / "child"
    child = eventually(lambda: int(file.read_text() or 0) if file.exists() else 0)
    (parent,) = (p for p in processes.running(directory) if p.component == "parent")
    processes.kill(parent.pid, f"{DIRECTORY}={directory}".encode())
    # A killed process keeps its environment until the kernel has taken it down.
    eventually(lambda: processes.components(directory) == {"parent": False})
    assert child in {process.pid for process in processes.running(directory)}
    processes.kill_all(directory)
    assert not list(processes.running(directory))


def test_a_process_of_another_cluster_is_never_killed(directory: Path) -> None:
    other = {DIRECTORY: f"{directory}-2", COMPONENT: "sleeper"}
    with subprocess.Popen(["sleep", "600"], env=other, start_new_session=True) as stranger:
        processes.kill(stranger.pid, f"{DIRECTORY}={directory}".encode())
        processes.kill_all(directory)
        assert stranger.poll() is None
        stranger.kill()


def test_a_component_that_ends_while_it_starts_is_quoted(directory: Path) -> None:
    processes.start(directory, "liar", ["sh", "-c", "sleep 0.3; echo the port is taken; exit 1"])
    with pytest.raises(ClusterError, match=r"(?s)liar ended while it started.*the port is taken"):
        processes.wait_until(lambda: False, directory, "liar", seconds=60)


def test_a_component_that_never_gets_ready_is_quoted(directory: Path) -> None:
    processes.start(directory, "slow", ["sh", "-c", "echo still loading; sleep 600; true"])
    with pytest.raises(ClusterError, match=r"(?s)slow was not ready after 1 s.*still loading"):
        processes.wait_until(lambda: False, directory, "slow", seconds=1)


@pytest.mark.parametrize("taken", ["127.77.0.1", "0.0.0.0"])
def test_a_taken_registry_port_is_one_sentence(monkeypatch: pytest.MonkeyPatch, taken: str) -> None:
    with listening(taken) as other:
        monkeypatch.setattr(addons, "REGISTRY_PORT", other.getsockname()[1])
        with pytest.raises(ClusterError, match=r"of 127\.77\.0\.1, which another program"):
            addons.require_registry_port("127.77.0.1")


def test_connections_of_an_earlier_registry_do_not_take_its_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with listening("127.77.0.1") as earlier:
        monkeypatch.setattr(addons, "REGISTRY_PORT", earlier.getsockname()[1])
        with socket.create_connection(earlier.getsockname()), earlier.accept()[0] as closed_first:
            closed_first.close()
    addons.require_registry_port("127.77.0.1")


def listening(address: str) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, 0))
    server.listen()
    return server
