"""London from yellow to green to red and back, under steady traffic, where kubectl points at."""

import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from email.message import Message
from pathlib import Path

import click
import yaml

from weather_cluster import clusters, demo_weather
from weather_cluster.demo_weather import DemoWeather

EXAMPLE = Path("examples/london.yaml")
COLOURS = {"yellow": "1.0.0", "green": "2.0.0", "red": "3.0.0"}
PATH_OF_COLOURS = ("yellow", "green", "red", "green")
REQUESTS_PER_SECOND = 50


class Client:
    """Sends steady requests, each over its own connection, and counts the answers by colour."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.served: Counter[str] = Counter()
        self.failures: list[str] = []

    def __enter__(self) -> "Client":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def sent(self) -> int:
        """How many requests were answered or failed so far."""
        return self.served.total() + len(self.failures)

    def _run(self) -> None:
        while not self._stop.wait(1 / REQUESTS_PER_SECOND):
            try:
                self.served[colour_served(self._url)] += 1
            except (OSError, urllib.error.HTTPError) as error:
                self.failures.append(f"{time.strftime('%H:%M:%S')} {error}")


def colour_served(url: str) -> str:
    """Return the version's colour that one new connection to the page meets."""
    return str(headers(url)["X-App-Colour"])


def headers(url: str) -> Message:
    """Return the headers of the page, asked for over a new connection."""
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the address is status.url
        answer.read()
        found: Message = answer.headers
        return found


def kubectl(*words: str, text: str | None = None) -> str:
    """Run kubectl in the current context and return what it printed."""
    run = subprocess.run(["kubectl", *words], input=text, text=True, capture_output=True)
    if run.returncode:
        raise click.ClickException(f"kubectl {' '.join(words)}: {run.stderr.strip()}")
    return run.stdout


def london(colour: str, weather: DemoWeather | None) -> str:
    """Return the example with its colour changed, and its weather from the stand-in if there is."""
    app = yaml.safe_load(EXAMPLE.read_text())
    app["spec"] |= {"colour": colour} | (weather.spec if weather else {})
    return yaml.safe_dump(app)


def roll_to(colour: str, weather: DemoWeather | None) -> None:
    """Apply London in this colour and return once all of it serves that version."""
    click.echo(f"\n$ kubectl apply -f {EXAMPLE}      # colour: {colour}")
    kubectl("apply", "-f", "-", text=london(colour, weather))
    version = f"--for=jsonpath={{.status.version}}={COLOURS[colour]}"
    for condition in (version, "--for=condition=Ready"):
        kubectl("wait", "weatherapp/london", condition, "--timeout=180s")


def stand_in() -> DemoWeather | None:
    """Return a stand-in for OpenWeatherMap, its key in a Secret; None on a cluster not ours."""
    cluster = clusters.at(os.environ.get("KUBECONFIG", ""))
    if cluster is None or not cluster.nodes:
        return None
    weather = demo_weather.ensure(cluster.directory, cluster.host)
    kubectl("apply", "-f", "-", text=yaml.safe_dump(weather.secret))
    click.echo(STAND_IN.format(url=weather.url, secret=demo_weather.SECRET))
    return weather


@click.command()
def demo() -> None:
    """Show London's page turn yellow, green, red and green again, while a client counts.

    Needs kubectl in a context where the operator is installed. Leaves London running.
    Exits with 1 if a single request failed.
    """
    weather = stand_in()
    roll_to(PATH_OF_COLOURS[0], weather)
    url = kubectl("get", "weatherapp", "london", "-o", "jsonpath={.status.url}")
    click.echo(f"\nLondon's weather is served at {click.style(url, bold=True)}\n")
    click.echo(kubectl("get", "weatherapps"), nl=False)
    with Client(url) as client:
        for colour in PATH_OF_COLOURS[1:]:
            roll_to(colour, weather)
            click.echo(kubectl("get", "weatherapps"), nl=False)
            page = headers(url)
            click.echo(f"The page is {page['X-App-Colour']}.", nl=False)
            click.echo(f" Its weather comes from {page['X-Weather-Source']}.")
    click.echo(f"\nRequests sent: {client.sent}, failed: {len(client.failures)}")
    click.echo("Answers by colour: " + ", ".join(f"{c} {n}" for c, n in client.served.items()))
    if weather:
        click.echo(f"Calls that OpenWeatherMap's stand-in got: {weather.calls()}")
    click.echo(FAREWELL.format(url=url))
    for failure in client.failures[:10]:
        click.echo(f"failed: {failure}", err=True)
    sys.exit(1 if client.failures else 0)


STAND_IN = """
A stand-in plays OpenWeatherMap at {url}, with invented weather. The path is the
real one: the key in the Secret {secret}, HTTP, JSON, page. London is told of both."""

FAREWELL = """
It goes on running. To look around:
  eval "$(.venv/bin/weather-cluster env)"
  kubectl get weatherapps,deployments,replicasets,pods,services
  kubectl describe weatherapp london
  curl {url}
To stop: make cluster-down"""
