"""The demo of canaries: one version passes and one fails, while a steady client counts both.

It runs in kubectl's current context, where the operator and the Gateway API must be installed, with
Traefik as the gateway.
"""

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from weather_cluster import demo
from weather_cluster.demo import Answer, Client, kubectl
from weather_cluster.errors import ClusterError
from weather_cluster.fake_openweathermap import FakeOpenWeatherMap
from weather_cluster.gateway import CLASS

EXAMPLE = Path("examples/canary.yaml")
GATEWAY = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "public"},
    "spec": {
        "gatewayClassName": CLASS,
        "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}],
    },
}
ERROR_RATE = "0.05"
SECONDS_BETWEEN_LINES = 2.0
LONGEST_SECONDS = 150.0
ENDS = ("Serving", "RolledBack")
_CLIENTS = 3
_BAR = 40


@dataclass(slots=True, kw_only=True)
class Story:
    """What is printed of one version's trial: a line at each change, and one now and then."""

    client: Client
    console: Console
    began: float = field(default_factory=time.monotonic)
    counted: int = 0
    said: tuple[str, ...] = ()
    said_at: float = 0.0

    def update(self, app: dict[str, Any]) -> None:
        """Print a line if the trial is elsewhere now, or the last line was some time ago."""
        now, state = time.monotonic(), state_of(app)
        if state == self.said and now - self.said_at < SECONDS_BETWEEN_LINES:
            return
        answers = self.client.answers[self.counted :]
        self.counted += len(answers)
        self.said, self.said_at = state, now
        line = Text.assemble(f"{now - self.began:5.0f} s  {state[0]:<13}{state[1]:<20}")
        line.append_text(bar(answers))
        failed = sum(bool(each.error) for each in answers)
        if failed:
            line.append(f"  {failed} failed", style="bold red")
        self.console.print(line)


def run(console: Console) -> bool:
    """Run the demo, leave London running, and tell whether it went as it should.

    The good version must lose no request, and the bad one must be taken back with all failures its
    own. Raises ClusterError when kubectl fails or the cluster has no gateway.
    """
    require_gateway()
    weather = demo.start_fake_weather()
    url = _begin(weather)
    console.print(f"\nLondon's weather is served at [bold]{url}[/bold], through Traefik.")
    with Client(url, threads=_CLIENTS) as client:
        console.print(INTRODUCTION)
        good = _roll("green", weather, client, console)
        lost = len(client.failures)
        bad = _roll("red", weather, client, console, FAULT_ERROR_RATE=ERROR_RATE)
    console.print(summary(client.answers))
    taken_back = bad["status"]["failedRevisions"][0]["reason"]
    console.print(f"Red had visitors for {lasted(client.answers, 'red'):.1f} s, then:")
    console.print(taken_back, style="red")
    console.print(demo.FAREWELL.format(url=url))
    strangers = [each for each in client.answers if each.error and each.colour != "red"]
    for each in strangers[:10]:
        console.print(f"failed: {each.colour or 'nobody answered'}, {each.error}")
    reasons = [_ready(each)["reason"] for each in (good, bad)]
    return reasons == [*ENDS] and not lost and not strangers


def state_of(app: dict[str, Any]) -> tuple[str, str]:
    """Return where a trial is, in two words for a line: its phase, and its step with the weight."""
    rollout = app.get("status", {}).get("rollout", {})
    phase = rollout.get("phase") or _ready(app).get("reason", "")
    if "strategy" not in rollout:
        return phase, ""
    weight = rollout["weight"]
    share = weight.get("set", 0)
    return phase, f"step {rollout['step']}/{rollout['steps']}, {share} % set"


def bar(answers: list[Answer]) -> Text:
    """Return who answered as a row of letters in their colours, with the shares in numbers."""
    found = Counter(each.colour for each in answers if each.colour)
    total, row, words = found.total(), Text(), []
    for colour, number in sorted(
        found.items(), key=lambda pair: list(demo.VERSIONS).index(pair[0])
    ):
        cells = max(round(_BAR * number / total), 1)
        row.append(colour[0] * cells, style=f"black on {colour}")
        words.append(f"{colour} {100 * number / total:.1f} %")
    return row.append(f"  {', '.join(words)}")


