"""`kubectl weather restart`: new pods of the same version."""

import click

from kubectl_weather import spec_patches
from kubectl_weather.client import connect
from kubectl_weather.commands import options
from kubectl_weather.commands.patching import patch_spec
from kubectl_weather.kubectl import Target


@click.command()
@options.app_name
@options.output
@options.target()
def restart(name: str, as_json: bool, target: Target) -> None:
    """Replace an app's pods by new ones of the same version, without a gap."""
    with connect(target) as client:
        patch_spec(
            client,
            name,
            lambda app: spec_patches.restart(app, client.now),
            target=target,
            as_json=as_json,
        )
