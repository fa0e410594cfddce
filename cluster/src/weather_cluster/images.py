"""The operator's image and the page's three colours: built, tagged and pushed.

Docker builds where its engine answers, else buildah. Where no registry has the base image,
debootstrap makes one from Debian's packages.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from weather_cluster import progress, remote, toolchain
from weather_cluster.errors import ClusterError
from weather_cluster.programs import run, succeeds
from weather_cluster.progress import Report

OPERATOR_VERSION = "0.1.0"
COLOURS = {"1.0.0": "yellow", "2.0.0": "green", "3.0.0": "red"}
BASE = "docker.io/library/debian:trixie-slim"
OWN_BASE = "localhost/weather-base:trixie"
INPUTS = "io.quantspark.weather.inputs"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_NEEDLESS = (
    "usr/share/doc/*",
    "usr/share/man/*",
    "usr/share/locale/*",
    "var/lib/apt/lists/*_*",
    "var/cache/apt/archives/*.deb",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image by name, and all that decides what is in it."""

    name: str
    part: str
    arguments: dict[str, str] = field(default_factory=dict)

    def inputs(self, base: str) -> str:
        """Give the hash of the Dockerfile, the sources, the requirements and the arguments."""
        found = hashlib.sha256(json.dumps([base, self.arguments]).encode())
        for path in sorted(self._files()):
            found.update(str(path).encode() + path.read_bytes())
        return found.hexdigest()

    @property
    def dockerfile(self) -> str:
        """The Dockerfile, in the current directory."""
        return f"Dockerfile.{self.part}"

    def from_commit(self) -> "Image":
        """Give this image, told the last commit of its sources; a + says: changed since.

        Commits elsewhere do not change it, so they build nothing. Without git it stays as it is.
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
    Image(name=f"weather-operator:{OPERATOR_VERSION}", part="operator"),
    *(
        Image(
            name=f"weather:{version}",
            part="webapp",
            arguments={"APP_VERSION": version, "APP_COLOUR": colour},
        )
        for version, colour in COLOURS.items()
    ),
)


def build(report: Report) -> None:
    """Build every image that is not there as its sources want it, in the repository's root."""
    if not Path(IMAGES[0].dockerfile).exists():
        raise ClusterError("there is no Dockerfile here: run this in the root of the repository")
    docker = succeeds("docker", "info")
    if not docker:
        toolchain.require("buildah")
    base = BASE if docker else _base(report)
    for image in (image.from_commit() for image in IMAGES):
        inputs = image.inputs(base)
        if _label(image.name, docker) != inputs:
            with report(f"image {image.name}"):
                _build(image, base, inputs, docker)


def push_all(registry: str, report: Report, *, replace: bool = False) -> Iterator[str]:
    """Push every image below this prefix and give the names by which it can be pulled.

    What is there already stays, for a version means one image for ever: the same is not pushed
    again, and another raises ClusterError unless it is to be replaced.
    """
    docker = succeeds("docker", "info")
    for image in IMAGES:
        if _label(image.name, docker) is None:
            raise ClusterError(f"there is no image {image.name}: build it with make images")
        reference = f"{registry.rstrip('/')}/{image.name}"
        found = None if replace else remote.find(reference, docker=docker)
        if found:
            with report(f"{reference} is there already"):
                yield f"{reference}@{_same(image, reference, found, docker)}"
            continue
        with report(f"push {reference}"):
            digest = _push_docker(image, reference) if docker else _push_buildah(image, reference)
        yield f"{reference}@{digest}"


def _same(image: Image, reference: str, found: remote.Found, docker: bool) -> str:
    """Give the digest of what the registry has if it is the local image, else raise."""
    local = _local(image.name, docker)
    look = (
        ("docker", "image", "inspect", "--format={{.Id}}")
        if docker
        else ("buildah", "inspect", "--type=image", "--format={{.FromImageID}}")
    )
    identity = run(*look, local).strip().removeprefix("sha256:")
    if identity not in (found.configuration, found.digest.removeprefix("sha256:")):
        raise ClusterError(
            f"{reference} is another image there already, {found.digest}: "
            "raise the version, or replace it all the same with REPLACE=1"
        )
    return found.digest


def _build(image: Image, base: str, inputs: str, docker: bool) -> None:
    arguments = {"BASE": base, **image.arguments}
    run(
        *(("docker",) if docker else ("buildah",)),
        "build",
        *(() if docker else ("--isolation=chroot", "--layers", "--timestamp=0", "--pull-never")),
        *(f"--build-arg={name}={value}" for name, value in arguments.items()),
        *((f"--secret=id=ca,src={AUTHORITIES}",) if AUTHORITIES.exists() else ()),
        f"--label={INPUTS}={inputs}",
        f"--file={image.dockerfile}",
        f"--tag={_local(image.name, docker)}",
        ".",
    )


def _local(name: str, docker: bool) -> str:
    return name if docker else f"localhost/{name}"


def _label(name: str, docker: bool) -> str | None:
    """Give the inputs that the local image was built from; None when there is no such image."""
    local = _local(name, docker)
    look = ("docker", "image", "inspect") if docker else ("buildah", "inspect", "--type=image")
    if not succeeds(*look, local):
        return None
    found: Any = json.loads(run(*look, local))
    labels = (found[0]["Config"] if docker else found["OCIv1"]["config"]).get("Labels") or {}
    return str(labels.get(INPUTS, ""))


def _push_buildah(image: Image, reference: str) -> str:
    toolchain.require("buildah")
    with tempfile.NamedTemporaryFile() as digest:
        run(
            *("buildah", "push", "--quiet", f"--digestfile={digest.name}"),
            *(("--tls-verify=false",) if remote.is_plain(reference) else ()),
            f"localhost/{image.name}",
            f"docker://{reference}",
        )
        return Path(digest.name).read_text().strip()


def _push_docker(image: Image, reference: str) -> str:
    run("docker", "tag", image.name, reference)
    run("docker", "push", "--quiet", reference)
    repository = reference.rpartition(":")[0]
    found: list[str] = json.loads(run("docker", "image", "inspect", reference))[0]["RepoDigests"]
    return next(each for each in found if each.startswith(f"{repository}@")).partition("@")[2]


def _base(report: Report) -> str:
    if succeeds("buildah", "inspect", "--type=image", OWN_BASE):
        return OWN_BASE
    with report(f"base image {BASE}"):
        if succeeds("buildah", "pull", "--quiet", BASE):
            return BASE
    with report("base image from Debian's packages"):
        _bootstrap()
    return OWN_BASE


def _bootstrap() -> None:
    """Make what debian:trixie-slim is: a minimal Debian without documents and locales."""
    toolchain.require("debootstrap")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        run("debootstrap", "--variant=minbase", "trixie", root)
        run("rm", "-rf", *(path for pattern in _NEEDLESS for path in root.glob(pattern)))
        container = run("buildah", "from", "scratch").strip()
        run("buildah", "add", "--quiet", container, root, "/")
        run("buildah", "commit", "--quiet", "--rm", container, OWN_BASE)


@click.command()
def images() -> None:
    """Build the operator's image and the page's three colours, as far as sources changed."""
    build(progress.on(Console(stderr=True, soft_wrap=True)))


@click.command()
@click.argument("registry")
@click.option("--replace", is_flag=True, help="Also where a version is another image already.")
def push(registry: str, replace: bool) -> None:
    """Tag and push the images to REGISTRY, for example registry.example/team.

    Prints the name of each with its digest.
    """
    report = progress.on(Console(stderr=True, soft_wrap=True))
    for reference in push_all(registry, report, replace=replace):
        click.echo(reference)
