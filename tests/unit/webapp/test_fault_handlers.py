"""Faults that are set while the pod runs."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.browsing import CURL, Client, browsing
from weather_webapp.errors import HttpError
from weather_webapp.fault_handlers import parse_faults
from weather_webapp.settings import Settings

TOKEN = "x" * 8
BEARER = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}
SITE = Settings(provider="sample", version="2.0.0", pod="london-1", fault_token=TOKEN)
GUARDED = [("POST", "/faults"), ("GET", "/faults"), ("GET", "/status/503"), ("GET", "/delay/0")]
OFF = {
    "pod": "london-1",
    "version": "2.0.0",
    "errorRatePercent": 0,
    "latencyMilliseconds": 0,
}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with browsing(SITE) as client:
        yield client


async def set_faults(client: Client, faults: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post("/faults", json=faults, headers=BEARER)
    assert answer.status == 200
    return dict(await answer.json())


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_there_is_nothing_without_a_token_in_the_settings(method: str, path: str) -> None:
    async with browsing(Settings(provider="sample")) as client:
        assert (await client.request(method, path, headers=BEARER)).status == 404


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize(
    ("authorization", "status", "words"),
    [
        ("", 401, "Authorization: Bearer"),
        (f"Basic {TOKEN}", 401, "Authorization: Bearer"),
        ("Bearer x", 403, "not the token"),
        (f"Bearer {TOKEN}x", 403, "not the token"),
        ("Bearer \u00e9\u00e9", 403, "not the token"),
    ],
)
async def test_who_lacks_the_token_changes_nothing(
    client: Client, method: str, path: str, authorization: str, status: int, words: str
) -> None:
    headers = {**CURL, "Authorization": authorization} if authorization else CURL
    answer = await client.request(method, path, headers=headers, data=b'{"errorRatePercent":100}')
    assert (answer.status, answer.headers["Cache-Control"]) == (status, "no-store")
    assert ("WWW-Authenticate" in answer.headers) is (status == 401)
    assert words in await answer.text()
    assert await (await client.get("/faults", headers=BEARER)).json() == OFF


async def test_errors_and_latency_come_and_go_while_the_pod_runs(client: Client) -> None:
    before = await client.get("/")
    assert (before.status, before.headers["Cache-Control"]) == (200, "no-store")
    assert await set_faults(client, {"errorRatePercent": 50, "latencyMilliseconds": 1}) == {
        **OFF,
        "errorRatePercent": 50,
        "latencyMilliseconds": 1,
    }
    answers = [await client.get("/") for _ in range(4)]
    assert sorted(answer.status for answer in answers) == [200, 200, 500, 500]
    pages = [await answer.text() for answer in answers if answer.status == 200]
    assert all("FAULT_ERROR_RATE=0.5" in page for page in pages)
    assert await set_faults(client, {}) == OFF
    answers = [await client.get("/") for _ in range(4)]
    assert [answer.status for answer in answers] == [200] * 4
    assert "FAULT_" not in await answers[0].text()


async def test_what_can_turn_it_off_and_the_probes_never_fail(client: Client) -> None:
    await set_faults(client, {"errorRatePercent": 100})
    assert (await client.get("/")).status == 500
    for path in ("/healthz", "/readyz"):
        assert [(await client.get(path)).status for _ in range(3)] == [200] * 3
    assert (await (await client.get("/faults", headers=BEARER)).json())["errorRatePercent"] == 100
    assert await set_faults(client, {}) == OFF


async def test_a_pod_of_another_version_refuses(client: Client) -> None:
    body = {"version": "3.0.0", "errorRatePercent": 5}
    answer = await client.post("/faults", json=body, headers=BEARER)
    assert answer.status == 409
    assert "2.0.0" in (await answer.json())["detail"]
    assert await (await client.get("/faults", headers=BEARER)).json() == OFF
    assert (await set_faults(client, {**body, "version": "2.0.0"}))["errorRatePercent"] == 5


async def test_what_is_set_in_the_environment_is_where_it_starts() -> None:
    here = Settings(provider="sample", fault_token=TOKEN, fault_error_rate=0.25)
    async with browsing(here) as client:
        found = await (await client.get("/faults", headers=BEARER)).json()
        assert found["errorRatePercent"] == 25


async def test_podinfos_addresses(client: Client) -> None:
    for code in (200, 204, 404, 503, 599):
        answer = await client.get(f"/status/{code}", headers=BEARER)
        assert (answer.status, answer.headers["Cache-Control"]) == (code, "no-store")
    answer = await client.get("/delay/1", headers=BEARER)
    assert await answer.json() == {"delaySeconds": 1}
    for path in ("/status/100", "/status/600", "/delay/61", "/delay/-1", "/delay/x"):
        assert (await client.get(path, headers=BEARER)).status == 404


async def test_all_stays_below_the_base_path() -> None:
    here = Settings(provider="sample", fault_token=TOKEN, base_path="/london", fault_error_rate=1)
    async with browsing(here) as client:
        assert (await client.get("/faults", headers=BEARER)).status == 500
        assert (await client.get("/london/faults", headers=BEARER)).status == 200


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        "1",
        "{",
        "[" * 16_000,
        '{"errorRatePercent": -1}',
        '{"errorRatePercent": 100.1}',
        '{"errorRatePercent": NaN}',
        '{"errorRatePercent": true}',
        '{"errorRatePercent": "5"}',
        '{"errorRatePercent": null}',
        '{"latencyMilliseconds": 60001}',
        '{"latencyMilliseconds": Infinity}',
        '{"errorRate": 5}',
        '{"version": 2}',
        '{"version": "2.0.0", "errorRatePercent": 101}',
        b"\xff",
    ],
)
async def test_what_makes_no_sense_is_refused_in_words(client: Client, body: str | bytes) -> None:
    data = body if isinstance(body, bytes) else body.encode()
    answer = await client.post("/faults", data=data, headers=BEARER)
    assert answer.status == 400
    assert "errorRatePercent, 0 to 100" in (await answer.json())["detail"]
    assert await (await client.get("/faults", headers=BEARER)).json() == OFF


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["errorRatePercent", "latencyMilliseconds", "version", "x"]), inner
        )
    ),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(body=b'{"errorRatePercent": 1e400}')
@given(body=st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_faults_within_bounds_or_refused(body: bytes) -> None:
    try:
        faults, version = parse_faults(body)
    except HttpError:
        return
    assert 0 <= faults.error_rate_percent <= 100
    assert 0 <= faults.latency_milliseconds <= 60_000
    assert version is None or isinstance(version, str)
