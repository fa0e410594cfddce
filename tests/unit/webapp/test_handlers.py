import gzip
import json
import re
from dataclasses import replace
from datetime import timedelta
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
import yarl
from aiohttp import ClientResponse
from aiohttp.test_utils import TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.browsing import CURL, NOW, Client, browsing
from support.openweathermap import KEY, StandIn
from weather_webapp.params import LANGUAGES
from weather_webapp.renderers.text import display_width
from weather_webapp.settings import Settings

SAMPLE = Settings(provider="sample", version="2.0.0", colour="green", pod="london-1")
SCHEMA = json.loads((files("weather_webapp") / "schemas/weather.json").read_text())


def check_schema(document: Any) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(document)


@pytest.mark.parametrize(
    ("path", "headers", "content_type"),
    [
        ("/", {}, "text/html"),
        ("/", CURL, "text/plain"),
        ("/", {**CURL, "Accept": "application/json"}, "application/json"),
        ("/", {"Accept": "image/svg+xml"}, "image/svg+xml"),
        ("/weather.json", {}, "application/json"),
        ("/weather.txt", {}, "text/plain"),
        ("/weather.svg", {}, "image/svg+xml"),
        ("/weather.html", CURL, "text/html"),
        ("/api/v1/weather", {}, "application/json"),
    ],
)
async def test_one_weather_in_the_form_that_is_wanted(
    path: str, headers: dict[str, str], content_type: str
) -> None:
    async with browsing(SAMPLE) as client:
        answer = await client.get(f"{path}?city=Paris", headers=headers)
        assert "Paris" in await answer.text()
    assert (answer.status, answer.content_type) == (200, content_type)
    varies = {name.strip() for name in answer.headers["Vary"].split(",")}
    assert varies == {"Accept", "Accept-Encoding", "Accept-Language", "User-Agent"}
    assert answer.headers["Cache-Control"] == "public, max-age=0, s-maxage=1"
    assert answer.headers["X-Weather-Source"] == "sample"
    assert answer.headers["X-Weather-Cache"] == "miss"
    assert answer.headers["X-Weather-Age"] == "0"
    assert "Age" not in answer.headers
    is_json = content_type == "application/json"
    assert answer.headers.get("Access-Control-Allow-Origin") == ("*" if is_json else None)


async def test_the_json_follows_its_published_schema_for_real_and_for_sample_weather() -> None:
    async with browsing(SAMPLE) as client:
        answer = await client.get("/api/v1/weather?city=Tokyo&units=imperial")
        link = re.fullmatch(r'<(.*)>; rel="describedby"', answer.headers["Link"])
        assert link
        assert await (await client.get(link[1])).json(content_type=None) == SCHEMA
        sample = await answer.json()
    check_schema(sample)
    assert (sample["place"]["name"], sample["data"]["source"]) == ("Tokyo", "sample")
    async with TestServer(StandIn().app()) as server:
        address = str(server.make_url("")).rstrip("/")
        settings = Settings(openweather_base_url=address, openweather_api_key=KEY)
        async with browsing(settings) as client:
            real = await (await client.get("/api/v1/weather")).json()
    check_schema(real)
    assert real["data"]["source"] == "openweathermap"
    assert (
        real["current"].items()
        >= {
            "temperature_celsius": 11.44,
            "humidity_percent": 87,
            "pressure_pascals": 101_200,
            "wind_speed_metres_per_second": 4.12,
        }.items()
    )
    broken = {**real, "current": {**real["current"], "temperature": 52}}
    with pytest.raises(jsonschema.ValidationError):
        check_schema(broken)


