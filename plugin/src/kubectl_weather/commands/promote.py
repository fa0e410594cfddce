"""`kubectl weather promote`: what is tried serves."""

import click

from kubectl_weather import trial_patches
from kubectl_weather.client import connect
from kubectl_weather.commands import options
from kubectl_weather.commands.patching import patch_spec
from kubectl_weather.kubectl import Target
from kubectl_weather.trial_patches import Seen


@click.command()
@options.app_name
@options.seen
@options.output
@options.target()
def promote(name: str, seen: Seen, as_json: bool, target: Target) -> None:
    """Let the revision that is tried serve, without the steps that are left."""
    with connect(target) as client:
        patch_spec(
            client,
            name,
            lambda app: trial_patches.promote(app, seen),
            target=target,
            as_json=as_json,
        )
