"""`make release` and `make publish`: what is published of this version, made and copied."""

import hashlib
import sys
import tarfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from weather_cluster import progress
from weather_cluster.errors import ClusterError

from release import bundle, chart, images, plugin, sbom
from release import publish as publishing
from release.about import Release, chart_version

CHECKSUMS = "SHA256SUMS"
UNLISTED = (CHECKSUMS, "published.txt")


registry_option = click.option(
    "--registry", required=True, help="Prefix of the images, registry.example/team."
)
directory_argument = click.argument("directory", type=click.Path(file_okay=False, path_type=Path))


@click.group()
def main() -> None:
    """Make and publish a release of the version in the sources."""


@main.command()
@directory_argument
@registry_option
@click.option("--repository", required=True, help="Address of the repository at its Git host.")
def make(directory: Path, registry: str, repository: str) -> None:
    """Write images, chart, manifests, plugin, bundle, bills of materials and checksums."""
    release = _release(registry, repository)
    directory.mkdir(parents=True, exist_ok=True)
    report = _report()
    digests = images.write_archives(directory, report)
    with report("bills of materials"):
        list(sbom.write_all(directory, images.of_this_machine()))
    with report("chart, manifests, plugin, bundle"):
        write_around_images(replace(release, digests=digests), directory)
    click.echo(f"{directory} has all of version {release.version}")


@main.command()
@directory_argument
@registry_option
@click.option("--plain-http", is_flag=True, help="It is a registry of yours without a certificate.")
def publish(directory: Path, registry: str, plain_http: bool) -> None:
    """Copy the images and the chart to the registry; print each with its digest."""
    release = _release(registry, "")
    for each in publishing.publish(release, directory, _report(), plain_http=plain_http):
        click.echo(each)


@main.command("sbom")
@directory_argument
def sbom_command(directory: Path) -> None:
    """Write what is in the operator's and the page's image, as CycloneDX; print the files."""
    for file in sbom.write_all(directory):
        click.echo(file)


@main.command("helm")
def helm_command() -> None:
    """Print where Helm is that this uses, to log in with."""
    click.echo(chart.helm())


def _release(registry: str, repository: str) -> Release:
    return Release(
        version=chart_version(), registry=registry.rstrip("/"), repository=repository.rstrip("/")
    )


def _report() -> progress.Report:
    return progress.on_console(Console(stderr=True, soft_wrap=True))


def write_around_images(release: Release, directory: Path) -> None:
    """Write all but the images, whose digests are known, and at last the checksums of all."""
    packaged = chart.package(release, directory)
    chart.write_manifests(release, packaged, directory)
    plugin.write_all(release, Path(sys.executable), directory)
    bundle.write(release, packaged, directory / "bundle")
    archive = directory / f"weather-operator-bundle-{release.version}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(directory / "bundle", arcname="bundle")
    files = (each for each in directory.iterdir() if each.is_file() and each.name not in UNLISTED)
    (directory / CHECKSUMS).write_text(checksums(files))


def checksums(files: Iterable[Path]) -> str:
    """Return lines that `sha256sum --check` reads."""
    lines = []
    for file in sorted(files):
        with file.open("rb") as content:
            lines.append(f"{hashlib.file_digest(content, 'sha256').hexdigest()}  {file.name}\n")
    return "".join(lines)


if __name__ == "__main__":
    try:
        main()
    except ClusterError as error:
        sys.exit(f"Error: {error}")
