"""`kubectl weather tree`: apps down to their pods, once or redrawn as they change."""

import asyncio
from contextlib import suppress

import click

from kubectl_weather.client import Client, connect
from kubectl_weather.commands import options
from kubectl_weather.kubectl import Target
from kubectl_weather.model import to_json
from kubectl_weather.printing import console, print_json, print_no_apps, print_tree, rendered
from kubectl_weather.snapshot import get_app, read_snapshot
from kubectl_weather.tree import site_tree


@click.command()
@options.optional_app_name
@click.option("-w", "--watch", is_flag=True, help="Go on showing what changes.")
@options.output
@options.target(all_namespaces=True)
def tree(name: str | None, watch: bool, as_json: bool, target: Target) -> None:
    """Show WeatherApp → Deployment → ReplicaSets → pods → nodes, of one app or of all.

    And what leads to the pods: Service, autoscaler, Ingress, HTTPRoute.
    """
    options.refuse_name_in_all_namespaces(name, target)
    with connect(target, read_only=True) as client:
        if watch:
            _watch(client, name, as_json=as_json)
            return
        sites = read_snapshot(client, name, with_access=True).sites()
    if as_json:
        print_json(to_json(sites[0] if name else sites))
        return
    if not sites:
        print_no_apps(client.namespace)
    for each in sites:
        print_tree(site_tree(each, client.now))


def _watch(client: Client, name: str | None, *, as_json: bool) -> None:
    """Show one app or all until interrupted: redrawn on a terminal, else again at each change."""
    from kubectl_weather.watch import run  # slow to import: only who watches waits for it

    if name:
        get_app(client, name)
    is_redrawn = console().is_terminal and not as_json
    run(_redraw(client, name) if is_redrawn else _repeat(client, name, as_json=as_json))


async def _redraw(client: Client, name: str | None) -> None:
    from rich.console import Group
    from rich.live import Live

    from kubectl_weather.watch import Selection, watching

    selection = Selection(namespace=client.namespace, name=name, with_access=True)
    with Live(console=console(), auto_refresh=False) as screen:
        async with watching(client, selection) as (snapshot, changes):
            while True:
                trees = [rendered(site_tree(each, client.now)) for each in snapshot.sites()]
                screen.update(Group(*trees), refresh=True)
                with suppress(TimeoutError):
                    # Ages go on while nothing else does.
                    await asyncio.wait_for(changes.next(), timeout=1)


async def _repeat(client: Client, name: str | None, *, as_json: bool) -> None:
    from kubectl_weather.watch import Selection, watching

    selection = Selection(namespace=client.namespace, name=name, with_access=True)
    async with watching(client, selection) as (snapshot, changes):
        while True:
            for each in snapshot.sites():
                if as_json:
                    print_json(to_json(each), indent=None)
                else:
                    print_tree(site_tree(each, client.now))
            await changes.next()
