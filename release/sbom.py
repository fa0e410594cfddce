"""Bills of materials of the images, as CycloneDX, from what each image says it contains."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from weather_cluster.errors import ClusterError
from weather_cluster.host import require_programs, run, succeeds
from weather_cluster.images import IMAGES, Image

# Run by the image's own Python, which knows its own packages and Debian's. A package's licences are
# where Debian's policy has them, in machine-readable copyright files; others are not guessed. What
# was downloaded for it the Dockerfile has noted: Debian's package or the wheel, by its SHA-256.
_LIST_CONTENTS = r"""
import glob, importlib.metadata, json, os, re

def debian(file):
    name = os.path.basename(file)
    path = f"/usr/share/doc/{name}/copyright"
    text = open(path, errors="replace").read() if os.path.exists(path) else ""
    known = re.findall(r"^License: *(\S.*)$", text, re.M) if text.startswith("Format:") else []
    return [open(file).read(), sorted({each.strip() for each in known})]

def python(found):
    told = found.metadata
    said = told.get("License-Expression") or told.get("License") or ""
    classes = [each for each in told.get_all("Classifier", []) if each.startswith("License ::")]
    short = said if said and "\n" not in said else ""
    licence = short or "".join(classes[:1]).rpartition(" :: ")[2]
    return [found.name, found.version, licence, wheels.get(found.name, "")]

wheels = json.load(open("/usr/share/wheels.json"))
print(json.dumps({
    "debian": [debian(file) for file in glob.glob("/var/lib/dpkg/status.d/*")],
    "python": [python(each) for each in importlib.metadata.distributions()],
}))
"""


def write_all(directory: Path, images: Sequence[Image] = IMAGES) -> Iterator[Path]:
    """Write a bill of materials for the operator's and the page's image; yield the files."""
    directory.mkdir(parents=True, exist_ok=True)
    # The page's three versions contain the same.
    for image in {image.part: image for image in images}.values():
        file = directory / f"{image.name.replace(':', '-')}.cdx.json"
        bill = bill_of_materials(image, contents_of(image))
        file.write_text(JsonV1Dot6(bill).output_as_string(indent=2) + "\n")
        yield file


def bill_of_materials(image: Image, contents: dict[str, Any]) -> Bom:
    """Return the image's bill of materials: each package with its version and known licences."""
    name, _, version = image.name.partition(":")
    bill = Bom()
    subject = Component(
        type=ComponentType.CONTAINER, name=name, version=version, bom_ref=image.name
    )
    bill.metadata.component = subject
    parts = [
        *(_debian(control, licences) for control, licences in contents["debian"]),
        *(_python(*found) for found in contents["python"]),
    ]
    bill.components.update(parts)
    bill.register_dependency(subject, parts)
    return bill


def contents_of(image: Image) -> dict[str, Any]:
    """Run a local image to list its packages. Raises ClusterError when there is no such image."""
    found: dict[str, Any] = json.loads(_run_in(image, "python3", "-c", _LIST_CONTENTS))
    return found


def _run_in(image: Image, *command: str) -> str:
    if succeeds("docker", "image", "inspect", image.name):
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


def _debian(control: str, licences: list[str]) -> Component:
    fields = dict(re.findall(r"^(\S+): (.*)$", control, re.MULTILINE))
    architecture = {"arch": fields["Architecture"]}
    package = PackageURL("deb", "debian", fields["Package"], fields["Version"], architecture)
    return _component(package, licences, fields["SHA256"])


def _python(name: str, version: str, licence: str, sha256: str) -> Component:
    package = PackageURL("pypi", None, re.sub("[-_.]+", "-", name).lower(), version)
    return _component(package, [licence] if licence else [], sha256)


def _component(package: PackageURL, licences: list[str], sha256: str) -> Component:
    make = LicenseFactory()
    # An expression stands alone; several names of Debian's are of several files.
    one = len(licences) == 1
    found: list[License] = [
        make.make_from_string(each) if one else make.make_with_name(each) for each in licences
    ]
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        version=package.version,
        purl=package,
        bom_ref=package.to_string(),
        licenses=found,
        # What is built here has none.
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else [],
    )
