"""The live page's server on the loopback, beside a server that answers as a test says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession
from kubectl_weather.client import Client
from kubectl_weather.dashboard.server import serve
from kubectl_weather.kubectl import Address
from support.plugin_api import Api


@asynccontextmanager
async def served(api: Api) -> AsyncIterator[str]:
    """The address of the page, as long as it is wanted."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    client = Client(Address(port=api.port), "default")
    task = asyncio.create_task(serve(client, 0, place="here", on_ready=address.set_result))
    try:
        yield await address
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        client.close()


@pytest.mark.parametrize(("is_of_http", "status"), [(True, 200), (False, 421)])
async def test_a_host_without_a_port_is_its_own_at_the_port_of_http_alone(
    api: Api, monkeypatch: pytest.MonkeyPatch, is_of_http: bool, status: int
) -> None:
    async with served(api) as address, ClientSession() as session:
        if is_of_http:
            port = urlsplit(address).port
            monkeypatch.setattr("kubectl_weather.dashboard.server._HTTP_PORT", port)
        for host in ("127.0.0.1", "localhost"):
            async with session.get(address, headers={"Host": host}) as response:
                assert response.status == status
