"""The image registry that a cluster's nodes pull from, on this machine's end of their link."""

import json
import socket
from pathlib import Path

from weather_cluster import processes
from weather_cluster.errors import ClusterError

BINARIES = ("registry",)
PORT = 5000


def start(directory: Path, host: str) -> str:
    """Start the registry, plain HTTP; give its "host:port".

    Raises ClusterError when the port is taken.
    """
    check_port(host)
    configuration = directory / "registry.json"
    configuration.write_text(
        json.dumps(
            {
                "version": 0.1,
                "log": {"level": "warn"},
                "storage": {
                    "filesystem": {"rootdirectory": str(directory / "registry")},
                    "delete": {"enabled": True},
                },
                "http": {"addr": f"{host}:{PORT}", "secret": "shared by nobody"},
            }
        )
    )
    processes.start(
        directory,
        "registry",
        ["registry", "serve", configuration],
        environment={"OTEL_TRACES_EXPORTER": "none"},
    )
    return f"{host}:{PORT}"


def check_port(host: str) -> None:
    """Return if no server has the registry's port; raises ClusterError if one has."""
    with socket.socket() as probe:
        # As servers do: connections of a server that is gone do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, PORT))
        except OSError:
            raise ClusterError(
                f"the cluster's image registry needs port {PORT} of {host}, which another program "
                f"has: see which with ss -ltnp 'sport = :{PORT}' and stop it"
            ) from None


def wait_until_ready(directory: Path, host: str) -> None:
    """Return when the registry takes connections."""

    def listens() -> bool:
        with socket.socket() as client:
            return client.connect_ex((host, PORT)) == 0

    processes.wait_until(listens, directory, "registry", seconds=20)
