import time

import pytest
from aiohttp.test_utils import TestClient, TestServer
from weather_webapp.fault_injection import FaultInjector
from weather_webapp.server import make_app
from weather_webapp.settings import Settings


@pytest.mark.parametrize("rate", [0, 0.1, 0.25, 0.5, 1])
def test_an_exact_share_of_requests_fails_evenly_spread(rate: float) -> None:
    faults = FaultInjector(Settings(fault_error_rate=rate))
    failed = [faults.should_fail() for _ in range(100)]
    assert sum(failed) == 100 * rate
    assert {sum(failed[start : start + 20]) for start in range(0, 100, 20)} == {20 * rate}


async def test_off_by_default() -> None:
    async with TestClient(TestServer(make_app(Settings(provider="sample")))) as client:
        answer = await client.get("/")
        assert "FAULT_" not in await answer.text()
        assert answer.headers["Cache-Control"] == "public, max-age=0, s-maxage=1"


async def test_errors_come_as_asked_but_not_at_the_probes_and_the_page_says_so() -> None:
    settings = Settings(provider="sample", fault_error_rate=0.5)
    async with TestClient(TestServer(make_app(settings))) as client:
        assert [(await client.get("/readyz")).status for _ in range(4)] == [200] * 4
        answers = [await client.get("/") for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 500, 200, 500]
        assert "FAULT_ERROR_RATE=0.5" in await answers[0].text()
        assert "on purpose" in await answers[1].text()
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}


async def test_latency_is_added() -> None:
    settings = Settings(provider="sample", fault_latency_ms=150)
    async with TestClient(TestServer(make_app(settings))) as client:
        began = time.monotonic()
        assert "FAULT_LATENCY_MS=150" in await (await client.get("/")).text()
        assert time.monotonic() - began >= 0.15


async def test_never_ready_is_alive() -> None:
    settings = Settings(provider="sample", fault_startup="never-ready")
    async with TestClient(TestServer(make_app(settings))) as client:
        ready = await client.get("/readyz")
        assert (ready.status, await ready.text()) == (503, "FAULT_STARTUP=never-ready\n")
        assert (await client.get("/healthz")).status == 200
