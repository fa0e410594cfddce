"""Ports of this machine for servers of tests."""

import random
import socket
from pathlib import Path

EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST = 10_000


def free_port() -> int:
    """Return a port that nobody has now and the kernel gives nobody, whatever connects meanwhile.

    Below the ephemeral ports: one of those may become another process's end of a connection before
    the server that it is for listens there.
    """
    ephemeral = int(EPHEMERAL.read_text().split()[0])
    while True:
        port = random.SystemRandom().randrange(LOWEST, ephemeral)
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
