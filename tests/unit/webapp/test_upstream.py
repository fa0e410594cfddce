import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientTimeout
from aiohttp.test_utils import BaseTestServer, TestClient, TestServer
from support import open_meteo, openweathermap
from support.openweathermap import KEY
from support.providers import RecordingMetrics
from weather_webapp.errors import CityLookupError, CityUnknownError, Failure, ProviderError
from weather_webapp.logs import JsonFormatter
from weather_webapp.providers.factory import make_providers
from weather_webapp.providers.upstream import MAX_BODY_BYTES, TIMEOUT, Upstream, make_session
from weather_webapp.server import make_app
from weather_webapp.service import WeatherService
from weather_webapp.settings import Settings

NOW = datetime(2025, 11, 23, 10, 44, 5, tzinfo=UTC)


def url_of(server: BaseTestServer) -> str:
    return str(server.make_url("")).rstrip("/")


@asynccontextmanager
async def answering(raw: bytes) -> AsyncIterator[str]:
    """A server that says this to everybody and hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=["nothing", "another protocol", "truncated", "truncated chunk", "not compressed"],
)
async def test_an_answer_that_breaks_off_is_unavailable(raw: bytes) -> None:
    metrics = RecordingMetrics()
    async with make_session() as session, answering(raw) as url:
        with pytest.raises(ProviderError) as raised:
            await Upstream(session, "open-meteo", metrics).get(url, {"appid": KEY})
    assert raised.value.failure is Failure.UNAVAILABLE
    assert metrics.calls == [("open-meteo", "unavailable")]


async def test_a_slow_answer_is_unavailable() -> None:
    stand_in = openweathermap.StandIn(pause=asyncio.Event())
    timeout = ClientTimeout(total=0.05)
    async with TestServer(stand_in.app()) as server, ClientSession(timeout=timeout) as session:
        with pytest.raises(ProviderError) as raised:
            await Upstream(session, "openweathermap").get(f"{url_of(server)}/geo/1.0/direct", {})
        stand_in.pause.set()  # type: ignore[union-attr] # given above
    assert raised.value.failure is Failure.UNAVAILABLE
    async with make_session() as session:
        assert session.timeout == TIMEOUT


async def test_no_more_is_read_than_weather_can_need() -> None:
    stand_in = openweathermap.StandIn(body=b"{}" + b" " * MAX_BODY_BYTES)
    async with TestServer(stand_in.app()) as server, make_session() as session:
        with pytest.raises(ProviderError) as raised:
            await Upstream(session, "openweathermap").get(f"{url_of(server)}/geo/1.0/direct", {})
    assert raised.value.failure is Failure.UNREADABLE


async def test_a_redirect_is_not_followed_with_the_key() -> None:
    elsewhere = openweathermap.StandIn()
    async with TestServer(elsewhere.app()) as server, make_session() as session:
        raw = f"HTTP/1.1 302 Found\r\nLocation: {url_of(server)}/geo/1.0/direct\r\n\r\n".encode()
        async with answering(raw) as url:
            with pytest.raises(ProviderError):
                await Upstream(session, "openweathermap").get(url, {"appid": KEY})
    assert elsewhere.queries == []


@asynccontextmanager
async def site(
    first: openweathermap.StandIn, second: open_meteo.StandIn, **settings: object
) -> AsyncIterator[TestClient]:  # type: ignore[type-arg] # ours
    """The app, with OpenWeatherMap and then Open-Meteo to ask."""
    async with TestServer(first.app()) as one, TestServer(second.app()) as two:
        there = Settings(
            openweather_api_key=KEY,
            openweather_base_url=url_of(one),
            open_meteo_base_url=url_of(two),
            open_meteo_geocoding_url=url_of(two),
            **settings,  # type: ignore[arg-type] # by name
        )
        app = make_app(there, now=lambda: NOW)
        async with TestClient(TestServer(app)) as client:
            yield client


async def test_a_thousand_who_ask_for_a_cold_city_make_one_call_of_each_kind() -> None:
    stand_in = openweathermap.StandIn()
    async with TestServer(stand_in.app()) as server, make_session() as session:
        settings = Settings(
            provider="openweathermap",
            openweather_api_key=KEY,
            openweather_base_url=url_of(server),
        )
        providers = make_providers(settings, session, lambda: NOW)
        service = WeatherService(providers, lambda: NOW, timeout=timedelta(minutes=1))
        results = await asyncio.gather(
            *[service.get("Rothenburg ob der Tauber", "en") for _ in range(1000)]
        )
        await service.close()
    assert {result.weather.source for result in results} == {"openweathermap"}
    assert stand_in.calls == dict.fromkeys(stand_in.answers, 1)


async def test_an_upstream_that_hangs_leaves_the_page_ready() -> None:
    stand_in = openweathermap.StandIn(pause=asyncio.Event())
    async with site(stand_in, open_meteo.StandIn()) as client:
        visit = asyncio.create_task(client.get("/"))
        assert (await client.get("/readyz")).status == 200
        assert (await client.get("/healthz")).status == 200
        stand_in.pause.set()  # type: ignore[union-attr] # given above
        assert (await visit).status == 200


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_when_openweathermap_refuses_open_meteo_answers(status: int) -> None:
    async with site(openweathermap.StandIn(status=status), open_meteo.StandIn()) as client:
        answer = await client.get("/")
    assert (answer.status, answer.headers["X-Weather-Source"]) == (200, "open-meteo")


@pytest.mark.parametrize(
    ("choice", "source"),
    [
        ("auto", "openweathermap"),
        ("openweathermap", "openweathermap"),
        ("open-meteo", "open-meteo"),
        ("sample", "sample"),
    ],
)
async def test_each_choice_asks_its_providers(choice: str, source: str) -> None:
    first, second = openweathermap.StandIn(), open_meteo.StandIn()
    async with site(first, second, provider=choice) as client:
        assert (await client.get("/")).headers["X-Weather-Source"] == source
    assert bool(first.calls) == (source == "openweathermap")
    assert bool(second.calls) == (source == "open-meteo")


FAULTS = [
    {},
    {"status": 401, "body": b"bad key " + KEY.encode()},
    {"status": 404, "body": KEY.encode()},
    {"status": 429},
    {"status": 500, "body": b"<html>" + KEY.encode()},
    {"body": b"garbage " + KEY.encode()},
    {"body": b'{"name": "' + KEY.encode() + b'"}'},
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_the_key_is_in_no_log_error_metric_or_value(
    fault: dict[str, object], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    file = tmp_path / "api-key"
    file.write_text(KEY)
    metrics, errors = RecordingMetrics(), [""]
    stand_in = openweathermap.StandIn(**fault)  # type: ignore[arg-type] # by name
    async with TestServer(stand_in.app()) as server, make_session() as session:
        settings = Settings(
            provider="openweathermap",
            openweather_api_key_file=file,
            openweather_base_url=url_of(server),
        )
        providers = make_providers(settings, session, lambda: NOW, metrics)
        service = WeatherService(providers, lambda: NOW, metrics=metrics)
        results = [await service.get("London", "en")]
        for city in ("Rothenburg ob der Tauber", "Atlantis"):
            try:
                results.append(await service.get(city, "en"))
            except (CityLookupError, CityUnknownError) as error:
                errors.append(f"{error!r} {error} {error.__cause__!r} {error.__context__!r}")
        await service.close()
        errors += [repr(each) for each in gc.get_objects() if isinstance(each, ProviderError)]
    assert any(query.get("appid") == KEY for query in stand_in.queries)
    ours = [record for record in caplog.records if record.name != "aiohttp.access"]
    logged = "".join(JsonFormatter().format(record) for record in ours)
    for said in (logged, repr(results), repr(metrics.calls), "".join(errors), repr(settings)):
        assert KEY not in said
    assert repr(vars(providers[0])).count(KEY) == 0


async def test_calls_go_through_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    async with answering(proxy) as url:
        monkeypatch.setenv("HTTP_PROXY", url)
        async with make_session() as session:
            answer = await Upstream(session, "open-meteo").get("http://api.example/v1", {})
    assert answer == {}