async def test_text_fits_a_terminal_and_ends_with_who_serves() -> None:
    async with browsing(SAMPLE) as client:
        text = await (await client.get("/?city=Paris", headers=CURL)).text()
    async with browsing(replace(SAMPLE, city="W" * 80)) as client:
        long = await (await client.get("/?lang=de", headers=CURL)).text()
    lines = text.splitlines()
    assert lines[0] == "! Sample data \N{EN DASH} not real weather."
    assert lines[1].startswith("Paris, France  ")
    assert "Data: Sample data" in lines
    assert lines[-1] == ("\N{BLACK CIRCLE} v2.0.0 green  Pod london-1  2025-11-23T10:44:05Z")
    assert "\x1b" not in text
    assert max(len(line) for line in (text + long).splitlines()) <= 80


async def test_ansi_colours_come_by_choice() -> None:
    async with browsing(SAMPLE) as client:
        text = await (await client.get("/?ansi=1", headers=CURL)).text()
    assert "\x1b[1;38;2;255;255;255;48;2;0;135;90m \N{BLACK CIRCLE} v2.0.0 green \x1b[0m" in text


async def test_a_language_can_be_asked_for_in_two_ways() -> None:
    async with browsing(SAMPLE) as client:
        german = await client.get("/", headers={"Accept-Language": "de-AT, en;q=0.5"})
        assert '<html lang="de">' in await german.text()
        assert german.headers["Content-Language"] == "de"
        french = await client.get("/?lang=fr", headers={"Accept-Language": "de"})
        assert "Prochaines 24 heures" in await french.text()
        text = await (await client.get("/weather.txt?lang=de")).text()
        assert "Sichtweite 10,0" in text


async def test_links_keep_what_was_asked_for_and_change_one_thing() -> None:
    async with browsing(SAMPLE) as client:
        page = await (await client.get("/?city=S%C3%A3o+Paulo&units=imperial")).text()
    links = set(re.findall(r'href="(/[^"]*)"', page))
    query = "city=S%C3%A3o+Paulo&amp;units="
    assert {f"/?{query}imperial&amp;lang=de", f"/?{query}metric", "/?units=imperial"} <= links
    assert f"/api/v1/weather?{query}imperial" in links
    assert '<input type="hidden" name="units" value="imperial">' in page


async def test_a_page_is_packed_for_who_can_read_it() -> None:
    async with browsing(SAMPLE) as client:
        plain = await client.get("/", headers={"Accept-Encoding": "identity"})
        async with client.get("/", auto_decompress=False) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            packed = await answer.read()
        assert gzip.decompress(packed) == await plain.read()
    assert len(packed) <= 10_000


async def test_a_second_serves_one_answer_and_the_next_a_new_one() -> None:
    moment = NOW
    async with browsing(SAMPLE, now=lambda: moment) as client:
        first = await (await client.get("/")).text()
        moment += timedelta(microseconds=800_000)
        assert await (await client.get("/")).text() == first
        moment += timedelta(microseconds=300_000)
        assert await (await client.get("/")).text() != first


async def refused(client: Client, address: str, **headers: str) -> tuple[ClientResponse, str]:
    answer = await client.get(address, headers=headers)
    return answer, await answer.text()


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("/?units=kelvin", 400, "The units are one of metric, imperial"),
        ("/?lang=xx", 400, "The language is one of en, de, fr"),
        ("/?city=a%00b", 400, "A city has at most 80 characters"),
        ("/live?units=kelvin", 400, "The units are one of metric, imperial"),
        ("/nowhere", 404, "There is nothing here"),
        ("/..%2f..%2fetc/passwd", 404, "There is nothing here"),
    ],
)
async def test_a_refusal_says_why_in_the_form_that_is_wanted(
    address: str, status: int, words: str
) -> None:
    async with browsing(SAMPLE) as client:
        page, html = await refused(client, address)
        text, plain = await refused(client, address, **CURL)
        program, problem = await refused(client, address, Accept="application/json")
    assert [answer.status for answer in (page, text, program)] == [status] * 3
    assert f">{words}" in html
    assert "v2.0.0" in html
    assert plain.startswith(words)
    assert plain.count("\n") == 1
    assert program.content_type == "application/problem+json"
    assert json.loads(problem)["detail"].startswith(words)
    assert {answer.headers["Cache-Control"] for answer in (page, text, program)} == {"no-store"}


