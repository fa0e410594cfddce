"""A real image registry on this machine's loopback, and images small enough to make here."""

import hashlib
import json
import ssl
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError

from support.deadlines import eventually
from support.ports import free_port
from weather_cluster import binaries, settings
from weather_cluster.progress import silent

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIGURATION = "application/vnd.oci.image.config.v1+json"


@dataclass(slots=True)
class ImageRegistry:
    """The registry that a cluster's nodes pull from, without the cluster; a test may stop it.

    With a certificate, which is that file and its key, it speaks HTTPS.
    """

    directory: Path
    port: int = field(default_factory=free_port)
    certificate: tuple[Path, Path] | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """What images in it begin with."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, with all that it had, and return when it answers."""
        (program,) = binaries.ensure(["registry"], settings.from_environment(), silent).values()
        storage = {"filesystem": {"rootdirectory": str(self.directory)}}
        configuration = {
            "version": 0.1,
            "log": {"level": "error"},
            "storage": {**storage, "delete": {"enabled": True}},
            "http": {"addr": self.host, "secret": "shared by nobody", **self._tls()},
        }
        file = self.directory / "registry.json"
        file.write_text(json.dumps(configuration))
        self.process = subprocess.Popen(
            [program, "serve", file],
            env={"OTEL_TRACES_EXPORTER": "none"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self._answers)

    def stop(self) -> None:
        """End it."""
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=60)
            self.process = None

    def push(
        self, repository: str, tag: str, *, content: str, document: bytes | None = None
    ) -> str:
        """Push an image of no layers that differs by its content, and return its digest.

        `document` is its manifest where that is to be another text than `manifest_of`'s.
        """
        configuration = json.dumps({"os": "linux", "architecture": "amd64", "author": content})
        blob = configuration.encode()
        upload = self._send("POST", f"/v2/{repository}/blobs/uploads/")
        self._send("PUT", f"{upload}&digest={digest_of(blob)}", blob, "application/octet-stream")
        document = document or manifest_of(content)
        self._send("PUT", f"/v2/{repository}/manifests/{tag}", document, MANIFEST)
        return digest_of(document)

    def delete(self, repository: str, digest: str) -> None:
        """Delete an image, with all its tags."""
        self._send("DELETE", f"/v2/{repository}/manifests/{digest}")

    def has(self, repository: str, digest: str) -> bool:
        """Tell whether it has the manifest of this digest."""
        try:
            self._send("GET", f"/v2/{repository}/manifests/{digest}")
        except HTTPError:
            return False
        return True

    def _send(self, method: str, path: str, body: bytes = b"", kind: str = "") -> str:
        """Send a request that must succeed, and return where its answer points to."""
        scheme = "https" if self.certificate else "http"
        url = path if path.startswith("http") else f"{scheme}://{self.host}{path}"
        headers = {"Content-Type": kind} if kind else {"Accept": MANIFEST}
        request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310 - our own
        context = ssl._create_unverified_context() if self.certificate else None  # noqa: S323 - our own
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310 - our own
            return str(answer.headers.get("Location", ""))

    def _tls(self) -> dict[str, dict[str, str]]:
        if self.certificate is None:
            return {}
        file, key = map(str, self.certificate)
        return {"tls": {"certificate": file, "key": key}}

    def _answers(self) -> bool:
        try:
            self._send("GET", "/v2/")
        except OSError:
            return False
        return True


def manifest_of(content: str) -> bytes:
    """The manifest of an image of no layers."""
    configuration = json.dumps({"os": "linux", "architecture": "amd64", "author": content})
    blob = configuration.encode()
    description = {"mediaType": CONFIGURATION, "digest": digest_of(blob), "size": len(blob)}
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": description, "layers": []}
    return json.dumps(document).encode()


def digest_of(content: bytes) -> str:
    """The digest by which registries know a content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@contextmanager
def running_registry(certificate: tuple[Path, Path] | None = None) -> Iterator[ImageRegistry]:
    """A registry that is stopped whatever happens inside."""
    with tempfile.TemporaryDirectory() as folder:
        registry = ImageRegistry(directory=Path(folder), certificate=certificate)
        registry.start()
        try:
            yield registry
        finally:
            registry.stop()
