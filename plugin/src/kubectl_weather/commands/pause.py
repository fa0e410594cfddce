"""`kubectl weather pause`: rollouts stand still."""

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
def pause(name: str, as_json: bool, target: Target) -> None:
    """Let a rollout stand still where it is."""
    with connect(target) as client:
        patch_spec(client, name, spec_patches.pause, target=target, as_json=as_json)
