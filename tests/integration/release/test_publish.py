"""Published images have the digests that chart and manifests name."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.kubectl import ROOT
from support.registry import ImageRegistry, running_registry
from weather_cluster import images as local_images
from weather_cluster.errors import ClusterError
from weather_cluster.images import Image
from weather_cluster.progress import silent

from release import chart, images
from release.__main__ import main
from release.about import Release

OPERATOR = Image(name="weather-operator:0.1.0", part="operator")


@pytest.fixture(autouse=True)
def one_small_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In place of the project's, in a store of its own, for two architectures."""
    if os.geteuid():
        pytest.skip("buildah works here as root")
    if not shutil.which("skopeo"):
        pytest.skip("there is no skopeo: install Debian's package")
    places = {"driver": "vfs", "graphroot": str(tmp_path / "store"), "runroot": str(tmp_path)}
    lines = [f"{name} = {json.dumps(value)}" for name, value in places.items()]
    (tmp_path / "storage.conf").write_text("\n".join(["[storage]", *lines]))
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(tmp_path / "storage.conf"))
    monkeypatch.setattr("release.images.IMAGES", (OPERATOR,))
    monkeypatch.setattr("release.publish.IMAGES", (OPERATOR,))
    monkeypatch.setattr(local_images, "build", lambda *_, **__: make_variants())
    monkeypatch.chdir(ROOT)


def make_variants() -> None:
    for architecture in images.ARCHITECTURES:
        container = buildah("from", "scratch").strip()
        buildah("config", f"--arch={architecture}", container)
        name = f"localhost/{images.variant(OPERATOR, architecture).name}"
        buildah("commit", "--quiet", "--rm", container, name)


def buildah(*words: str) -> str:
    return subprocess.run(["buildah", *words], check=True, capture_output=True, text=True).stdout


def make(registry: str, directory: Path) -> Release:
    digests = images.write_archives(directory, silent)
    release = Release(
        version="0.1.0", registry=registry, repository="https://git.example/team", digests=digests
    )
    chart.package(release, directory)
    return release


def publish(registry: str, directory: Path) -> Result:
    words = ["publish", str(directory), "--registry", registry, "--plain-http"]
    return CliRunner().invoke(main, words)


def platforms(registry: ImageRegistry, digest: str) -> set[str]:
    reference = f"docker://{registry.host}/team/weather-operator@{digest}"
    raw = subprocess.run(
        ["skopeo", "inspect", "--raw", "--tls-verify=false", reference],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return {each["platform"]["architecture"] for each in json.loads(raw)["manifests"]}


def test_what_is_published_is_what_the_chart_names(tmp_path: Path) -> None:
    with running_registry() as registry:
        release = make(f"{registry.host}/team", tmp_path)
        published = publish(release.registry, tmp_path)
        assert published.exit_code == 0, published.output
        image, packaged = published.stdout.split()
        assert image == release.reference(OPERATOR.name)
        assert registry.has("team/weather-operator", image.rpartition("@")[2])
        assert platforms(registry, image.rpartition("@")[2]) == {"amd64", "arm64"}
        assert registry.has("team/charts/weather-operator", packaged.rpartition("@")[2])


def test_a_chart_that_names_other_images_is_not_published(tmp_path: Path) -> None:
    with running_registry() as registry:
        make("elsewhere.example/team", tmp_path)
        refused = publish(f"{registry.host}/team", tmp_path)
    assert isinstance(refused.exception, ClusterError)
    assert "make release anew with this REGISTRY" in str(refused.exception)
