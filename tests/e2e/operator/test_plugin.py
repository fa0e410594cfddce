"""What `kubectl weather` does with pods that answer."""

import json
import subprocess
from typing import Any
from urllib.request import urlopen

from support.deadlines import eventually
from support.kubectl import Shell


def apply(shell: Shell, namespace: str, colour: str) -> None:
    """Apply a site that only pods can reach, and return once it serves."""
    shell.apply(
        {
            "apiVersion": "weather.quantspark.io/v1",
            "kind": "WeatherApp",
            "metadata": {"name": "london", "namespace": namespace},
            "spec": {"city": "London", "colour": colour},
        }
    )
    where = ("weatherapp/london", "-n", namespace)
    shell.kubectl("wait", *where, "--for=condition=Ready", "--timeout=120s")


def colour_at(address: str) -> Any:
    """The colour that is served, None while nothing answers."""
    try:
        with urlopen(f"{address}api/info", timeout=5) as answer:  # noqa: S310 - it is loopback
            return json.load(answer)["colour"]
    except OSError:
        return None


def test_a_site_is_opened_and_stays_open_through_a_rollout(
    installed: Shell, namespace: str
) -> None:
    apply(installed, namespace, "yellow")
    words = ["kubectl", "weather", "open", "london", "-n", namespace]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, env=installed.environment, text=True)
    with process:
        try:
            assert process.stdout
            address = process.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:")
            eventually(lambda: colour_at(address) == "yellow")
            apply(installed, namespace, "green")
            eventually(lambda: colour_at(address) == "green")
        finally:
            process.terminate()
