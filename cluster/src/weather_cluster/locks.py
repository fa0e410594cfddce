"""One command at a time for each cluster."""

import hashlib
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from weather_cluster.errors import ClusterError


@contextmanager
def held(what: str, *, seconds: float = 300) -> Iterator[None]:
    """Hold the lock of this name; it leaves no file and goes with the process that holds it."""
    address = f"\0weather-cluster-{hashlib.sha256(what.encode()).hexdigest()}"
    deadline = time.monotonic() + seconds
    with socket.socket(socket.AF_UNIX) as lock:
        while not _taken(lock, address):
            if time.monotonic() > deadline:
                raise ClusterError(f"another command is still at work on {what}: wait for it")
            time.sleep(0.05)
        yield


def _taken(lock: socket.socket, address: str) -> bool:
    try:
        lock.bind(address)
    except OSError:
        return False
    return True
