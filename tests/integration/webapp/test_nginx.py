"""What NGINX adds: pages cached for a second, limits, and its own errors."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from support.deadlines import eventually
from support.webapp import Site, ready, running

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
