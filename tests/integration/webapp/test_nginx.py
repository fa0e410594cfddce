"""What NGINX adds: pages cached for a second, limits, and its own errors."""

import http.client
import itertools
import json
import resource
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from itertools import pairwise
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from support.deadlines import eventually
from support.webapp import Site, ready, running

Form: TypeAlias = tuple[int, str | None, str | None, str | None]
CHROME = {"User-Agent": "Mozilla/5.0", "Accept": "text/html,*/*;q=0.8"}
CLIENTS: dict[str, dict[str, str]] = {
    "text/html": CHROME,
    "text/plain": {"User-Agent": "curl/8.14.1", "Accept": "*/*"},
    "application/json": {"Accept": "application/json"},
    "image/svg+xml": {"Accept": "image/svg+xml"},
}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running(APP_VERSION="2.0.0", APP_COLOUR="green") as site:
        yield ready(site)


def ask(
    site: Site, path: str, headers: dict[str, str], method: str = "GET"
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_forms_languages_and_packing_are_kept_apart(site: Site) -> None:
    for _ in range(3):
        for content_type, headers in CLIENTS.items():
            for language in ("de", "fr"):
                for encoding in ("gzip, br", "identity"):
                    said = {**headers, "Accept-Language": language, "Accept-Encoding": encoding}
                    answer = ask(site, "/", said)
                    assert str(answer.headers["Content-Type"]).startswith(content_type)
                    assert answer.headers["Content-Language"] == language
                    packed = answer.headers["Content-Encoding"] == "gzip"
                    assert packed is (encoding != "identity")


def test_the_page_outlives_the_app_for_a_while() -> None:
    with running(DRAIN_SECONDS="0") as site:
        ready(site)
        assert site.get("/").status == 200
        site.child("weather_webapp.server").suspend()
        try:

            def from_memory() -> bool:
                assert "London" in site.get("/").text
                return any(line.get("cache") in ("STALE", "UPDATING") for line in site.lines())

            eventually(from_memory)
        finally:
            site.child("weather_webapp.server").resume()


def test_answers_of_nginx_itself_bear_the_version_once(site: Site) -> None:
    too_long = ask(site, f"/?city={'x' * 40_000}", {})
    assert too_long.status == 414
    assert too_long.headers.get_all("X-App-Version") == ["2.0.0"]
    assert too_long.headers.get_all("X-App-Colour") == ["green"]
    assert ask(site, "/", {}).headers.get_all("X-App-Version") == ["2.0.0"]
    assert too_long.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert too_long.headers.get_all("Cache-Control") == ["no-store"]
    assert len(ask(site, "/", {}).headers.get_all("Cache-Control", [])) == 1
    assert ask(site, "/", {"Cookie": "x" * 40_000}).status == 400
    assert ask(site, "/?city=" + "x" * 5000, {}).status == 400


@pytest.mark.parametrize(
    ("method", "status"), [("POST", 405), ("OPTIONS", 405), ("HEAD", 200), ("TRACE", 405)]
)
def test_other_methods(site: Site, method: str, status: int) -> None:
    assert ask(site, "/", {}, method).status == status


def test_a_badge_ends_its_connection_and_a_page_does_not(site: Site) -> None:
    assert ask(site, "/badge.svg?n=1", CHROME).headers["Connection"] == "close"
    assert ask(site, "/", CHROME).headers["Connection"] == "keep-alive"


def test_slow_and_half_open_clients_hinder_nobody_and_are_let_go(site: Site) -> None:
    with ExitStack() as stack:
        slow = []
        for number in range(100):
            client = socket.create_connection(("127.0.0.1", site.port), timeout=20)
            stack.enter_context(client)
            if number % 2:
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            slow.append(client)
        assert site.get("/").status == 200
        assert site.get("/readyz").status == 200
        for client in slow:
            assert ended(client)


def ended(client: socket.socket) -> bool:
    try:
        return client.recv(4096) == b""
    except ConnectionResetError:
        return True


def test_the_metrics_count_what_nginx_answered_from_memory(site: Site) -> None:
    def nginx_requests() -> float:
        text = site.get("/metrics", port=site.metrics_port).text
        (line,) = [
            line for line in text.splitlines() if line.startswith("weather_nginx_requests_t")
        ]
        return float(line.split()[1])

    before = nginx_requests()
    for _ in range(50):
        site.get("/")
    assert nginx_requests() - before >= 50
    assert "weather_build_info{" in site.get("/metrics", port=site.metrics_port).text
    assert site.get("/metrics").status == 404


def test_a_request_is_one_log_line_with_its_trace(site: Site) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    ask(site, "/weather.json?city=Oslo", {"traceparent": parent})
    lines = eventually(
        lambda: [line for line in site.lines() if line.get("path") == "/weather.json?city=Oslo"]
    )
    assert len(lines) == 1
    (line,) = lines
    assert (line["status"], line["traceparent"], line["weather"]) == (200, parent, "sample")


def test_what_the_app_was_asked_has_an_id_and_what_came_from_the_cache_has_none(
    site: Site,
) -> None:
    path = "/weather.json?city=Lisbon"

    def ids() -> dict[str, set[str]]:
        ask(site, path, {})
        lines = [line for line in site.lines() if line.get("path") == path]
        caches = {line["cache"] for line in lines}
        assert {"MISS", "HIT"} <= caches
        return {c: {line["request_id"] for line in lines if line["cache"] == c} for c in caches}

    found = eventually(ids)
    assert found["HIT"] == {""}
    assert [len(each) for each in found["MISS"]] == [32]


TOGETHER = 30
# NGINX's cache lock would make those who wait look again every half second, one after the other,
# until it gives up after five.
SLOWEST_SECONDS = 4


def seconds_together(site: Site, path: str) -> tuple[float, set[int]]:
    """The longest that one of many simultaneous clients waits, and what they got."""
    barrier = threading.Barrier(TOGETHER)

    def visit(_: int) -> tuple[float, int]:
        barrier.wait()
        began = time.monotonic()
        status = ask(site, path, CHROME).status
        return time.monotonic() - began, status

    with ThreadPoolExecutor(TOGETHER) as pool:
        answers = list(pool.map(visit, range(TOGETHER)))
    return max(seconds for seconds, _ in answers), {status for _, status in answers}


@pytest.mark.parametrize(
    ("path", "faults", "status"),
    [
        ("/?city=Atlantis", {}, 404),
        ("/?units=kelvin", {}, 400),
        ("/nowhere", {}, 404),
        ("/?city=Tokyo", {}, 200),
        ("/", {"FAULT_ERROR_RATE": "1"}, 500),
        ("/", {"FAULT_LATENCY_MS": "200"}, 200),
    ],
    ids=["unknown city", "refused", "not found", "cold page", "failing", "slow"],
)
def test_nobody_waits_for_anothers_request(path: str, faults: dict[str, str], status: int) -> None:
    with running(**faults) as site:
        slowest, statuses = seconds_together(ready(site), path)
    assert statuses == {status}
    assert slowest < SLOWEST_SECONDS


HEADERS = ("Accept-Language", "Accept", "User-Agent", "Accept-Encoding")
FRAGMENTS = [
    *("fr", "de", "en", "*", "q=0", "q=0.5", "text/html", "text/plain", "application/json"),
    *("image/svg+xml", "*/*", "gzip", "identity", "xgzip", "curl/8", "power\u017fhell", "other"),
    *("terminal", ",", ";", ";q=0.1", "\t", "\u00e9"),
]


@st.composite
def negotiations(draw: st.DrawFn) -> list[dict[str, str]]:
    """Two clients' headers; the same words, divided among the headers in two ways."""
    words = draw(st.lists(st.sampled_from(FRAGMENTS), max_size=6))
    separator = draw(st.sampled_from([" ", ""]))
    ways = []
    for _ in range(2):
        cuts = sorted(draw(st.lists(st.integers(0, len(words)), min_size=3, max_size=3)))
        parts = [words[a:b] for a, b in pairwise([0, *cuts, len(words)])]
        values = [separator.join(part).strip() for part in parts]
        ways.append({name: value for name, value in zip(HEADERS, values, strict=True) if value})
    return ways


def negotiated(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> Form:
    connection.putrequest("GET", path, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value.encode())
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    content_type, language, encoding = (
        answer.getheader(name) for name in ("Content-Type", "Content-Language", "Content-Encoding")
    )
    return answer.status, content_type, language, encoding


class UnixConnection(http.client.HTTPConnection):
    """A connection to the app itself, past NGINX."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


_paths = itertools.count()


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(
    [
        {"Accept-Language": "fr application/json,"},
        {"Accept-Language": "fr", "Accept": "application/json,"},
    ]
)
@example([{"User-Agent": "power\u017fhell", "Accept": "*/*"}, {"Accept": "*/*"}])
@example([{"Accept-Encoding": "xgzip"}, {"Accept-Encoding": "gzip"}])
@given(clients=negotiations())
def test_no_client_makes_anothers_answer(site: Site, clients: list[dict[str, str]]) -> None:
    (app_socket,) = site.scratch.glob("*/app.sock")
    path = f"/?n={next(_paths)}"
    for headers in clients:
        through_nginx = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
        alone = UnixConnection(str(app_socket))
        assert negotiated(through_nginx, path, headers) == negotiated(alone, path, headers)


@pytest.mark.parametrize(
    ("trusted", "client"), [("127.0.0.0/8", "203.0.113.7"), ("192.0.2.0/24", "127.0.0.1")]
)
def test_a_client_is_who_a_trusted_proxy_says(trusted: str, client: str) -> None:
    with running(TRUSTED_PROXIES=trusted) as site:
        ask(ready(site), "/version", {"X-Forwarded-For": "198.51.100.1, 203.0.113.7"})
        (line,) = eventually(
            lambda: [line for line in site.lines() if line.get("path") == "/version"]
        )
    assert line["client"] == client


def requests_by(site: Site, *labels: str) -> Counter[tuple[str, ...]]:
    """What the metrics say was answered so far."""
    found: Counter[tuple[str, ...]] = Counter()
    for family in text_string_to_metric_families(site.get("/metrics", site.metrics_port).text):
        for sample in family.samples:
            if sample.name == "weather_http_requests_total":
                found[tuple(sample.labels[label] for label in labels)] += int(sample.value)
    return found


def test_metrics_count_what_clients_got() -> None:
    with running(APP_VERSION="2.0.0") as site:
        ready(site)
        for _ in range(20):
            site.get("/")
        ask(site, "/", {"Content-Length": "100000"}, "POST")
        ask(site, f"/?city={'x' * 40_000}", {})
        site.get("/nowhere")
        site.child("weather_webapp.server").suspend()
        try:
            assert ask(site, "/?city=Oslo", {}).status == 504
        finally:
            site.child("weather_webapp.server").resume()
        expected = {
            ("2.0.0", "/", "GET", "2xx"): 20,
            ("2.0.0", "/", "other", "4xx"): 1,
            ("2.0.0", "/", "GET", "5xx"): 1,
            ("2.0.0", "unknown", "GET", "4xx"): 2,
        }

        def counted() -> bool:
            found = requests_by(site, "version", "route", "method", "status")
            return {key: n for key, n in found.items() if key[1] != "probe"} == expected

        eventually(counted)
        text = site.get("/metrics", site.metrics_port).text
    assert "weather_http_request_duration_seconds_bucket{" in text
    assert 'route="probe"' in text


def test_a_full_port_fails_no_probe_and_no_page() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    try:
        with running() as site, ExitStack() as stack:
            ready(site)
            for number in range(2000):
                client = socket.create_connection(("127.0.0.1", site.port), timeout=20)
                stack.enter_context(client)
                if number % 2:
                    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            began = time.monotonic()
            assert site.get("/").status == 200
            for port in (site.port, site.metrics_port):
                assert site.get("/healthz", port).status == 200
                assert site.get("/readyz", port).status == 200
            assert time.monotonic() - began < 8
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("content_type", ["text/html", "text/plain", "application/problem+json"])
def test_an_error_of_nginx_has_the_clients_form(site: Site, content_type: str) -> None:
    headers = CLIENTS[content_type.replace("problem+", "")]
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    connection.request("POST", "/", body=b"x" * 100_000, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    assert (answer.status, answer.headers["Content-Type"]) == (413, content_type)
    assert "413" in body
    if "json" in content_type:
        assert json.loads(body)["status"] == 413


def test_log_lines_are_utf_8(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as client:
        client.sendall(b"GET /version?\xff HTTP/1.1\r\nHost: x\r\nUser-Agent: \xe9\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 ")
    eventually(lambda: [each for each in site.lines() if each.get("agent") == "(not ASCII)"])


def test_a_request_of_http_1_0_needs_no_host(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("draining", [False, True])
def test_a_terminal_may_send_a_city_as_it_was_typed(draining: bool) -> None:
    with running(BASE_PATH="/weather", DRAIN_SECONDS="20") as site:
        ready(site)
        if draining:
            site.process.send_signal(signal.SIGTERM)
            eventually(lambda: site.get("/readyz", site.metrics_port).status == 503)
        for address in ("/weather/?city=東京都&units=imperial", "/weather/?city=K%C3%B6ln&é="):
            with socket.create_connection(("127.0.0.1", site.port), timeout=20) as client:
                request = f"GET {address} HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n"
                client.sendall(f"{request}Connection: close\r\n\r\n".encode())
                answer = client.makefile("rb").read()
            assert answer.startswith(b"HTTP/1.1 200 ")
            place = json.loads(answer.partition(b"\r\n\r\n")[2])["place"]
            assert place["name"] == ("東京都" if "東京都" in address else "Köln")


@pytest.mark.parametrize("address", ["/-error/html?é", "//x/../-error/html?é", "/é"])
def test_what_is_typed_leads_to_nothing_internal(site: Site, address: str) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as client:
        client.sendall(f"GET {address} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 404 ")


def test_a_malformed_request_is_no_error_of_the_app(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as client:
        client.sendall(b"GET /?malformed HTTP/1.1\r\nHost: x\r\nX-Control: \x01\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")
    eventually(lambda: [each for each in site.lines() if each.get("path") == "/?malformed"])
    assert not [each for each in site.lines() if "trace" in each]


TOKEN = "x" * 8


def post_faults(site: Site, faults: dict[str, float]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    connection.request("POST", "/faults", body=json.dumps(faults), headers=headers)
    answer = connection.getresponse()
    answer.read()
    assert answer.headers["Connection"] == "close"
    connection.close()
    return answer.status


def test_pages_that_nobody_asks_for_twice_fill_no_disk() -> None:
    """The kubelet evicts a pod whose scratch directory is above 64 MiB."""
    with running() as site:
        ready(site)
        over, answers, largest = threading.Event(), Counter[int](), 0

        def ask_for_ever(number: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
            with closing(connection):
                for count in itertools.count():
                    if over.is_set():
                        return
                    connection.request("GET", f"/?{number}={count}", headers=CHROME)
                    answer = connection.getresponse()
                    answer.read()
                    answers[answer.status] += 1

        with ThreadPoolExecutor() as pool:
            for number in range(4):
                pool.submit(ask_for_ever, number)
            try:
                eventually(lambda: sum(answers.values()) >= 4000, seconds=180)
                largest = scratch_bytes(site)
            finally:
                over.set()
        assert set(answers) == {200}
        assert largest < 32 << 20, f"{largest >> 20} MiB"


def scratch_bytes(site: Site) -> int:
    total = 0
    for each in site.scratch.rglob("*"):
        with suppress(FileNotFoundError):
            total += each.lstat().st_size
    return total


def test_no_cached_page_hides_faults_that_begin_later_and_metrics_count_them() -> None:
    with running(FAULT_TOKEN=TOKEN) as site:
        ready(site)
        assert {site.get("/").status for _ in range(5)} == {200}
        assert post_faults(site, {"errorRatePercent": 100}) == 200
        assert [site.get("/").status for _ in range(5)] == [500] * 5
        assert post_faults(site, {}) == 200
        assert site.get("/").status == 200
        expected = {("/", "2xx"): 6, ("/", "5xx"): 5, ("/faults", "2xx"): 2}

        def counted() -> bool:
            found = requests_by(site, "route", "status")
            return {key: n for key, n in found.items() if key[0] != "probe"} == expected

        eventually(counted)


def test_the_base_path_does_not_decide_on_the_form_of_an_error_of_nginx() -> None:
    with running(BASE_PATH="/api/london.json") as site:
        ready(site)
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
        page = {"Accept": "text/html"}
        connection.request("POST", "/api/london.json/", body=b"x" * 100_000, headers=page)
        answer = connection.getresponse()
        connection.close()
    assert (answer.status, answer.headers["Content-Type"]) == (413, "text/html")


def test_a_request_of_any_length_gets_its_own_page_and_no_error(site: Site) -> None:
    for length in range(1000, 8000, 200):
        padding = f"de, xx-{'x' * length}"
        german = ask(site, "/", {**CHROME, "Accept-Language": padding})
        japanese = ask(site, f"/?lang=ja&x={'x' * min(length, 7500)}", CHROME)
        assert (german.status, japanese.status) == (200, 200), length
        assert german.headers["Content-Language"] == "de"
        assert japanese.headers["Content-Language"] == "ja"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("TRACE", "/", {}, 405),
        ("FOO", "/", {}, 405),
        ("FOO", "/badge.svg", {}, 405),
        ("GET", "/", {"X-Long": "x" * 9000}, 400),
    ],
    ids=["trace", "unknown", "unknown-badge", "long-header"],
)
def test_what_nginx_refuses_it_refuses_in_the_clients_form(
    site: Site, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    logged = len(site.output.read_text())
    answer = ask(site, path, {"Accept": "application/json", **headers}, method)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.get("Allow") == ("GET,HEAD" if status == 405 else None)
    assert "Traceback" not in site.output.read_text()[logged:]
