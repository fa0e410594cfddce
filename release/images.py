"""Each image for both architectures as one OCI archive, and the digest it has in every registry.

An archive holds compressed layers and manifests as registries keep them; copied as it is (`skopeo
copy --all --preserve-digests`) its digest stays what it is here.
"""

import json
import platform
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from weather_cluster import images
from weather_cluster.host import require_programs, run, succeeds
from weather_cluster.images import IMAGES, Image
from weather_cluster.progress import Report

ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
"""What images are made for, and what the kernel calls it."""


def write_archives(directory: Path, report: Report) -> Mapping[str, str]:
    """Build every image, write its archive into a directory, and return digests by image name."""
    require_programs("buildah")
    directory.mkdir(parents=True, exist_ok=True)
    variants = [variant(each, architecture) for each in IMAGES for architecture in ARCHITECTURES]
    images.build(report, variants, docker=False)
    digests = {}
    for image in IMAGES:
        archive = archive_of(image, directory)
        with report(f"archive {archive.name}"):
            _write(image, archive)
        digests[image.name] = digest_of(archive)
    return digests


def variant(image: Image, architecture: str) -> Image:
    """Return this image for an architecture, under a name of its own."""
    arguments = {**image.arguments, "ARCH": architecture}
    return replace(image, name=f"{image.name}-{architecture}", arguments=arguments)


def archive_of(image: Image, directory: Path) -> Path:
    """Return where an image's archive is in a directory."""
    return directory / f"{image.name.replace(':', '-')}.oci.tar"


def of_this_machine() -> list[Image]:
    """Return the variants that can run here, which can be asked what they contain."""
    machine = platform.machine()
    (architecture,) = (name for name, kernel in ARCHITECTURES.items() if kernel == machine)
    return [variant(image, architecture) for image in IMAGES]


def digest_of(archive: Path) -> str:
    """Return the digest of the index that an OCI archive holds."""
    with tarfile.open(archive) as tar:
        file = tar.extractfile("index.json")
        index = json.loads(file.read() if file else "{}")
    (entry,) = index["manifests"]
    return str(entry["digest"])


def _write(image: Image, archive: Path) -> None:
    listed = f"localhost/{image.name}-all"
    if succeeds("buildah", "manifest", "exists", listed):
        run("buildah", "manifest", "rm", listed)
    run("buildah", "manifest", "create", listed)
    try:
        for architecture in ARCHITECTURES:
            run(
                "buildah",
                "manifest",
                "add",
                listed,
                f"localhost/{variant(image, architecture).name}",
            )
        archive.unlink(missing_ok=True)
        run(
            *("buildah", "manifest", "push", "--quiet", "--all", "--format=oci"),
            *(listed, f"oci-archive:{archive}:{image.name.partition(':')[2]}"),
        )
    finally:
        run("buildah", "manifest", "rm", listed)
