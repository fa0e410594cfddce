"""What is in an image, told by the image itself, as CycloneDX."""

import json
import re
from pathlib import Path
from typing import Any

import click

from weather_cluster import toolchain
from weather_cluster.errors import ClusterError
from weather_cluster.images import IMAGES, Image
from weather_cluster.programs import run, succeeds

# Run by the image's own Python, where Debian's packages and Python's have left their names.
_ASK = """
import glob, importlib.metadata, json
print(json.dumps({
    "debian": [open(file).read() for file in glob.glob("/var/lib/dpkg/status.d/*")],
    "python": [[each.name, each.version] for each in importlib.metadata.distributions()],
}))
"""


def bill(image: Image, contents: dict[str, Any]) -> dict[str, Any]:
    """Return the image's bill of materials, the same for the same contents."""
    components = [*map(_debian, contents["debian"]), *map(_python, contents["python"])]
    name, _, version = image.name.partition(":")
    subject = {"type": "container", "name": name, "version": version, "bom-ref": image.name}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": subject},
        "components": sorted(components, key=lambda each: each["purl"]),
    }


def contents_of(image: Image) -> dict[str, Any]:
    """Ask a local image what it holds. Raises ClusterError where there is no such image."""
    found: dict[str, Any] = json.loads(_run_in(image, "python3", "-c", _ASK))
    return found


def _run_in(image: Image, *command: str) -> str:
    if succeeds("docker", "info"):
        entry, *arguments = command
        return run("docker", "run", "--rm", f"--entrypoint={entry}", image.name, *arguments)
    toolchain.require("buildah")
    local = f"localhost/{image.name}"
    if not succeeds("buildah", "inspect", "--type=image", local):
        raise ClusterError(f"there is no image {image.name}: build it with make images")
    container = run("buildah", "from", "--pull-never", local).strip()
    try:
        return run("buildah", "run", "--isolation=chroot", container, "--", *command)
    finally:
        run("buildah", "rm", container)


def _debian(control: str) -> dict[str, Any]:
    fields = dict(re.findall(r"^(\S+): (.*)$", control, re.MULTILINE))
    name, version = fields["Package"], fields["Version"]
    address = f"pkg:deb/debian/{name}@{_quoted(version)}?arch={fields['Architecture']}"
    return {"type": "library", "name": name, "version": version, "purl": address}


def _python(found: list[str]) -> dict[str, Any]:
    name, version = found
    address = f"pkg:pypi/{re.sub('[-_.]+', '-', name).lower()}@{_quoted(version)}"
    return {"type": "library", "name": name, "version": version, "purl": address}


def _quoted(version: str) -> str:
    return version.replace("%", "%25").replace("+", "%2B").replace(":", "%3A").replace("~", "~")


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def sbom(directory: Path) -> None:
    """Write what is in the operator's and the page's image to DIRECTORY, as CycloneDX."""
    directory.mkdir(parents=True, exist_ok=True)
    # The page's three versions hold the same.
    for image in {each.part: each for each in IMAGES}.values():
        file = directory / f"{image.name.replace(':', '-')}.cdx.json"
        file.write_text(json.dumps(bill(image, contents_of(image)), indent=2) + "\n")
        click.echo(file)
