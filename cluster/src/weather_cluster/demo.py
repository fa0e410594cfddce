"""The demo: London changes from yellow to green to red to green while a client counts failures.

It runs in kubectl's current context, where the operator must be installed.
"""

import os
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import click
import yaml

from weather_cluster import clusters, fake_openweathermap
from weather_cluster.errors import ClusterError
from weather_cluster.fake_openweathermap import FakeOpenWeatherMap
from weather_cluster.images import COLOURS

EXAMPLE = Path("examples/london.yaml")
VERSIONS = {colour: version for version, colour in COLOURS.items()}
UPGRADES = ("yellow", "green", "red", "green")
REQUESTS_PER_SECOND = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one request got: the colour that answered, "" where nobody did, and what went wrong."""

    at: float
    colour: str
    error: str = ""


class Client:
    """Sends requests at a steady rate, each over a new connection, and counts them by colour.

    Each of its threads sends as many.
    """

    def __init__(
        self, url: str, *, requests_per_second: int = REQUESTS_PER_SECOND, threads: int = 1
    ) -> None:
        self._url = url
        self._interval = 1 / requests_per_second
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        self.answers: list[Answer] = []

    def __enter__(self) -> "Client":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def sent(self) -> int:
        """How many requests were answered or failed so far."""
        return len(self.answers)

    @property
    def served(self) -> Counter[str]:
        """How many requests each colour has answered well."""
        return Counter(each.colour for each in self.answers if not each.error)

    @property
    def failures(self) -> list[str]:
        """When each of the others failed, and why."""
        return [
            f"{time.strftime('%H:%M:%S', time.localtime(each.at))} {each.error}"
            for each in self.answers
            if each.error
        ]

    def ask(self) -> str:
        """Send one request, and return the colour of what answered. Raises OSError."""
        return colour_served(self._url)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self.answers.append(self._answer())

    def _answer(self) -> Answer:
        try:
            return Answer(at=time.time(), colour=self.ask())
        except urllib.error.HTTPError as error:
            with error:
                colour = error.headers.get("X-App-Colour", "")
                return Answer(at=time.time(), colour=colour, error=str(error))
        except OSError as error:
            return Answer(at=time.time(), colour="", error=str(error))


def colour_served(url: str) -> str:
    """Return the colour of the version that answers a new connection."""
    return str(headers(url)["X-App-Colour"])


def headers(url: str) -> Message:
    """Return the page's response headers over a new connection."""
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the address is status.url
        answer.read()
        found: Message = answer.headers
        return found


def kubectl(*words: str, text: str | None = None) -> str:
    """Run kubectl in the current context and return its output. Raises ClusterError."""
    done = subprocess.run(["kubectl", *words], input=text, text=True, capture_output=True)
    if done.returncode:
        raise ClusterError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def london(colour: str, weather: FakeOpenWeatherMap | None) -> str:
    """Return the example in this colour, with its weather from the fake if there is one."""
    app = yaml.safe_load(EXAMPLE.read_text())
    app["spec"] |= {"colour": colour} | (weather.spec if weather else {})
    return yaml.safe_dump(app)


def roll_to(colour: str, weather: FakeOpenWeatherMap | None) -> None:
    """Apply London in this colour and return once every pod serves that version."""
    click.echo(f"\n$ kubectl apply -f {EXAMPLE}      # colour: {colour}")
    kubectl("apply", "-f", "-", text=london(colour, weather))
    version = f"--for=jsonpath={{.status.version}}={VERSIONS[colour]}"
    for condition in (version, "--for=condition=Ready"):
        kubectl("wait", "weatherapp/london", condition, "--timeout=180s")


def start_fake_weather() -> FakeOpenWeatherMap | None:
    """Start the fake OpenWeatherMap and apply its key; None when the cluster is not one of ours."""
    cluster = clusters.of_kubeconfig(os.environ.get("KUBECONFIG", ""))
    if cluster is None or not cluster.nodes:
        return None
    weather = fake_openweathermap.start(cluster.directory, cluster.host)
    kubectl("apply", "-f", "-", text=yaml.safe_dump(weather.secret))
    click.echo(FAKE_WEATHER.format(url=weather.url, secret=fake_openweathermap.SECRET))
    return weather


def run(reached: Callable[[str], str] = str) -> bool:
    """Run the demo, leave London running, and tell whether every request succeeded.

    `reached` returns where this machine reaches the page whose status says a URL. Raises
    ClusterError when kubectl fails.
    """
    weather = start_fake_weather()
    roll_to(UPGRADES[0], weather)
    url = reached(kubectl("get", "weatherapp", "london", "-o", "jsonpath={.status.url}"))
    click.echo(f"\nLondon's weather is served at {click.style(url, bold=True)}\n")
    click.echo(kubectl("get", "weatherapps"), nl=False)
    with Client(url) as client:
        for colour in UPGRADES[1:]:
            roll_to(colour, weather)
            click.echo(kubectl("get", "weatherapps"), nl=False)
            page = headers(url)
            click.echo(f"The page is {page['X-App-Colour']}.", nl=False)
            click.echo(f" Its weather comes from {page['X-Weather-Source']}.")
    click.echo(f"\nRequests sent: {client.sent}, failed: {len(client.failures)}")
    click.echo("Answers by colour: " + ", ".join(f"{c} {n}" for c, n in client.served.items()))
    if weather:
        click.echo(f"Calls that OpenWeatherMap's stand-in got: {weather.calls()}")
    ours = clusters.of_kubeconfig(os.environ.get("KUBECONFIG", ""))
    click.echo((FAREWELL if ours else FAREWELL_ELSEWHERE).format(url=url))
    for failure in client.failures[:10]:
        click.echo(f"failed: {failure}", err=True)
    return not client.failures


FAKE_WEATHER = """
A stand-in plays OpenWeatherMap at {url}, with invented weather. The path is the
real one: the key in the Secret {secret}, HTTP, JSON, page. London is told of both."""

FAREWELL = """
It goes on running. To look around:
  eval "$(.venv/bin/weather-cluster env)"
  kubectl get weatherapps,deployments,replicasets,pods,services
  kubectl describe weatherapp london
  curl {url}
To stop: make cluster-down"""

FAREWELL_ELSEWHERE = """
It goes on running. To look around:
  kubectl get weatherapps,deployments,replicasets,pods,services
  kubectl describe weatherapp london
  curl {url}
To stop: make cluster-down, with the same CLUSTER"""