def summary(answers: list[Answer]) -> Table:
    """Return the table of answers and failures by version."""
    table = Table(title="What the client got", title_justify="left")
    for name in ("version", "answers", "failed"):
        table.add_column(name, justify="left" if name == "version" else "right")
    for colour, version in demo.VERSIONS.items():
        of = [each for each in answers if each.colour == colour]
        failed = sum(bool(each.error) for each in of)
        style = "bold red" if failed else ""
        table.add_row(f"{version} {colour}", f"{len(of):,}", Text(f"{failed:,}", style=style))
    lost = sum(not each.colour for each in answers)
    table.add_row("nobody answered", "", f"{lost:,}")
    return table


def lasted(answers: list[Answer], colour: str) -> float:
    """Return how many seconds there were between a colour's first answer and its last."""
    times = [each.at for each in answers if each.colour == colour]
    return max(times, default=0.0) - min(times, default=0.0)


def require_gateway() -> None:
    """Return if the cluster has Traefik as a gateway. Raises ClusterError, saying how to get it."""
    kinds = kubectl("api-resources", "--api-group=gateway.networking.k8s.io", "-o", "name")
    look = ("get", "gatewayclass", CLASS, "--ignore-not-found", "-o", "name")
    if "gatewayclasses" not in kinds or not kubectl(*look):
        raise ClusterError(
            "this cluster has no gateway: weather-cluster up --gateway starts Traefik"
        )


def _begin(weather: FakeOpenWeatherMap | None) -> str:
    """Apply the Gateway and London in yellow; return its address once it answers there."""
    # One that serves already would be changed by a canary, which takes visitors.
    kubectl("delete", "weatherapp", "london", "--ignore-not-found", "--cascade=foreground")
    kubectl("apply", "-f", "-", text=json.dumps(GATEWAY))
    kubectl("apply", "-f", "-", text=london("yellow", weather))
    version = f"--for=jsonpath={{.status.version}}={demo.VERSIONS['yellow']}"
    for condition in (version, "--for=condition=Ready"):
        kubectl("wait", "weatherapp/london", condition, "--timeout=120s")
    url = kubectl("get", "weatherapp", "london", "-o", "jsonpath={.status.url}")
    deadline = time.monotonic() + 30
    while not _is_served(url):
        if time.monotonic() > deadline:
            raise ClusterError(f"nothing answers at {url}: see weather-cluster logs traefik")
        time.sleep(0.2)
    return url


def _is_served(url: str) -> bool:
    try:
        return bool(demo.colour_served(url))
    except OSError:
        return False


def _roll(
    colour: str,
    weather: FakeOpenWeatherMap | None,
    client: Client,
    console: Console,
    **environment: str,
) -> dict[str, Any]:
    """Apply London in this colour, tell what happens, and return it once that is over."""
    console.print(f"\n$ kubectl apply -f {EXAMPLE}      # colour: {colour}", end="")
    console.print("".join(f", {name}={value}" for name, value in environment.items()))
    story = Story(client=client, console=console, counted=len(client.answers))
    kubectl("apply", "-f", "-", text=london(colour, weather, **environment))
    while True:
        app: dict[str, Any] = json.loads(kubectl("get", "weatherapp", "london", "-o", "json"))
        story.update(app)
        if _is_over(app):
            return app
        if time.monotonic() - story.began > LONGEST_SECONDS:
            raise ClusterError(f"London's rollout did not end: {_ready(app).get('message')}")
        time.sleep(0.5)


def _is_over(app: dict[str, Any]) -> bool:
    status = app.get("status", {})
    is_current = status.get("observedGeneration") == app["metadata"]["generation"]
    is_tried = "strategy" in status.get("rollout", {})
    return is_current and not is_tried and _ready(app)["reason"] in ENDS


def _ready(app: dict[str, Any]) -> dict[str, str]:
    conditions = app.get("status", {}).get("conditions", ())
    return next((each for each in conditions if each["type"] == "Ready"), {})


def london(colour: str, weather: FakeOpenWeatherMap | None, **environment: str) -> str:
    """Return the example in this colour, with these variables in its pods."""
    app = yaml.safe_load(EXAMPLE.read_text())
    app["spec"] |= {"colour": colour} | (weather.spec if weather else {})
    if environment:
        variables = [{"name": name, "value": value} for name, value in environment.items()]
        app["spec"]["pod"] = {"env": variables}
    return yaml.safe_dump(app)


INTRODUCTION = """\
A client asks for the page all the time, each time over a new connection. A line says where the
operator is, which weight it has set, and who has answered the client since the line before."""
