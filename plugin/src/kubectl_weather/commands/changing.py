"""The commands that change an app's spec: rollback, retry, pause, resume."""

from collections.abc import Callable
from typing import Any

import click
from weather_operator.kube.resources import key_of
from weather_operator.model import WEATHER_APP, WEATHER_RELEASE, Release, parse_release

from kubectl_weather import api, changes, fleet, options
from kubectl_weather.api import Api
from kubectl_weather.changes import Change
from kubectl_weather.errors import ChangedError, ForbiddenError
from kubectl_weather.kubectl import Target

Body = dict[str, Any]

_TRIES = 5


@click.command()
@options.app_name
@click.option("--to", metavar="VERSION", help="A version of the history, else the last good one.")
@options.output
@options.target()
def rollback(name: str, to: str | None, as_json: bool, target: Target) -> None:
    """Ask for a version that served before; what else the spec says stays."""
    with api.connect(target) as cluster:
        catalogue = _catalogue(cluster)
        _make(cluster, name, lambda app: changes.rollback(app, catalogue, to=to), target, as_json)


@click.command()
@options.app_name
@options.output
@options.target()
def retry(name: str, as_json: bool, target: Target) -> None:
    """Try a revision that failed once more: spec.rollout.attempt is raised."""
    with api.connect(target) as cluster:
        _make(cluster, name, changes.retry, target, as_json)


@click.command()
@options.app_name
@options.output
@options.target()
def pause(name: str, as_json: bool, target: Target) -> None:
    """Let a rollout stand still where it is."""
    with api.connect(target) as cluster:
        _make(cluster, name, changes.pause, target, as_json)


@click.command()
@options.app_name
@options.output
@options.target()
def resume(name: str, as_json: bool, target: Target) -> None:
    """Let a rollout that was paused go on."""
    with api.connect(target) as cluster:
        _make(cluster, name, changes.resume, target, as_json)


def _make(
    cluster: Api, name: str, decide: Callable[[Body], Change], target: Target, as_json: bool
) -> None:
    """Make a change and tell it."""
    change = _write(cluster, name, decide)
    following = target.spell(change.next.format(name=name), cluster.namespace)
    from kubectl_weather import printing

    if as_json:
        told = {"namespace": cluster.namespace, "name": name, "said": change.said}
        printing.say_json({**told, "spec": change.spec, "next": [following]})
        return
    printing.say(change.said, "Next:", f"  {following}", sep="\n")


def _write(cluster: Api, name: str, decide: Callable[[Body], Change]) -> Change:
    """Write what is decided on what was read, and nothing else; it is read again where it moved."""
    for left in reversed(range(_TRIES)):
        app = fleet.app_called(cluster, name)
        change = decide(app)
        if not change.spec:
            break
        version = {"resourceVersion": app["metadata"]["resourceVersion"]}
        try:
            cluster.merge(WEATHER_APP, key_of(app), {"metadata": version, "spec": change.spec})
            break
        except ChangedError:
            if not left:
                raise
    return change


def _catalogue(cluster: Api) -> list[Release] | None:
    """Return the releases, None where the viewer may not read them."""
    try:
        return [parse_release(each) for each in cluster.list(WEATHER_RELEASE)]
    except ForbiddenError:
        return None
