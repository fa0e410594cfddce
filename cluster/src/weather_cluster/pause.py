"""The image whose single process holds a pod's namespaces, built from Kubernetes' own source."""

import hashlib
import io
import json
import platform
import tarfile
import tempfile
from pathlib import Path

from weather_cluster import binaries, toolchain
from weather_cluster.host import require_programs, run
from weather_cluster.progress import Report
from weather_cluster.settings import Settings

IMAGE = "localhost/pause:1"


def ensure(settings: Settings, report: Report) -> Path:
    """Return a docker-archive with the image, built now if the cache lacks it."""
    kubelet = binaries.path_of(binaries.BINARIES["kubelet"], settings)
    archive = kubelet.with_name(f"{kubelet.name}.pause.tar")
    if not archive.exists():
        with report("build pause image"), binaries.locked_output(archive) as file:
            _write_archive(file, _compile(settings, report))
    return archive


def _compile(settings: Settings, report: Report) -> bytes:
    require_programs("gcc")
    go = toolchain.find(settings, report)
    version = binaries.KUBERNETES_VERSION
    module = run(
        go,
        "mod",
        "download",
        "-json",
        f"k8s.io/kubernetes@v{version}",
        directory=settings.modules / binaries.MODULE,
        environment=toolchain.environment(),
    )
    source = Path(json.loads(module)["Dir"], "build/pause/linux/pause.c")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "pause")
        run("gcc", "-Os", "-DVERSION=1", "-static", "-s", "-o", program, source)
        return program.read_bytes()


def _write_archive(path: Path, program: bytes) -> None:
    layer = _tar({"pause": program})
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()],
            "os": "linux",
            "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{digest}"],
            },
        }
    ).encode()
    manifest = [{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]
    files = {
        "layer.tar": layer,
        "config.json": config,
        "manifest.json": json.dumps(manifest).encode(),
    }
    path.write_bytes(_tar(files))


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
