"""The operator's image and the page's three colours: built, pushed to a registry, loaded on nodes.

Docker builds where its engine answers, else buildah. Where no registry has the base image,
debootstrap makes one from Debian's packages. A label holds the hash of everything an image was
built from, so what has not changed is not built again; and a version that a registry has is not
replaced by another image unless that is asked for. Digests are the registry's own word.
"""

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from weather_cluster import network, node_components, registry_client
from weather_cluster.bootstrap import Cluster
from weather_cluster.errors import ClusterError
from weather_cluster.host import require_programs, run, succeeds
from weather_cluster.progress import Report
from weather_cluster.registry_client import RegistryImage

OPERATOR_VERSION = "0.1.0"
COLOURS = {"1.0.0": "yellow", "2.0.0": "green", "3.0.0": "red"}
BASE = "docker.io/library/debian:trixie-slim"
LOCAL_BASE = "localhost/weather-base:trixie"
INPUTS_LABEL = "io.quantspark.weather.inputs"
CA_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_UNNEEDED = (
    "usr/share/doc/*",
    "usr/share/man/*",
    "usr/share/locale/*",
    "var/lib/apt/lists/*_*",
    "var/cache/apt/archives/*.deb",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image by name, and everything that decides what is in it."""

    name: str
    part: str
    arguments: dict[str, str] = field(default_factory=dict)

    def inputs(self, base: str) -> str:
        """Return the hash of the Dockerfile, the sources, the requirements and the arguments."""
        digest = hashlib.sha256(json.dumps([base, self.arguments]).encode())
        for path in sorted(self._files()):
            digest.update(str(path).encode() + path.read_bytes())
        return digest.hexdigest()

    @property
    def dockerfile(self) -> str:
        """The name of its Dockerfile, in the repository's root."""
        return f"Dockerfile.{self.part}"

    def from_commit(self) -> "Image":
        """Return this image with the last commit of its sources, and a + if they changed since.

        Commits elsewhere do not change it, so they build nothing. Without git it stays the same.
        """
        sources = tuple(map(str, self._sources))
        if self.part != "webapp" or not succeeds("git", "rev-parse", "HEAD"):
            return self
        commit = run("git", "log", "-1", "--format=%H", "--", *sources).strip()
        changed = commit and run("git", "status", "--porcelain", "--", *sources).strip()
        arguments = {**self.arguments, "APP_COMMIT": f"{commit}{'+' if changed else ''}"}
        return replace(self, arguments=arguments)

    @property
    def _sources(self) -> tuple[Path, ...]:
        requirements = Path(f"requirements/{self.part}.txt")
        project = Path(self.part, "pyproject.toml")
        return Path(self.dockerfile), requirements, project, Path(self.part, "src")

    def _files(self) -> Iterator[Path]:
        *files, source = self._sources
        yield from files
        sources = source.rglob("*")
        yield from (path for path in sources if path.is_file() and "__pycache__" not in path.parts)


IMAGES = (
    Image(
        name=f"weather-operator:{OPERATOR_VERSION}",
        part="operator",
        arguments={"VERSION": OPERATOR_VERSION},
    ),
    *(
        Image(
            name=f"weather:{version}",
            part="webapp",
            arguments={"APP_VERSION": version, "APP_COLOUR": colour},
        )
        for version, colour in COLOURS.items()
    ),
)


def build(report: Report, chosen: Sequence[Image] = (), *, docker: bool | None = None) -> None:
    """Build each image whose sources have changed, of those that are chosen, or of all.

    The current directory is the repository. Docker builds where its engine answers, unless that is
    decided already; an image that has an argument ARCH is of that architecture, by buildah alone.
    """
    if not Path(IMAGES[0].dockerfile).exists():
        raise ClusterError("there is no Dockerfile here: run this in the root of the repository")
    docker = succeeds("docker", "info") if docker is None else docker
    if not docker:
        require_programs("buildah")
    base = BASE if docker else _base(report)
    for image in (image.from_commit() for image in chosen or IMAGES):
        inputs = image.inputs(base)
        if _label(image.name, docker) != inputs:
            with report(f"image {image.name}"):
                _build(image, base, inputs, docker)


def push_all(
    registry: str, report: Report, *, replace: bool = False, insecure: bool = False
) -> Iterator[str]:
    """Push every image below this prefix and yield references with digests.

    A version means one image for ever: what the registry already has is not pushed again, and a
    different image raises ClusterError unless it is to be replaced. An `insecure` registry may
    speak plain HTTP or show any certificate, as one at an address of this machine may anyway.
    """
    if not re.fullmatch(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]+)?(/[a-z0-9._/-]*)?", registry):
        raise ClusterError(f"{registry!r} is no registry: write for example registry.example/team")
    docker = succeeds("docker", "info")
    for image in IMAGES:
        if _label(image.name, docker) is None:
            raise ClusterError(f"there is no image {image.name}: build it with make images")
        reference = f"{registry.rstrip('/')}/{image.name}"
        lenient = insecure or registry_client.is_this_machine(reference)
        found = None if replace else registry_client.find(reference, insecure=lenient)
        if found:
            with report(f"{reference} is there already"):
                if not _is_same(image, found, docker):
                    raise ClusterError(
                        f"{reference} is another image there already, {found.digest}: "
                        "raise the version, or replace it all the same with REPLACE=1"
                    )
        else:
            with report(f"push {reference}"):
                found = _push(image, reference, docker=docker, insecure=lenient)
        yield f"{reference}@{found.digest}"


