"""The tree in a terminal, redrawn as the cluster changes."""

import asyncio
from contextlib import suppress

from rich.console import Group
from rich.live import Live

from kubectl_weather import printing
from kubectl_weather.api import Api
from kubectl_weather.fleet import app_called
from kubectl_weather.tree import tree
from kubectl_weather.watch import Selection, following, run


def follow(api: Api, name: str | None, *, as_json: bool) -> None:
    """Show one app or all until interrupted: redrawn on a terminal, else once for each change."""
    if name:
        app_called(api, name)
    redrawn = printing.console().is_terminal and not as_json
    run(_redraw(api, name) if redrawn else _repeat(api, name, as_json=as_json))


async def _redraw(api: Api, name: str | None) -> None:
    with Live(console=printing.console(), auto_refresh=False) as screen:
        async with following(api, Selection(namespace=api.namespace, name=name)) as (fleet, change):
            while True:
                trees = [printing.drawn(tree(each, api.now)) for each in fleet.sites()]
                screen.update(Group(*trees), refresh=True)
                with suppress(TimeoutError):
                    # Ages go on while nothing else does.
                    await asyncio.wait_for(change.next(), timeout=1)


async def _repeat(api: Api, name: str | None, *, as_json: bool) -> None:
    async with following(api, Selection(namespace=api.namespace, name=name)) as (fleet, change):
        while True:
            for each in fleet.sites():
                if as_json:
                    printing.say_json(each.json(), indent=None)
                else:
                    printing.say(printing.drawn(tree(each, api.now)))
            await change.next()
