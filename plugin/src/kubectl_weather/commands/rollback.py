"""`kubectl weather rollback`: back to a version that served."""

import click

from kubectl_weather import spec_patches
from kubectl_weather.client import connect
from kubectl_weather.commands import options
from kubectl_weather.commands.patching import patch_spec, read_catalogue
from kubectl_weather.kubectl import Target


@click.command()
@options.app_name
@click.option(
    "--to",
    metavar="VERSION",
    shell_complete=options.complete_served,
    help="A version of the history, else the last good one.",
)
@options.output
@options.target()
def rollback(name: str, to: str | None, as_json: bool, target: Target) -> None:
    """Ask for a version that served before; what else the spec says stays."""
    with connect(target) as client:
        catalogue = read_catalogue(client)
        patch_spec(
            client,
            name,
            lambda app: spec_patches.rollback(app, catalogue, to=to),
            target=target,
            as_json=as_json,
        )
