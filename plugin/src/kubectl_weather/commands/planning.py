"""The command that looks ahead: plan."""

import json
import sys
import tempfile
from typing import Any

import click
from weather_operator.model import WEATHER_APP, WEATHER_RELEASE

from kubectl_weather import api, kubectl, options
from kubectl_weather.errors import PluginError
from kubectl_weather.kubectl import Target

Body = dict[str, Any]


@click.command()
@click.option("-f", "--filename", required=True, type=click.Path(), help="A file, a folder, or -.")
@click.option("--server-side", is_flag=True, help="Plan for kubectl apply --server-side.")
@options.output
@options.target()
def plan(filename: str, server_side: bool, as_json: bool, target: Target) -> None:
    """Tell what an apply would change in each child and which pods it replaces, without writing."""
    from kubectl_weather import printing
    from kubectl_weather.plan import drawn
    from kubectl_weather.planning import Planner

    bodies = _as_applied(filename, server_side, target)
    apps = [each for each in bodies if each["kind"] == WEATHER_APP.name]
    if not apps:
        raise PluginError(f"there is no WeatherApp in {filename}")
    with api.connect(target) as cluster:
        planner = Planner(
            cluster, [each for each in bodies if each["kind"] == WEATHER_RELEASE.name]
        )
        plans = [planner.plan(each) for each in apps]
    if as_json:
        printing.say_json([each.json() for each in plans])
        return
    for each in plans:
        printing.say(printing.drawn(drawn(each)))


def _as_applied(filename: str, server_side: bool, target: Target) -> list[Body]:
    """Return the objects as kubectl's apply would leave them: it merges, and the server checks."""
    words = ["apply", "--dry-run=server", "--output=json"]
    words += ["--server-side"] if server_side else []
    words += [f"--namespace={target.namespace}"] if target.namespace else []
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as given:
        if filename == "-":
            given.write(sys.stdin.read())
            given.flush()
            filename = given.name
        try:
            answer = json.loads(kubectl.run(*words, f"--filename={filename}", *target.flags))
        except PluginError as error:
            raise PluginError(str(error).replace(given.name, "STDIN")) from error
    found: list[Body] = answer["items"] if answer["kind"] == "List" else [answer]
    return found
