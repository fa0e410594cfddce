"""`kubectl weather status`: waits until an app is ready, for scripts and pipelines."""

import sys
import time
from enum import IntEnum

import click
from weather_operator.kube.resources import Manifest

from kubectl_weather.client import Client, connect
from kubectl_weather.commands import options
from kubectl_weather.errors import UnansweredError
from kubectl_weather.kubectl import Target
from kubectl_weather.model import condition, is_current
from kubectl_weather.printing import print_json, print_text
from kubectl_weather.snapshot import get_app

_POLL_SECONDS = 1
_LOOK_SECONDS = 5
"""How long one look may take, whatever the timeout."""


class Outcome(IntEnum):
    """How an app is, as the command's exit code."""

    READY = 0
    STALLED = 1
    WAITING = 2


@click.command()
@options.app_name
@click.option(
    "--timeout",
    type=options.Duration(),
    help="Wait at most so long, as in 90s, 5m or 1h; 0 looks once. Else until it is over.",
)
@options.output
@options.target()
def status(name: str, timeout: float | None, as_json: bool, target: Target) -> None:
    """Wait until an app is ready; the exit code is 0, 1 where a person must act, 2 out of time."""
    with connect(target, read_only=True) as client:
        app = _wait(client, name, timeout, is_silent=as_json)
    outcome = outcome_of(app)
    if as_json:
        metadata, ready = app["metadata"], condition(app, "Ready")
        print_json(
            {
                "namespace": metadata["namespace"],
                "name": name,
                "outcome": outcome.name.capitalize(),
                "reason": ready.get("reason", ""),
                "message": ready.get("message", ""),
                "url": app.get("status", {}).get("url", ""),
            }
        )
    elif outcome is Outcome.WAITING:
        command = target.with_flags(f"kubectl weather explain {name}", client.namespace)
        print(f"{name} is not ready yet: {command}", file=sys.stderr)
    sys.exit(outcome)


def outcome_of(app: Manifest) -> Outcome:
    """Return how an app is; what is said of an older spec counts for nothing."""
    if not is_current(app):
        return Outcome.WAITING
    if condition(app, "Ready").get("status") == "True":
        return Outcome.READY
    is_stalled = condition(app, "Stalled").get("status") == "True"
    return Outcome.STALLED if is_stalled else Outcome.WAITING


def sentence(app: Manifest) -> str:
    """Return how an app is in a line."""
    ready = condition(app, "Ready")
    if not is_current(app) or not ready:
        return "waiting for the operator to see the change"
    return f"{ready['reason']}: {ready['message']}"


def _wait(client: Client, name: str, timeout: float | None, *, is_silent: bool) -> Manifest:
    """Return the app once it is ready, stalled or out of time; print what it says meanwhile.

    A cluster that has answered once is waited for.
    """
    app: Manifest | None = None
    end = None if timeout is None else time.monotonic() + timeout
    printed = ""
    while True:
        if end is not None:
            client.wait_at_most(max(end - time.monotonic(), _LOOK_SECONDS))
        try:
            app = get_app(client, name)
            said = sentence(app)
        except UnansweredError as error:
            if app is None:
                raise
            said = str(error)
        if not is_silent and said != printed:
            print_text(said)
            printed = said
        left = _POLL_SECONDS if end is None else end - time.monotonic()
        if outcome_of(app) is not Outcome.WAITING or left <= 0:
            return app
        time.sleep(min(_POLL_SECONDS, left))