async def test_a_city_that_nobody_knows_is_404_with_the_version() -> None:
    async with TestServer(StandIn().app()) as server:
        address = str(server.make_url("")).rstrip("/")
        settings = Settings(
            openweather_base_url=address, openweather_api_key=KEY, version="2.0.0", colour="green"
        )
        async with browsing(settings) as client:
            page, html = await refused(client, "/?city=Atlantis")
            _, plain = await refused(client, "/?city=Atlantis&lang=de", **CURL)
    assert page.status == 404
    assert "No city is called Atlantis" in html
    assert "v2.0.0" in html
    assert plain.startswith("Kein Ort heißt Atlantis")


async def test_the_page_names_whose_places_it_knows() -> None:
    async with browsing(SAMPLE) as client:
        page = await (await client.get("/")).text()
    assert "GeoNames (geonames.org), CC BY 4.0" in page


async def test_reading_is_all_that_one_can_do() -> None:
    async with browsing(SAMPLE) as client:
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            answer = await client.request(method, "/")
            assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
        head = await client.head("/")
        assert (head.status, await head.read()) == (200, b"")


async def test_every_answer_says_where_the_weather_comes_from_once_there_is_some() -> None:
    async with browsing(SAMPLE) as client:
        assert "X-Weather-Source" not in (await client.get("/readyz")).headers
        await client.get("/")
        for path in ("/readyz", "/version", "/api/info", "/badge.svg", "/live", "/nowhere"):
            headers = (await client.get(path)).headers
            assert (headers["X-Weather-Source"], headers["X-Weather-Age"]) == ("sample", "0")


async def test_each_badge_needs_a_new_connection() -> None:
    async with browsing(SAMPLE) as client:
        answer = await client.get("/badge.svg?n=1")
        assert answer.headers["Connection"] == "close"
        assert answer.headers["Cache-Control"] == "no-store"
        assert len(await answer.read()) < 700


async def test_live_works_without_script_and_its_script_is_the_one_that_is_allowed() -> None:
    async with browsing(Settings(provider="sample", base_path="/london")) as client:
        answer = await client.get("/london/live")
        page = await answer.text()
    assert page.count('<img src="/london/badge.svg?n=') == 48
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in page
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert re.search(r"script-src 'sha256-[^']+';", policy)


SETTINGS = Settings(provider="sample", version="2.0.0", colour="green")
PATHS = ["/", "/weather.txt", "/weather.svg", "/api/v1/weather", "/live", "/badge.svg", "/x"]
MARK = "<script>alert(1)</script>"

values = st.one_of(
    st.text(max_size=100),
    st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")),
    st.sampled_from(["en", "metric", MARK, "../../etc/passwd", "\x00", "\ud800", "x" * 1500]),
)
names = st.one_of(st.sampled_from(["city", "units", "lang", "ansi", "n"]), st.text(max_size=5))
header = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=80
)
requests = st.tuples(
    st.sampled_from(PATHS),
    st.lists(st.tuples(names, values), max_size=4),
    st.fixed_dictionaries(
        {},
        optional={
            "Accept": header,
            "Accept-Language": header,
            "Accept-Encoding": header,
            "User-Agent": header,
            "traceparent": header,
        },
    ),
)


def address(path: str, query: list[tuple[str, str]]) -> yarl.URL:
    pairs = "&".join(
        f"{quote(name, errors='surrogatepass')}={quote(value, errors='surrogatepass')}"
        for name, value in query
    )
    return yarl.URL(f"{path}?{pairs}", encoded=True)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(requests, min_size=10, max_size=10))
