import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from weather_cluster import registry_client
from weather_cluster.errors import ClusterError

LOGIN = base64.b64encode(b"ada:secret").decode()
MANIFEST = json.dumps({"schemaVersion": 2, "config": {"digest": "sha256:c"}}).encode()


class TokenRegistry(BaseHTTPRequestHandler):
    """A registry that answers to a token, which it gives to who knows a password."""

    def do_GET(self) -> None:
        address = self.headers["Host"]
        authorization = self.headers.get("Authorization")
        if self.path.startswith("/token"):
            is_known = authorization == f"Basic {LOGIN}" and "weather%3Apull" in self.path
            self._answer(200, json.dumps({"token": "t0ken"} if is_known else {}).encode())
        elif authorization == "Bearer t0ken":
            self._answer(200, MANIFEST)
        else:
            realm = f'Bearer realm="http://{address}/token",service="here"'
            self._answer(401, b"", {"WWW-Authenticate": realm})

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def registry() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), TokenRegistry) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of Docker's logins, without any."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "none.json"))
    return tmp_path / "config.json"


def test_who_logged_in_reads(registry: str, logins: Path) -> None:
    logins.write_text(json.dumps({"auths": {registry: {"auth": LOGIN}}}))
    found = registry_client.find(f"{registry}/weather:1.0.0", insecure=True)
    assert found is not None
    assert found.configuration == "sha256:c"


def test_a_helper_that_keeps_passwords_is_asked(
    registry: str, logins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = logins.with_name("docker-credential-safe")
    answer = json.dumps({"Username": "ada", "Secret": "secret"})
    helper.write_text(f"#!/bin/sh\ngrep -q {registry} && echo '{answer}'\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helper.parent}:/usr/bin:/bin")
    logins.write_text(json.dumps({"credsStore": "safe"}))
    assert registry_client.find(f"{registry}/weather:1.0.0", insecure=True)


def test_who_did_not_log_in_is_told_how(registry: str) -> None:
    with pytest.raises(ClusterError, match=f"docker login {registry}"):
        registry_client.find(f"{registry}/weather:1.0.0", insecure=True)


@pytest.mark.parametrize(
    ("reference", "here"),
    [
        ("127.0.0.1:5000/weather:1.0.0", True),
        ("127.8.9.1:5000/weather:1.0.0", True),
        ("[::1]:5000/weather:1.0.0", True),
        ("localhost:5000/weather:1.0.0", True),
        ("192.0.2.1:5000/weather:1.0.0", False),
        ("registry.example/team/weather:1.0.0", False),
        ("team/weather:1.0.0", False),
    ],
)
def test_this_machine_is_told_from_others(reference: str, here: bool) -> None:
    assert registry_client.is_this_machine(reference) is here