def load(cluster: Cluster, image: str) -> None:
    """Make a local image usable by pods on every node under its own name, without a registry.

    It is taken from buildah's store, or from Docker's. Raises ClusterError when neither has it.
    """
    if not cluster.nodes:
        raise ClusterError(f"cluster {cluster.name} has no real nodes: its pods need no image")
    with tempfile.TemporaryDirectory(dir=cluster.directory) as folder:
        archive = Path(folder, "image.tar")
        save(image, archive)
        for node in network.nodes_of(cluster.number, cluster.nodes):
            node_components.load_images(cluster.directory, node, archive)


def save(image: str, archive: Path) -> None:
    """Write a local image, from Docker's store or buildah's, as a docker-archive under its name.

    Raises ClusterError when neither has it.
    """
    if succeeds("buildah", "inspect", "--type=image", image):
        run("buildah", "push", "--quiet", image, f"docker-archive:{archive}:{image}")
    elif succeeds("docker", "image", "inspect", image):
        run("docker", "save", f"--output={archive}", image)
    else:
        raise ClusterError(f"no image {image} on this machine: see buildah images, or build it")


def _is_same(image: Image, found: RegistryImage, docker: bool) -> bool:
    """Tell whether the registry's image is the local one, which Docker may know by its digest."""
    look = (
        ("docker", "image", "inspect", "--format={{.Id}}")
        if docker
        else ("buildah", "inspect", "--type=image", "--format={{.FromImageID}}")
    )
    image_id = run(*look, _local(image.name, docker)).strip().removeprefix("sha256:")
    return f"sha256:{image_id}" in (found.configuration, found.digest)


def _build(image: Image, base: str, inputs: str, docker: bool) -> None:
    arguments = {"BASE": base, **image.arguments}
    run(
        *(("docker",) if docker else ("buildah",)),
        "build",
        *(() if docker else _buildah_options()),
        *(f"--build-arg={name}={value}" for name, value in arguments.items()),
        f"--label={INPUTS_LABEL}={inputs}",
        f"--file={image.dockerfile}",
        f"--tag={_local(image.name, docker)}",
        ".",
    )
    if "ARCH" in image.arguments:
        _mark(image, image.arguments["ARCH"])


def _mark(image: Image, architecture: str) -> None:
    """Say in the image what it is for: a build on another architecture cannot know."""
    local = _local(image.name, docker=False)
    container = run("buildah", "from", "--pull-never", local).strip()
    run("buildah", "config", f"--arch={architecture}", container)
    run("buildah", "commit", "--quiet", "--rm", "--squash", "--timestamp=0", container, local)


def _buildah_options() -> Iterator[str]:
    yield from ("--isolation=chroot", "--layers", "--timestamp=0", "--pull-never")
    # A proxy between this machine and the packages may have an authority of its own.
    if CA_CERTIFICATES.exists():
        yield f"--volume={CA_CERTIFICATES}:/run/ca.pem:ro"


def _local(name: str, docker: bool) -> str:
    return name if docker else f"localhost/{name}"


def _label(name: str, docker: bool) -> str | None:
    """Return the inputs of the local image, None when there is no such image."""
    local = _local(name, docker)
    look = ("docker", "image", "inspect") if docker else ("buildah", "inspect", "--type=image")
    if not succeeds(*look, local):
        return None
    found: Any = json.loads(run(*look, local))
    labels = (found[0]["Config"] if docker else found["OCIv1"]["config"]).get("Labels") or {}
    return str(labels.get(INPUTS_LABEL, ""))


def _push(image: Image, reference: str, *, docker: bool, insecure: bool) -> RegistryImage:
    """Push the image and return what the registry has then; ClusterError when that is another."""
    if docker:
        run("docker", "tag", image.name, reference)
        run("docker", "push", "--quiet", reference)
    else:
        require_programs("buildah")
        lenient = ("--tls-verify=false",) if insecure else ()
        local, remote = f"localhost/{image.name}", f"docker://{reference}"
        run("buildah", "push", "--quiet", *lenient, local, remote)
    found = registry_client.find(reference, insecure=insecure)
    if found is None or not _is_same(image, found, docker):
        raise ClusterError(
            f"{reference} was pushed and the registry has {found.digest if found else 'nothing'} "
            "there: somebody else pushes to it as well, so try again"
        )
    return found


def _base(report: Report) -> str:
    if succeeds("buildah", "inspect", "--type=image", LOCAL_BASE):
        return LOCAL_BASE
    with report(f"base image {BASE}"):
        if succeeds("buildah", "pull", "--quiet", BASE):
            return BASE
    with report("base image from Debian's packages"):
        _bootstrap()
    return LOCAL_BASE


def _bootstrap() -> None:
    """Build the like of debian:trixie-slim: a minimal Debian without documents and locales."""
    require_programs("debootstrap")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        run("debootstrap", "--variant=minbase", "trixie", root)
        run("rm", "-rf", *(path for pattern in _UNNEEDED for path in root.glob(pattern)))
        container = run("buildah", "from", "scratch").strip()
        run("buildah", "add", "--quiet", container, root, "/")
        run("buildah", "commit", "--quiet", "--rm", container, LOCAL_BASE)
