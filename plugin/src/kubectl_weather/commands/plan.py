"""`kubectl weather plan`: what an apply would do."""

import json
import sys
import tempfile

import click
from weather_operator.kube.resources import Manifest
from weather_operator.model import WEATHER_APP, WEATHER_RELEASE

from kubectl_weather import kubectl
from kubectl_weather.client import connect
from kubectl_weather.commands import options
from kubectl_weather.errors import PluginError
from kubectl_weather.kubectl import Target
from kubectl_weather.model import to_json
from kubectl_weather.planner import Planner
from kubectl_weather.preview import preview_tree
from kubectl_weather.printing import print_json, print_text, rendered


@click.command()
@click.option("-f", "--filename", required=True, type=click.Path(), help="A file, a folder, or -.")
@click.option("--server-side", is_flag=True, help="Plan for kubectl apply --server-side.")
@options.output
@options.target()
def plan(filename: str, server_side: bool, as_json: bool, target: Target) -> None:
    """Tell what an apply would change in each child and which pods it replaces, without writing."""
    bodies = _dry_run(filename, server_side, target)
    apps = [each for each in bodies if each["kind"] == WEATHER_APP.name]
    if not apps:
        raise PluginError(f"there is no WeatherApp in {filename}")
    releases = [each for each in bodies if each["kind"] == WEATHER_RELEASE.name]
    with connect(target) as client:
        planner = Planner(client, releases)
        previews = [planner.preview(each) for each in apps]
    if as_json:
        print_json(to_json(previews))
        return
    for each in previews:
        print_text(rendered(preview_tree(each)))


def _dry_run(filename: str, server_side: bool, target: Target) -> list[Manifest]:
    """Return the objects as kubectl's apply would leave them, checked and merged by the server."""
    arguments = ["apply", "--dry-run=server", "--output=json"]
    arguments += ["--server-side"] if server_side else []
    arguments += [f"--namespace={target.namespace}"] if target.namespace else []
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as copy:
        if filename == "-":
            copy.write(sys.stdin.read())
            copy.flush()
            filename = copy.name
        try:
            out = kubectl.run(*arguments, f"--filename={filename}", *target.flags)
        except PluginError as error:
            raise PluginError(str(error).replace(copy.name, "STDIN")) from error
    result = json.loads(out)
    bodies: list[Manifest] = result["items"] if result["kind"] == "List" else [result]
    return bodies
