"""Requests as an API server gets them, and what becomes of its answers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration
from weather_operator.kube.client import Client, path_of
from weather_operator.kube.connection import Connection
from weather_operator.kube.resources import DEPLOYMENT, NODE, Key
from weather_operator.model import WEATHER_APP

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
LONDON = Key(namespace="default", name="london")


@asynccontextmanager
async def client_of(answer: Answer) -> AsyncIterator[Client]:
    """A client of an API server that answers every request so."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        configuration = Configuration(host=str(server.make_url("")).rstrip("/"))
        connection = Connection(configuration, user_agent="test", observe=lambda *_: None)
        try:
            yield Client(connection)
        finally:
            await connection.close()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (path_of(NODE, Key(name="n")), "/api/v1/nodes/n"),
        (path_of(DEPLOYMENT, Key(name="")), "/apis/apps/v1/deployments"),
        (
            path_of(DEPLOYMENT, Key(namespace="a", name="b")),
            "/apis/apps/v1/namespaces/a/deployments/b",
        ),
        (
            path_of(WEATHER_APP, Key(namespace="a", name="b"), "status"),
            "/apis/weather.quantspark.io/v1/namespaces/a/weatherapps/b/status",
        ),
    ],
)
def test_paths(path: str, expected: str) -> None:
    assert path == expected


async def test_the_time_is_the_servers() -> None:
    async def answer(_: web.Request) -> web.Response:
        headers = {"Date": "Fri, 01 Jan 2038 00:00:00 GMT"}
        return web.json_response({}, headers=headers)

    async with client_of(answer) as client:
        assert not client.connection.server_time().startswith("2038")
        await client.get(DEPLOYMENT, LONDON)
        assert client.connection.server_time().startswith("2038-01-01T00:00:0")
