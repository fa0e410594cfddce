import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from weather_cluster import binaries
from weather_cluster.binaries import BINARIES
from weather_cluster.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for module in {binary.module for binary in BINARIES.values()}:
        folder = tmp_path / "modules" / module
        folder.mkdir(parents=True)
        (folder / "go.mod").write_text("go 1.26.0\n")
        (folder / "go.sum").write_text("as pinned\n")
    return Settings(
        clusters=tmp_path / "clusters", cache=tmp_path / "cache", modules=tmp_path / "modules"
    )


@pytest.mark.parametrize("file", ["go.mod", "go.sum"])
def test_other_pins_are_another_binary(settings: Settings, file: str) -> None:
    before = {name: binaries.path_of(binary, settings) for name, binary in BINARIES.items()}
    (settings.modules / "runtime" / file).write_text("go 1.26.0\nanother pin\n")
    after = {name: binaries.path_of(binary, settings) for name, binary in BINARIES.items()}
    changed = {name for name in BINARIES if before[name] != after[name]}
    assert changed == {name for name, binary in BINARIES.items() if binary.module == "runtime"}


def test_other_flags_are_another_binary(settings: Settings) -> None:
    runc = BINARIES["runc"]
    variants = [runc, replace(runc, tags=""), replace(runc, cgo=False), replace(runc, ldflags="-X")]
    assert len({binaries.path_of(variant, settings) for variant in variants}) == len(variants)


def test_every_binary_has_a_file_of_its_own(settings: Settings) -> None:
    places = {binaries.path_of(binary, settings) for binary in BINARIES.values()}
    assert len(places) == len(BINARIES)


def test_every_module_with_a_binary_is_pinned() -> None:
    modules = Path(__file__).parents[3] / "cluster/modules"
    for binary in BINARIES.values():
        tools = (modules / binary.module / "go.mod").read_text()
        assert binary.package in tools
        assert (modules / binary.module / "go.sum").stat().st_size


def test_a_failed_making_leaves_neither_file_nor_rest(tmp_path: Path) -> None:
    def fail() -> None:
        with binaries.locked_output(tmp_path / "etcd") as (unfinished, _):
            unfinished.write_text("half")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["etcd.lock"]


def test_a_making_waits_for_the_child_of_a_killed_one(tmp_path: Path) -> None:
    """A killed command's compiler may still write: nobody else may touch the file until it ends."""
    script = f"""
import os, subprocess
from pathlib import Path
from weather_cluster import binaries
with binaries.locked_output(Path({str(tmp_path / "etcd")!r})) as (unfinished, lock):
    child = subprocess.Popen(["cat"], pass_fds=(lock,))
    print(child.pid, flush=True)
    os._exit(1)
"""
    read, write = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=read, stdout=subprocess.PIPE, text=True
    ) as parent:
        os.close(read)
        assert parent.stdout
        assert int(parent.stdout.readline())
        parent.wait()
        waiter = subprocess.Popen(["flock", "--timeout", "0.2", tmp_path / "etcd.lock", "true"])
        assert waiter.wait() == 1
        os.close(write)
        assert (
            subprocess.run(["flock", "--timeout", "5", tmp_path / "etcd.lock", "true"]).returncode
            == 0
        )
