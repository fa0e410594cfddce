"""A local OpenWeatherMap that answers as the real one, for a demo or a test without internet.

`server` is the program: the providers' addresses, and a way to script and count its answers.
`weather` invents what it answers. Here it is run as a component of a cluster, which pods reach at
the machine's address.
"""

import json
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weather_cluster import processes
from weather_cluster.host import is_listening

PORT = 5080
COMPONENT = "openweathermap"
SECRET = "london-demo-weather"  # noqa: S105 - the Secret's name
KEY = "key-of-the-demo"


@dataclass(frozen=True, slots=True)
class FakeOpenWeatherMap:
    """A fake that runs as a cluster's component, at this URL."""

    url: str

    @property
    def secret(self) -> dict[str, Any]:
        """The Secret with the API key that the fake accepts."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET},
            "stringData": {"api-key": KEY},
        }

    @property
    def spec(self) -> dict[str, Any]:
        """The fields of a WeatherApp's spec that make it use the fake."""
        return {
            "weather": {"apiKeySecretRef": {"name": SECRET, "key": "api-key"}},
            "pod": {"env": [{"name": "OPENWEATHER_BASE_URL", "value": self.url}]},
        }

    def calls(self) -> int:
        """Return how many requests it has had so far."""
        with urllib.request.urlopen(f"{self.url}/calls", timeout=5) as answer:  # noqa: S310 - ours
            return sum(json.load(answer).values())


def start(directory: Path, host: str) -> FakeOpenWeatherMap:
    """Return the fake of the cluster in this directory, started now if it does not run.

    Raises ClusterError when it does not start.
    """
    if not processes.components(directory).get(COMPONENT):
        command = [
            sys.executable,
            "-m",
            "weather_cluster.fake_openweathermap.server",
            host,
            str(PORT),
        ]
        processes.start(directory, COMPONENT, command, environment={"OPENWEATHER_API_KEY": KEY})
    processes.wait_until(lambda: is_listening(host, PORT), directory, COMPONENT, seconds=30)
    return FakeOpenWeatherMap(f"http://{host}:{PORT}")
