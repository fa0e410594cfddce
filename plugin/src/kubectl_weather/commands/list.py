"""`kubectl weather list`: every app in a line."""

from datetime import datetime

import click
from weather_operator.model import WEATHER_APP

from kubectl_weather.client import connect
from kubectl_weather.commands import options
from kubectl_weather.durations import age
from kubectl_weather.kubectl import Target
from kubectl_weather.model import SETTLED_REASONS, Site, site, to_json
from kubectl_weather.printing import (
    QUIET,
    Span,
    print_json,
    print_no_apps,
    print_table,
)
from kubectl_weather.tree import reason, versions

_TITLES = ("NAME", "CITY", "VERSION", "READY", "STATUS", "AGE", "URL OR MESSAGE")


@click.command(name="list")
@options.output
@options.target(all_namespaces=True)
def list_apps(as_json: bool, target: Target) -> None:
    """List apps, each in a line: version and colour, readiness, and where it is or why it waits."""
    with connect(target, read_only=True) as client:
        bodies = client.list(WEATHER_APP, namespace=client.namespace)
    found = sorted(
        (site(each, (), (), ()) for each in bodies), key=lambda each: (each.namespace, each.name)
    )
    if as_json:
        shown = [to_json(each) for each in found]
        for each in shown:
            del each["deployment"], each["canary"], each["access"]  # they were not read
        print_json(shown)
    elif not found:
        print_no_apps(client.namespace)
    elif target.all_namespaces:
        rows = ([Span(each.namespace), *row(each, client.now)] for each in found)
        print_table(("NAMESPACE", *_TITLES), rows)
    else:
        print_table(_TITLES, (row(each, client.now) for each in found))


def row(site: Site, now: datetime) -> list[Span | list[Span]]:
    """Return an app as a row of the table."""
    is_settled = site.reason in SETTLED_REASONS and site.is_current
    return [
        Span(site.name),
        Span(site.city),
        list(versions(site)),
        Span(site.ready or "?/?"),
        list(reason(site)),
        Span(age(site.created, now), QUIET),
        Span(site.url if is_settled else site.message),
    ]
