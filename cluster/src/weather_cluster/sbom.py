"""Bills of materials of the images, as CycloneDX, from what each image says it contains."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from weather_cluster.errors import ClusterError
from weather_cluster.host import require_programs, run, succeeds
from weather_cluster.images import IMAGES, Image

# Run by the image's own Python, which knows its own packages and Debian's.
_LIST_CONTENTS = """
import glob, importlib.metadata, json
print(json.dumps({
    "debian": [open(file).read() for file in glob.glob("/var/lib/dpkg/status.d/*")],
    "python": [[each.name, each.version] for each in importlib.metadata.distributions()],
}))
"""


def bill_of_materials(image: Image, contents: dict[str, Any]) -> dict[str, Any]:
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
    """Run a local image to list its packages. Raises ClusterError when there is no such image."""
    found: dict[str, Any] = json.loads(_run_in(image, "python3", "-c", _LIST_CONTENTS))
    return found


def _run_in(image: Image, *command: str) -> str:
    if succeeds("docker", "info"):
        entry, *arguments = command
        return run("docker", "run", "--rm", f"--entrypoint={entry}", image.name, *arguments)
    require_programs("buildah")
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
    purl = f"pkg:deb/debian/{name}@{_quoted(version)}?arch={fields['Architecture']}"
    return {"type": "library", "name": name, "version": version, "purl": purl}


def _python(found: list[str]) -> dict[str, Any]:
    name, version = found
    purl = f"pkg:pypi/{re.sub('[-_.]+', '-', name).lower()}@{_quoted(version)}"
    return {"type": "library", "name": name, "version": version, "purl": purl}


def _quoted(version: str) -> str:
    return version.replace("%", "%25").replace("+", "%2B").replace(":", "%3A").replace("~", "~")


def write_all(directory: Path, images: Sequence[Image] = IMAGES) -> Iterator[Path]:
    """Write a bill of materials for the operator's and the page's image; yield the files."""
    directory.mkdir(parents=True, exist_ok=True)
    # The page's three versions contain the same.
    for image in {image.part: image for image in images}.values():
        file = directory / f"{image.name.replace(':', '-')}.cdx.json"
        bill = bill_of_materials(image, contents_of(image))
        file.write_text(json.dumps(bill, indent=2) + "\n")
        yield file
