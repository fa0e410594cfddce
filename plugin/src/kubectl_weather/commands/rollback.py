"""`kubectl weather rollback`: back to a version that served."""

import click
from weather_operator.model import WEATHER_RELEASE, Release, parse_release

from kubectl_weather import spec_patches
from kubectl_weather.client import Client, connect
from kubectl_weather.commands import options
from kubectl_weather.commands.patching import patch_spec
from kubectl_weather.errors import ForbiddenError
from kubectl_weather.kubectl import Target


@click.command()
@options.app_name
@click.option("--to", metavar="VERSION", help="A version of the history, else the last good one.")
@options.output
@options.target()
def rollback(name: str, to: str | None, as_json: bool, target: Target) -> None:
    """Ask for a version that served before; what else the spec says stays."""
    with connect(target) as client:
        catalogue = _read_catalogue(client)
        patch_spec(
            client,
            name,
            lambda app: spec_patches.rollback(app, catalogue, to=to),
            target=target,
            as_json=as_json,
        )


def _read_catalogue(client: Client) -> list[Release] | None:
    """Return the releases, None where the user may not read them."""
    try:
        return [parse_release(each) for each in client.list(WEATHER_RELEASE)]
    except ForbiddenError:
        return None
