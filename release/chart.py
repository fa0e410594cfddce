"""The chart as one archive, which knows where its images are, and the plain manifests of it."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from weather_cluster import binaries, settings
from weather_cluster.errors import ClusterError
from weather_cluster.host import run
from weather_cluster.progress import silent

from release.about import CHART, Release

NAMESPACE = "weather-system"
NAMESPACED = {
    "Deployment",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Role",
    "RoleBinding",
    "Service",
    "ServiceAccount",
}
OF_HELM = ("helm.sh/chart", "app.kubernetes.io/managed-by")

Manifest = dict[str, Any]


def package(release: Release, directory: Path) -> Path:
    """Write the chart's archive into a directory and return its path.

    Its values name the registry and each image's digest; it holds the definitions themselves, the
    license and, for catalogues of charts, what the version consists of.
    """
    with tempfile.TemporaryDirectory() as folder:
        chart = Path(folder, CHART.name)
        shutil.copytree(CHART, chart)
        shutil.copy("LICENSE", chart)
        _edit(chart / "values.yaml", _values(release))
        _edit(chart / "Chart.yaml", _about(release))
        run(helm(), "package", chart, f"--destination={directory}")
    return archive(release, directory)


def archive(release: Release, directory: Path) -> Path:
    """Return where the chart's archive is in a directory."""
    return directory / f"{CHART.name}-{release.version}.tgz"


def images_of(chart: Path) -> list[dict[str, str]]:
    """Return the images that a packaged chart says it consists of, each with name and image."""
    about = yaml.safe_load(run(helm(), "show", "chart", chart))
    found: list[dict[str, str]] = yaml.safe_load(about["annotations"]["artifacthub.io/images"])
    return found


def objects_of(chart: Path) -> list[Manifest]:
    """Return what an installation of this chart makes, without hooks, tests and Helm's labels."""
    rendered = run(
        *(helm(), "template", CHART.name, chart, f"--namespace={NAMESPACE}"),
        *("--no-hooks", "--skip-tests", "--set=crds.apply=false"),
    )
    return [_plain(each) for each in yaml.safe_load_all(rendered) if each]


def write_manifests(release: Release, chart: Path, directory: Path) -> list[Path]:
    """Write install.yaml and releases.yaml, the catalogue, for `kubectl apply`.

    They are two because kubectl knows no kind that the same call brings.
    """
    objects = objects_of(chart)
    catalogue = [each for each in objects if each["kind"] == "WeatherRelease"]
    others = [each for each in objects if each["kind"] != "WeatherRelease"]
    definitions = [file.read_text().strip() for file in sorted(Path("crds").glob("*.yaml"))]
    install = [_dump(_namespace()), *definitions, *map(_dump, others)]
    about = f"# weather-operator {release.version}"
    first = f"{about}: kubectl apply --server-side -f install.yaml, then releases.yaml.\n"
    then = f"{about}: the versions of the page that WeatherApps can ask for, after install.yaml.\n"
    written = directory / "install.yaml", directory / "releases.yaml"
    written[0].write_text(first + "---\n" + "\n---\n".join(install) + "\n")
    written[1].write_text(then + "---\n" + "\n---\n".join(map(_dump, catalogue)) + "\n")
    return list(written)


def helm() -> Path:
    """Return Helm's program, built now if the cache lacks it."""
    (program,) = binaries.ensure(["helm"], settings.from_environment(), silent).values()
    return program


def _values(release: Release) -> Iterator[tuple[str, str]]:
    yield r'^registry: ""$', f"registry: {release.registry}"
    runbooks = f"{release.sources}/docs/runbooks.md"
    yield r"^  runbooks: .*$", f"  runbooks: {runbooks}"
    for image, digest in release.digests.items():
        name, _, version = image.partition(":")
        if name == CHART.name:
            yield r'^  digest: ""$', f"  digest: {digest}"
        else:
            pattern = rf"^    - \{{version: {re.escape(version)}, (.*)\}}$"
            yield pattern, rf"    - {{version: {version}, \1, digest: {digest}}}"


def _about(release: Release) -> Iterator[tuple[str, str]]:
    images = [
        {"name": image.replace(":", "-"), "image": release.reference(image)}
        for image in release.digests
    ]
    listed = "".join(f"\n    {line}" for line in yaml.safe_dump(images).splitlines())
    yield (
        r"\Z",
        f"  artifacthub.io/images: |{listed}\nhome: {release.repository}\nsources:\n"
        f"  - {release.repository}\n",
    )


def _edit(file: Path, changes: Iterator[tuple[str, str]]) -> None:
    """Make each change where its pattern matches, which must be one place."""
    text = file.read_text()
    for pattern, replacement in changes:
        text, number = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        if number != 1:
            raise ClusterError(f"{file.name} has {number} places for {pattern!r}, and needs one")
    file.write_text(text)


def _namespace() -> Manifest:
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": restricted},
    }


def _plain(manifest: Manifest) -> Manifest:
    metadata = manifest["metadata"]
    if manifest["kind"] in NAMESPACED:
        metadata.setdefault("namespace", NAMESPACE)
    template = (
        manifest.get("spec", {}).get("template", {}) if manifest["kind"] == "Deployment" else {}
    )
    for labels in (metadata["labels"], template.get("metadata", {}).get("labels", {})):
        for name in OF_HELM:
            labels.pop(name, None)
    return manifest


def _dump(manifest: Manifest) -> str:
    return yaml.safe_dump(manifest, sort_keys=False, width=120).strip()
