"""`kubectl weather set`: another version, by its number or its colour."""

import click

from kubectl_weather import spec_patches
from kubectl_weather.client import connect
from kubectl_weather.commands import options
from kubectl_weather.commands.patching import patch_spec, read_catalogue
from kubectl_weather.kubectl import Target


@click.command(name="set")
@options.app_name
@click.option(
    "--version",
    metavar="VERSION",
    shell_complete=options.complete_release("version"),
    help="A version of the catalogue, for example 2.0.0.",
)
@click.option(
    "--colour",
    "--color",
    metavar="COLOUR",
    shell_complete=options.complete_release("colour"),
    help="The colour of one.",
)
@options.output
@options.target()
def set_version(
    name: str, version: str | None, colour: str | None, as_json: bool, target: Target
) -> None:
    """Ask for another version; what else the spec says stays."""
    if bool(version) == bool(colour):
        raise click.UsageError("give --version or --colour, one of them")
    with connect(target) as client:
        catalogue = read_catalogue(client)
        patch_spec(
            client,
            name,
            lambda app: spec_patches.set_version(app, catalogue, version=version, colour=colour),
            target=target,
            as_json=as_json,
        )
