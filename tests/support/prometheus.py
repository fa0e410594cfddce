"""Debian's Prometheus server, which scrapes pages on this machine and answers over TLS."""

import os
import shutil
import ssl
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
import yaml
from support.background import running
from support.deadlines import eventually
from support.kubectl import ROOT
from support.ports import free_port


@dataclass(frozen=True, slots=True, kw_only=True)
class Prometheus:
    """A server that may be away. Its address and what signed its certificate are the same after."""

    program: str
    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Let it answer for as long as the context lasts."""
        command = [
            self.program,
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--web.config.file={self.folder / 'web.yml'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            f"--storage.tsdb.path={self.folder / 'data'}",
        ]
        with (self.folder / "log").open("a") as log, running(command, output=log):
            eventually(self._is_ready)
            yield

    def _is_ready(self) -> bool:
        context = ssl.create_default_context(cafile=self.ca_file)
        try:
            address = f"{self.url}/-/ready"
            with urllib.request.urlopen(address, timeout=5, context=context):  # noqa: S310
                return True
        except OSError:
            return False


def find_program(name: str) -> str:
    """Return where a program of Debian's package is; skip the test where it is not."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:{ROOT / 'build'}")
    if not found:
        pytest.skip(f"there is no {name}: make build/{name} takes it from Debian's package")
    return found


@contextmanager
def prometheus(targets: Sequence[str]) -> Iterator[Prometheus]:
    """A server that scrapes these addresses every second, and does not run yet."""
    program = find_program("prometheus")
    with tempfile.TemporaryDirectory(prefix="prometheus-") as name:
        folder = Path(name)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
            folder / "server.pem"
        )
        pair = {"cert_file": "server.pem", "key_file": "server.pem"}
        _write(folder / "web.yml", {"tls_server_config": pair})
        job = {"job_name": "pages", "static_configs": [{"targets": list(targets)}]}
        pace = {"scrape_interval": "1s", "scrape_timeout": "1s"}
        _write(folder / "prometheus.yml", {"global": pace, "scrape_configs": [job]})
        yield Prometheus(program=program, folder=folder, port=free_port())


def _write(file: Path, body: dict[str, object]) -> None:
    file.write_text(yaml.safe_dump(body))
