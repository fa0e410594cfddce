"""The web app as its container runs it: the supervisor, the app and NGINX, as processes here."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.deadlines import eventually
from support.ports import free_port


@dataclass
class Answer:
    """What came back; status 0 when nobody listens, or listens no more."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Site:
    """A running supervisor."""

    process: subprocess.Popen[str]
    port: int
    metrics_port: int
    scratch: Path
    output: Path

    def get(self, path: str = "/", port: int = 0) -> Answer:
        """Ask over a connection of its own, at another port if one is given."""
        try:
            address = f"http://127.0.0.1:{port or self.port}{path}"
            with urllib.request.urlopen(address, timeout=10) as found:
                return Answer(found.status, dict(found.headers), found.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, dict(error.headers), error.read().decode())
        except urllib.error.URLError as error:
            if isinstance(error.reason, ConnectionRefusedError | ConnectionResetError):
                return Answer(0, {}, "")
            raise
        except ConnectionResetError:
            return Answer(0, {}, "")

    def child(self, words: str) -> psutil.Process:
        """Return the child whose command line has these words."""
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if words in " ".join(child.cmdline()))

    def lines(self) -> list[dict[str, Any]]:
        """Return what was logged so far that is a whole JSON object."""
        lines = self.output.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


@contextmanager
def running(**environment: str) -> Iterator[Site]:
    """Run the web app on a free port, with this environment alone; it ends with the test."""
    if shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("NGINX is missing: apt-get install nginx-light")
    with tempfile.TemporaryDirectory(prefix="site-") as folder:
        output = Path(folder, "output")
        scratch = Path(folder, "scratch")
        scratch.mkdir()
        port, metrics_port = free_port(), free_port()
        environment = {
            "PATH": f"{os.environ['PATH']}:/usr/sbin",
            "TMPDIR": str(scratch),
            "PORT": str(port),
            "METRICS_PORT": str(metrics_port),
            "WEATHER_PROVIDER": "sample",
            "DRAIN_SECONDS": "1",
            **environment,
        }
        with output.open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "weather_webapp"],
                env=environment,
                stdout=log,
                stderr=log,
                text=True,
            )
        try:
            yield Site(process, port, metrics_port, scratch, output)
        finally:
            for signal_number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
                if process.poll() is None:
                    process.send_signal(signal_number)
                    wait_for_end(process, 10)


def wait_for_end(process: subprocess.Popen[str], seconds: float) -> int | None:
    """Return the exit code, or None at the deadline."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def ready(site: Site) -> Site:
    """Return once the site is ready for traffic; fail with what it logged when it is not."""
    try:
        eventually(lambda: site.get("/readyz").status == 200, every=0.02)
    except AssertionError as error:
        error.add_note(f"exit code {site.process.poll()}; logged:\n{site.output.read_text()}")
        raise
    return site
