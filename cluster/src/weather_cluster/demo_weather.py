"""OpenWeatherMap for the demo, where there may be no internet: a stand-in beside the cluster."""

import json
import socket
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weather_cluster import processes

PORT = 5080
COMPONENT = "openweathermap"
SECRET = "london-demo-weather"  # noqa: S105 - the Secret's name
KEY = "key-of-the-demo"


@dataclass(frozen=True, slots=True)
class DemoWeather:
    """A stand-in that runs for a cluster, at this address."""

    url: str

    @property
    def secret(self) -> dict[str, Any]:
        """The Secret with the key that the stand-in takes."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET},
            "stringData": {"api-key": KEY},
        }

    @property
    def spec(self) -> dict[str, Any]:
        """What a WeatherApp's spec says to be served by the stand-in."""
        return {
            "weather": {"apiKeySecretRef": {"name": SECRET, "key": "api-key"}},
            "pod": {"env": [{"name": "OPENWEATHER_BASE_URL", "value": self.url}]},
        }

    def calls(self) -> int:
        """Return how many calls were answered so far."""
        with urllib.request.urlopen(f"{self.url}/calls", timeout=5) as answer:  # noqa: S310 - ours
            return sum(json.load(answer).values())


def ensure(directory: Path, host: str) -> DemoWeather:
    """Give the stand-in of the cluster in this directory, started if it does not run.

    Raises ClusterError.
    """
    if not processes.components(directory).get(COMPONENT):
        command = [sys.executable, "-m", "weather_cluster.stand_in", host, str(PORT)]
        processes.start(directory, COMPONENT, command, environment={"OPENWEATHER_API_KEY": KEY})

    def listens() -> bool:
        with socket.socket() as client:
            return client.connect_ex((host, PORT)) == 0

    processes.wait_until(listens, directory, COMPONENT, seconds=30)
    return DemoWeather(f"http://{host}:{PORT}")
