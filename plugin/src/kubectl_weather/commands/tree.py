"""`kubectl weather tree`: apps down to their pods, once or redrawn as they change."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import click
from rich.tree import Tree

from kubectl_weather.client import Client, connect
from kubectl_weather.commands import options
from kubectl_weather.kubectl import Target
from kubectl_weather.model import to_json
from kubectl_weather.printing import (
    BAD,
    QUIET,
    Span,
    TreeNode,
    console,
    no_apps,
    print_json,
    print_no_apps,
    print_tree,
    rendered,
)
from kubectl_weather.snapshot import Snapshot, get_app, read_snapshot
from kubectl_weather.terminal import in_one_line
from kubectl_weather.tree import site_tree

if TYPE_CHECKING:
    from kubectl_weather.watch import Changes  # slow to import

NOT_UP_TO_DATE = "not up to date"
"""What is said of the apps while the cluster does not tell what changes."""


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
                screen.update(Group(*_screen(snapshot, changes, client)), refresh=True)
                with suppress(TimeoutError):
                    # Ages go on while nothing else does.
                    await asyncio.wait_for(changes.next(), timeout=1)


def _screen(snapshot: Snapshot, changes: "Changes", client: Client) -> Iterator[Tree]:
    """Draw what a terminal has room for, and why it may be old: a thousand apps take seconds."""
    if changes.error:
        yield rendered(TreeNode([Span(f"{NOT_UP_TO_DATE}: {changes.error}", BAD)]))
    keys = snapshot.keys()
    shown = keys[: console().height]
    for key in shown:
        if found := snapshot.site(key):
            yield rendered(site_tree(found, client.now))
    if not keys:
        yield rendered(TreeNode([Span(no_apps(client.namespace), QUIET)]))
    if hidden := len(keys) - len(shown):
        yield rendered(TreeNode([Span(f"and {hidden} more apps", QUIET)]))


async def _repeat(client: Client, name: str | None, *, as_json: bool) -> None:
    from kubectl_weather.watch import Selection, watching

    selection = Selection(namespace=client.namespace, name=name, with_access=True)
    async with watching(client, selection) as (snapshot, changes):
        changed, error = set(snapshot.keys()), ""
        if not changed:
            print_no_apps(client.namespace)
        while True:
            for each in snapshot.sites() if changed else ():
                if as_json:
                    print_json(to_json(each), indent=None)
                else:
                    print_tree(site_tree(each, client.now))
            sys.stdout.flush()  # who reads a pipe waits for it
            changed = await changes.next()
            if changes.error and not error:
                print(f"{NOT_UP_TO_DATE}: {in_one_line(changes.error)}", file=sys.stderr)
            error = changes.error
