"""A server on the loopback that commands of `kubectl weather` take for the API server."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner, Result
from kubectl_weather import kubectl
from kubectl_weather.cli import main
from kubectl_weather.kubectl import Address, Target


@dataclass
class Answer:
    """What comes back; `length` is what it says of its length, where that is a lie."""

    body: Any = None
    status: int = 200
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None


def nothing(_: str) -> Answer:
    return Answer({"items": [], "metadata": {"resourceVersion": "1"}})


def having(**objects: list[Any]) -> Callable[[str], Answer]:
    """Answer with these objects by the plural of their kind, and with nothing else."""

    def answer(path: str) -> Answer:
        *_, plural, name = urlsplit(path).path.split("/")
        if found := [each for each in objects.get(plural, ()) if each["metadata"]["name"] == name]:
            return Answer(found[0])
        items = objects.get(name, [])
        return Answer({"items": items, "metadata": {"resourceVersion": "1"}})

    return answer


def forbidding(answer: Callable[[str], Answer], *parts: str) -> Callable[[str], Answer]:
    """Answer so, and that the user lacks a right where a path ends in one of these."""
    return lambda path: (
        Answer({"message": "no right"}, status=403)
        if urlsplit(path).path.endswith(parts)
        else answer(path)
    )


@dataclass
class Api:
    """Answers each path by `answer`, and keeps what it was asked."""

    port: int
    answer: Callable[[str], Answer] = nothing
    paths: list[str] = field(default_factory=list)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """What every command takes for the API server; it has no objects."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            served.paths.append(self.path)
            answer = served.answer(self.path)
            body = json.dumps(answer.body).encode() if answer.raw is None else answer.raw
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            length = len(body) if answer.length is None else answer.length
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = answer.length is not None

        def log_message(self, *_: object) -> None:
            pass

    @contextmanager
    def proxy(target: Target, *, read_only: bool = False) -> Iterator[Address]:
        yield Address(port=served.port)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128  # a command that watches opens many connections at once

        def handle_error(self, *_: object) -> None:
            pass  # a command that ends leaves its watches

    with Server(("127.0.0.1", 0), Handler) as server:
        served = Api(port=server.server_port)
        monkeypatch.setattr(kubectl, "proxy", proxy)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield served
        server.shutdown()


def run(*words: str) -> Result:
    """Run a command in the namespace "default"; a traceback fails the test."""
    result = CliRunner().invoke(main, [*words, "--namespace=default"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
