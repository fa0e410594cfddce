import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from support.browsing import browsing
from support.openweathermap import KEY
from weather_webapp.settings import Settings

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("given", "passed_on"),
    [(PARENT, PARENT), ("", None), ("00-xyz", None), (f"{PARENT}-more", None)],
)
async def test_a_trace_goes_on_to_the_providers(given: str, passed_on: str | None) -> None:
    received: list[str | None] = []

    async def listen(request: web.Request) -> web.Response:
        received.append(request.headers.get("traceparent"))
        return web.json_response([])

    upstream = web.Application()
    upstream.router.add_get("/{path:.*}", listen)
    async with TestServer(upstream) as server:
        settings = Settings(
            provider="openweathermap",
            openweather_base_url=str(server.make_url("")).rstrip("/"),
            openweather_api_key=KEY,
        )
        async with browsing(settings) as client:
            headers = {"traceparent": given} if given else {}
            assert (await client.get("/", headers=headers)).status == 200
    assert received
    assert set(received) == {passed_on}
