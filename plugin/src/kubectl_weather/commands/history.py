"""`kubectl weather history`: an app's rollouts as a table."""

from datetime import datetime

import click
from weather_operator.rollout.state import ROLLED_BACK, SUCCEEDED, SUPERSEDED

from kubectl_weather.client import connect
from kubectl_weather.commands import options
from kubectl_weather.durations import age, short
from kubectl_weather.history import Rollout, rollouts
from kubectl_weather.kubectl import Target
from kubectl_weather.model import to_json
from kubectl_weather.printing import (
    BAD,
    GOOD,
    QUIET,
    WAITING,
    Span,
    print_json,
    print_table,
    version_span,
)
from kubectl_weather.snapshot import get_app

_TITLES = ("REVISION", "VERSION", "OUTCOME", "AGE", "TOOK", "WHY")
_MEANINGS = {SUCCEEDED: GOOD, ROLLED_BACK: BAD, SUPERSEDED: QUIET}


@click.command()
@options.app_name
@options.output
@options.target()
def history(name: str, as_json: bool, target: Target) -> None:
    """List an app's rollouts, newest first: how they ended, how long they took, why they failed."""
    with connect(target, read_only=True) as client:
        found = rollouts(get_app(client, name))
    if as_json:
        print_json(to_json(found))
    elif found:
        print_table(_TITLES, [row(each, client.now) for each in found])
    else:
        click.echo(f"No rollout of {name} has ended yet.", err=True)


def row(rollout: Rollout, now: datetime) -> list[Span]:
    """Return a rollout as a row of the table."""
    return [
        Span(rollout.revision),
        version_span(rollout.version, rollout.colour),
        Span(rollout.outcome, _MEANINGS.get(rollout.outcome, WAITING)),
        Span(age(rollout.at, now)),
        Span("" if rollout.seconds is None else short(rollout.seconds)),
        Span(rollout.reason),
    ]
