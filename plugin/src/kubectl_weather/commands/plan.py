"""`kubectl weather plan`: what an apply would do."""

import json
import sys
import tempfile
from collections.abc import Sequence

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

_DIFFERS = 3


@click.command()
@click.option(
    "-f",
    "--filename",
    "filenames",
    multiple=True,
    type=click.Path(),
    help="A file, a folder, or -; may be given again.",
)
@click.option("-k", "--kustomize", type=click.Path(), help="A folder with a kustomization.")
@click.option("-R", "--recursive", is_flag=True, help="With the folders in the folder.")
@click.option("--server-side", is_flag=True, help="Plan for kubectl apply --server-side.")
@click.option("--force-conflicts", is_flag=True, help="As --server-side takes others' fields.")
@click.option("--exit-code", is_flag=True, help="End with 3 where something would change.")
@options.output
@options.target()
def plan(
    filenames: Sequence[str],
    kustomize: str | None,
    recursive: bool,
    server_side: bool,
    force_conflicts: bool,
    exit_code: bool,
    as_json: bool,
    target: Target,
) -> None:
    """Tell what an apply would change in each child and which pods it replaces, without writing."""
    if bool(filenames) == bool(kustomize):
        raise click.UsageError("give -f or -k, one of them")
    given = {
        "--recursive": recursive,
        "--server-side": server_side,
        "--force-conflicts": force_conflicts,
    }
    flags = [flag for flag, is_given in given.items() if is_given]
    bodies = _dry_run(filenames, kustomize, flags, target)
    apps = [each for each in bodies if each["kind"] == WEATHER_APP.name]
    if not apps:
        raise PluginError(f"there is no WeatherApp in {', '.join(filenames) or kustomize}")
    releases = [each for each in bodies if each["kind"] == WEATHER_RELEASE.name]
    with connect(target) as client:
        planner = Planner(client, releases)
        previews = [planner.preview(each) for each in apps]
    if as_json:
        print_json(to_json(previews))
    else:
        for each in previews:
            print_text(rendered(preview_tree(each)))
    if exit_code and any(each.differs for each in previews):
        sys.exit(_DIFFERS)


def _dry_run(
    filenames: Sequence[str], kustomize: str | None, flags: Sequence[str], target: Target
) -> list[Manifest]:
    """Return the objects as kubectl's apply would leave them, checked and merged by the server."""
    arguments = ["apply", "--dry-run=server", "--output=json", *flags]
    arguments += [f"--namespace={target.namespace}"] if target.namespace else []
    with tempfile.NamedTemporaryFile(suffix=".yaml") as copy:
        if "-" in filenames:
            copy.write(sys.stdin.buffer.read())  # whatever it is: kubectl says what is wrong
            copy.flush()
        names = [copy.name if each == "-" else each for each in filenames]
        given = [f"--filename={each}" for each in names] or [f"--kustomize={kustomize}"]
        try:
            out = kubectl.run(*arguments, *given, *target.flags)
        except PluginError as error:
            raise PluginError(str(error).replace(copy.name, "STDIN")) from error
    result = json.loads(out)
    bodies: list[Manifest] = result["items"] if result["kind"] == "List" else [result]
    return bodies