async def test_never_a_500_and_never_an_echo(
    sent: list[tuple[str, list[tuple[str, str]], dict[str, str]]],
) -> None:
    async with browsing(SETTINGS) as client:
        for path, query, headers in sent:
            answer = await client.get(address(path, query), headers=headers)
            body = await answer.read()
            assert answer.status in (200, 400, 404), (path, query, headers)
            if answer.content_type in ("text/html", "image/svg+xml"):
                assert MARK.encode() not in body
            assert answer.headers["X-App-Version"] == "2.0.0"


async def test_while_cities_cannot_be_looked_up_that_is_said_and_when_to_come_back() -> None:
    async with TestServer(StandIn(status=500).app()) as server:
        address = str(server.make_url("")).rstrip("/")
        settings = Settings(
            provider="openweathermap", openweather_base_url=address, openweather_api_key=KEY
        )
        async with browsing(settings) as client:
            page, html = await refused(client, "/?city=Buy+my+pills")
            program, problem = await refused(client, "/weather.json?city=Buy+my+pills")
    assert (page.status, program.status) == (503, 503)
    assert "Buy my pills cannot be looked up just now" in html
    assert "Buy my pills cannot be looked up" in json.loads(problem)["detail"]
    assert 1 <= int(page.headers["Retry-After"]) <= 30


@pytest.mark.parametrize("base", ["/api/london", "/api", "/london.json", "/v1.txt"])
async def test_the_base_path_decides_on_no_form(base: str) -> None:
    async with browsing(Settings(provider="sample", base_path=base)) as client:
        page = await client.get(f"{base}/", headers={"Accept": "text/html"})
        missing = await client.get(f"{base}/nothing", headers={"Accept": "text/html"})
        document = await client.get(f"{base}/api/v1/weather", headers={"Accept": "text/html"})
    assert (page.status, page.content_type) == (200, "text/html")
    assert (missing.status, missing.content_type) == (404, "text/html")
    assert (document.status, document.content_type) == (200, "application/json")


async def test_the_base_path_without_its_slash_keeps_the_query() -> None:
    async with browsing(Settings(provider="sample", base_path="/london")) as client:
        answer = await client.get("/london?city=Paris&lang=fr", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (308, "/london/?city=Paris&lang=fr")


@pytest.mark.parametrize("city", ["\u6771\u4eac" * 20, "\u6771\u4eac " * 26, "W" * 80])
async def test_text_is_wrapped_by_width(city: str) -> None:
    async with browsing(replace(SAMPLE, city=city)) as client:
        text = await (await client.get("/", headers=CURL)).text()
    assert max(display_width(line) for line in text.splitlines()) <= 80
    assert display_width("Tok\u0304yo \u6771\u4eac") == 10


@pytest.mark.parametrize("language", LANGUAGES)
async def test_columns_of_the_text_are_straight_in_every_language(language: str) -> None:
    async with browsing(SAMPLE) as client:
        text = await (await client.get(f"/?lang={language}", headers=CURL)).text()
    lines = text.splitlines()
    assert max(map(display_width, lines)) <= 80
    days = [line for line in lines if "\N{HORIZONTAL ELLIPSIS}" in line]
    assert len(days) == 5
    ellipses = {display_width(line.partition("\N{HORIZONTAL ELLIPSIS}")[0]) for line in days}
    assert len(ellipses) == 1
    assert len({display_width(line) for line in days if line.endswith("%")}) == 1


@pytest.mark.parametrize(
    ("accept", "language"),
    [("pt-BR,pt;q=0.9,en;q=0.8", "pt"), ("ja-JP", "ja"), ("nl, pl;q=0.5", "pl"), ("nl", "en")],
)
async def test_the_readers_language_is_spoken(accept: str, language: str) -> None:
    async with browsing(SAMPLE) as client:
        answer = await client.get("/", headers={"Accept-Language": accept})
        assert f'<html lang="{language}">' in await answer.text()
    assert answer.headers["Content-Language"] == language
