"""Versions in a real registry are pushed once and never changed by accident."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.registry import ImageRegistry, running_registry
from weather_cluster import images
from weather_cluster.__main__ import main
from weather_cluster.images import INPUTS_LABEL, Image

IMAGE = Image(name="weather-push-test:1.0.0", part="webapp")


@pytest.fixture
def registry() -> Iterator[ImageRegistry]:
    with running_registry() as registry:
        yield registry


@pytest.fixture(autouse=True)
def local(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One small image in a store of its own, in place of the project's in this machine's."""
    if os.geteuid():
        pytest.skip("buildah works here as root")
    places = {"driver": "vfs", "graphroot": str(tmp_path / "images"), "runroot": str(tmp_path)}
    lines = [f"{name} = {json.dumps(value)}" for name, value in places.items()]
    (tmp_path / "storage.conf").write_text("\n".join(["[storage]", *lines]))
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(tmp_path / "storage.conf"))
    monkeypatch.setattr(images, "IMAGES", (IMAGE,))
    make("one")


def buildah(*words: str) -> str:
    return subprocess.run(["buildah", *words], check=True, capture_output=True, text=True).stdout


def make(content: str) -> None:
    container = buildah("from", "scratch").strip()
    buildah("config", f"--label={INPUTS_LABEL}={content}", container)
    buildah("commit", "--quiet", "--rm", container, f"localhost/{IMAGE.name}")


def push(registry: ImageRegistry, *options: str) -> Result:
    return CliRunner().invoke(main, ["push", *options, f"{registry.host}/team"])


def test_what_is_there_already_is_not_pushed_again(registry: ImageRegistry) -> None:
    first, second = push(registry), push(registry)
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert f"{registry.host}/team/{IMAGE.name}@sha256:" in first.stdout
    assert first.stdout == second.stdout
    assert "is there already" not in first.stderr
    assert "is there already" in second.stderr


def test_a_version_stays_the_image_that_it_is_unless_it_is_replaced(
    registry: ImageRegistry,
) -> None:
    first = push(registry)
    make("two")
    refused = push(registry)
    assert refused.exit_code == 1
    assert "is another image there already, sha256:" in refused.stderr
    assert "raise the version" in refused.stderr
    replaced = push(registry, "--replace")
    assert replaced.exit_code == 0
    assert replaced.stdout != first.stdout
    for each in (first, replaced):
        assert registry.has("team/weather-push-test", each.stdout.strip().partition("@")[2])


def test_a_registry_that_does_not_answer_is_one_sentence(registry: ImageRegistry) -> None:
    registry.stop()
    refused = push(registry)
    assert refused.exit_code == 1
    assert "Traceback" not in refused.output
    assert registry.host in refused.stderr
