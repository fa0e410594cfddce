"""A live page of WeatherApps, their Deployments, ReplicaSets and pods, for one viewer."""

import asyncio
from collections.abc import Callable

from kubectl_weather.api import Api
from kubectl_weather.dashboard.broadcast import Broadcast
from kubectl_weather.dashboard.server import serving
from kubectl_weather.watch import Selection, following


async def serve(api: Api, port: int, *, place: str, say: Callable[[str], None]) -> None:
    """Serve the page until cancelled; its address is said once it answers. Raises PluginError."""
    async with following(api, Selection(namespace=api.namespace)) as (fleet, changes):
        broadcast = Broadcast(fleet, changes, place=place)
        async with serving(broadcast, port) as address:
            say(address)
            async with asyncio.TaskGroup() as group:
                group.create_task(broadcast.run())
