import hashlib
from pathlib import Path

import pytest
from weather_cluster import toolchain
from weather_cluster.progress import silent
from weather_cluster.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for module, version in (("kubernetes", "1.26.0"), ("runtime", "1.26.6")):
        (tmp_path / "cluster/modules" / module).mkdir(parents=True)
        (tmp_path / "cluster/modules" / module / "go.mod").write_text(f"module m\n\ngo {version}\n")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/go.txt").write_text("pinned")
    return Settings(
        clusters=tmp_path / "clusters",
        cache=tmp_path / "cache",
        modules=tmp_path / "cluster/modules",
    )


def install_go(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    go = folder / "go"
    go.write_text(f"#!/bin/sh\necho go version go{version} linux/amd64\n")
    go.chmod(0o755)
    return go


def own_go(settings: Settings) -> Path:
    key = hashlib.sha256(b"pinned").hexdigest()[:12]
    return install_go(settings.cache / f"go-{key}/go/bin", "1.27.3")


@pytest.mark.parametrize("version", ["1.26.6", "1.26.10", "1.27", "2.0"])
def test_a_go_that_every_module_accepts_is_used(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    go = install_go(tmp_path / "bin", version)
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    assert toolchain.find(settings, silent) == go


@pytest.mark.parametrize("version", ["1.19.8", "1.26.5", "1.9"])
def test_an_older_go_is_passed_over(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    own, old = own_go(settings), install_go(tmp_path / "bin", version)
    monkeypatch.setenv("PATH", f"{old.parent}:/usr/bin:/bin")
    assert toolchain.find(settings, silent) == own


def test_without_any_go_there_is_one_of_our_own(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = own_go(settings)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert toolchain.find(settings, silent) == own


def test_a_compiler_collects_little_garbage_unless_its_user_says_how_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GOGC", raising=False)
    assert toolchain.environment()["GOGC"] == "400"
    monkeypatch.setenv("GOGC", "50")
    assert toolchain.environment()["GOGC"] == "50"
