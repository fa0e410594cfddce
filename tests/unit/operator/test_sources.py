"""What is made of the answers of pods, pages and Prometheus servers, right, wrong and hostile."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from support.answering_server import Answer, AnsweringServer, answering
from weather_operator.analysis import sources as module
from weather_operator.analysis.evaluate import ProbeAnswers, QueryAnswer
from weather_operator.analysis.fetch import SourceError
from weather_operator.analysis.sources import PrometheusServer, Sources
from yarl import URL

SAMPLE = b'process_start_time_seconds 5\nweather_http_requests_total{route="/",status="2xx"} 7\n'


def always(body: bytes = b"", status: int = 200, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=body, headers=named)

    return answer


@pytest.fixture
async def server() -> AsyncIterator[AnsweringServer]:
    async with answering(always(SAMPLE)) as server:
        yield server


@pytest.fixture
async def sources() -> AsyncIterator[Sources]:
    async with Sources() as sources:
        yield sources


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"# nothing\n" * 1000)


async def silent(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def hang_up(request: web.Request) -> web.Response:
    assert request.transport
    request.transport.close()
    return web.Response()


async def test_a_pods_counters_are_read(server: AnsweringServer, sources: Sources) -> None:
    sample = await sources.scrape("127.0.0.1", server.port)
    assert (sample.requests, sample.started) == ({"2xx": 7}, 5)
    (request,) = server.requests
    assert (request.path, request.headers["Accept-Encoding"]) == ("/metrics", "identity")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (always(status=500), "answers with HTTP 500"),
        (always(status=302, Location="http://127.0.0.1/elsewhere"), "HTTP 302"),
        (always(b"<html>"), "is not believed: its answer has none"),
        (always(SAMPLE.replace(b" 7", b" NaN")), "is not believed: it counts NaN"),
        (endless, "answers with more than 1048576 bytes"),
        (hang_up, "does not answer"),
    ],
)
async def test_what_is_no_sample_has_a_reason(
    server: AnsweringServer, sources: Sources, answer: Answer, words: str
) -> None:
    server.answer = answer
    with pytest.raises(SourceError, match=words):
        await sources.scrape("127.0.0.1", server.port)
    assert {request.path for request in server.requests} == {"/metrics"}


async def test_a_pod_that_says_nothing_is_not_waited_for(
    server: AnsweringServer, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SCRAPE_SECONDS", 0.1)
    server.answer = silent
    with pytest.raises(SourceError, match=r"no answer within 0.1 s"):
        await sources.scrape("127.0.0.1", server.port)


async def test_a_probe_counts_how_it_was_answered(
    server: AnsweringServer, sources: Sources
) -> None:
    seen = 0

    async def third_fails(_: web.Request) -> web.Response:
        nonlocal seen
        seen += 1
        return web.Response(status=503 if seen % 3 == 0 else 200)

    server.answer = third_fails
    answers = await sources.probe(URL(server.url), requests=9, version="2.0.0", seconds=10)
    assert answers == ProbeAnswers(statuses={"2xx": 6, "5xx": 3})
    assert {request.headers["Connection"] for request in server.requests} == {"close"}


async def test_a_probe_that_another_version_answers_is_no_evidence(
    server: AnsweringServer, sources: Sources
) -> None:
    server.answer = always(X_App_Version="1.0.0")
    answers = await sources.probe(URL(server.url), requests=5, version="2.0.0", seconds=10)
    assert answers.problem == "version 1.0.0 answers where 2.0.0 is to be probed"
    answers = await sources.probe(URL(server.url), requests=5, version="1.0.0", seconds=10)
    assert answers.problem == ""


async def test_a_probe_ends_in_time_and_counts_what_was_not_answered(
    server: AnsweringServer, sources: Sources
) -> None:
    server.answer = silent
    answers = await sources.probe(URL(server.url), requests=9, version="", seconds=0.2)
    assert answers == ProbeAnswers(statuses={}, unanswered=9)


VECTOR = b'{"status":"success","data":{"resultType":"vector","result":[%s]}}'
SERIES = b'{"metric":{},"value":[1,"2.5"]}'


def warned(text: bytes) -> bytes:
    return (VECTOR % SERIES)[:-1] + b',"warnings":["' + text + b'"]}'


async def ask(server: AnsweringServer, **files: str) -> QueryAnswer:
    at = PrometheusServer(url=f"{server.url}/prefix/", **files)
    async with Sources(prometheus=at) as sources:
        return await sources.query("up > 0")


@pytest.mark.parametrize(
    "body",
    [
        VECTOR % SERIES,
        b'{"status":"success","data":{"resultType":"scalar","result":[1,"2.5"]}}',
        warned(b"PromQL warning: ignored a histogram"),
        (VECTOR % SERIES)[:-1] + b',"warnings":null}',
    ],
)
async def test_one_number_is_an_answer(server: AnsweringServer, body: bytes) -> None:
    server.answer = always(body)
    assert await ask(server) == QueryAnswer(value=2.5)
    assert server.requests[0].path == "/prefix/api/v1/query"
    assert server.forms[0]["query"] == "up > 0"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (always(VECTOR % b""), "gives no series"),
        (always(VECTOR % (SERIES + b"," + SERIES)), "gives 2 series: aggregate them"),
        (always(VECTOR.replace(b"vector", b"matrix") % b""), "gives a matrix, not one number"),
        (
            always(b'{"status":"error","errorType":"bad_data","error":"parse error"}', 400),
            "refuses the query: bad_data: parse error",
        ),
        (always(warned(b"receive series from store: unavailable")), "the whole answer: receive"),
        (always(warned(b"x")[:-3] + b"[]]}"), "is no Prometheus"),
        (always(b"<html>", 502), "HTTP 502 is no Prometheus"),
        (always(b"Unauthorized", 401), "HTTP 401: see whether PROMETHEUS_TOKEN_FILE"),
        (always(b"[" * 100_000), "is no Prometheus"),
        (always(VECTOR % b'{"value":[1,"many"]}'), "is no Prometheus"),
        (always(VECTOR % b'{"value":[1]}'), "is no Prometheus"),
        (always(b"null"), "is no Prometheus"),
        (endless, "answers with more than"),
        (hang_up, "Prometheus does not answer"),
    ],
)
async def test_what_is_no_number_has_a_reason(
    server: AnsweringServer, answer: Answer, words: str
) -> None:
    server.answer = answer
    found = await ask(server)
    assert found.value is None
    assert words in found.problem


async def test_the_token_is_read_anew_for_each_query(
    server: AnsweringServer, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    server.answer = always(VECTOR % SERIES)
    for text in ("first\n", "second"):
        token.write_text(text)
        await ask(server, token_file=str(token))
    tokens = [request.headers["Authorization"] for request in server.requests]
    assert tokens == ["Bearer first", "Bearer second"]
    token.write_text("a\nHost: b")
    assert "PROMETHEUS_TOKEN_FILE has more" in (await ask(server, token_file=str(token))).problem
    gone = str(tmp_path / "gone")
    assert "PROMETHEUS_TOKEN_FILE" in (await ask(server, token_file=gone)).problem
    assert "PROMETHEUS_CA_FILE" in (await ask(server, ca_file=gone)).problem
    assert len(server.requests) == 2


async def test_without_a_server_a_query_says_what_to_set(sources: Sources) -> None:
    assert "set PROMETHEUS_URL" in (await sources.query("up")).problem
