import socket

import pytest
from support import ports


def test_no_connection_takes_the_port_before_its_server() -> None:
    lowest, highest = map(int, ports.EPHEMERAL.read_text().split())
    found = {ports.free_port() for _ in range(100)}
    assert len(found) > 90
    assert not any(lowest <= port <= highest for port in found)


def test_a_port_that_somebody_has_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    lowest = int(ports.EPHEMERAL.read_text().split()[0])
    monkeypatch.setattr(ports, "LOWEST", lowest - 2)
    with socket.create_server(("127.0.0.1", lowest - 1)):
        assert {ports.free_port() for _ in range(20)} == {lowest - 2}
