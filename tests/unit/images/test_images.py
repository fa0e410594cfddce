import dataclasses
import os
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.kubectl import ROOT
from weather_cluster.__main__ import main
from weather_cluster.images import COLOURS, IMAGES, Image


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the least that an image is built from; nothing else of this machine."""
    for part in ("operator", "webapp"):
        (tmp_path / part / "src").mkdir(parents=True)
        (tmp_path / part / "src/code.py").write_text("one")
        (tmp_path / part / "pyproject.toml").write_text("")
        (tmp_path / f"Dockerfile.{part}").write_text("FROM scratch")
        (tmp_path / "requirements").mkdir(exist_ok=True)
        (tmp_path / f"requirements/{part}.txt").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def image() -> Image:
    return next(image for image in IMAGES if image.name == "weather:2.0.0")


def test_there_are_the_operator_and_three_colours(image: Image) -> None:
    assert [image.name for image in IMAGES] == [
        "weather-operator:0.1.0",
        "weather:1.0.0",
        "weather:2.0.0",
        "weather:3.0.0",
    ]
    assert COLOURS == {"1.0.0": "yellow", "2.0.0": "green", "3.0.0": "red"}
    assert image.arguments == {"APP_VERSION": "2.0.0", "APP_COLOUR": "green"}


@pytest.mark.parametrize(
    "file", ["webapp/src/code.py", "webapp/pyproject.toml", "Dockerfile.webapp"]
)
def test_what_goes_in_decides_whether_it_is_built(
    repository: Path, image: Image, file: str
) -> None:
    before = image.inputs("base")
    assert image.inputs("base") == before
    (repository / file).write_text("two")
    assert image.inputs("base") != before


def test_what_does_not_go_in_does_not(repository: Path, image: Image) -> None:
    before = image.inputs("base")
    (repository / "operator/src/code.py").write_text("two")
    (repository / "webapp/README.md").write_text("two")
    (repository / "webapp/src/__pycache__").mkdir()
    (repository / "webapp/src/__pycache__/code.pyc.unfinished").write_text("two")
    os.utime(repository / "webapp/src/code.py", (0, 0))
    assert image.inputs("base") == before


def test_base_and_colour_go_in(repository: Path, image: Image) -> None:
    assert image.inputs("base") != image.inputs("other base")
    other = dataclasses.replace(image, arguments={**image.arguments, "APP_COLOUR": "red"})
    assert image.inputs("base") != other.inputs("base")


@pytest.mark.parametrize("part", ["operator", "webapp"])
def test_any_docker_builds_it_and_knows_whether_it_is_healthy(part: str) -> None:
    text = (ROOT / f"Dockerfile.{part}").read_text()
    assert "--mount" not in text, "only BuildKit knows that"
    assert "--platform=$" not in text, "only BuildKit sets that"
    assert re.search(r"^HEALTHCHECK .*/healthz", text, re.M)
    assert 'org.opencontainers.image.licenses="Apache-2.0"' in text


def git(*words: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    done = subprocess.run(["git", *identity, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_the_page_is_told_the_commit_of_its_own_sources(repository: Path, image: Image) -> None:
    assert image.from_commit() == image
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "one")
    first = git("rev-parse", "HEAD")
    assert image.from_commit().arguments["APP_COMMIT"] == first
    (repository / "operator/src/code.py").write_text("two")
    git("commit", "--quiet", "-a", "-m", "two")
    assert image.from_commit().arguments["APP_COMMIT"] == first
    (repository / "webapp/src/code.py").write_text("two")
    assert image.from_commit().arguments["APP_COMMIT"] == f"{first}+"
    operator = next(image for image in IMAGES if image.part == "operator")
    assert operator.from_commit() == operator


def test_elsewhere_it_says_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["images"])
    assert result.exit_code == 1
    assert "run this in the root of the repository" in result.output


def test_without_buildah_the_package_is_named(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(main, ["images"])
    assert result.exit_code == 1
    assert "apt-get install buildah" in result.output
