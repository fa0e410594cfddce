import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from support.deadlines import eventually
from weather_cluster import binaries, go_build, toolchain
from weather_cluster.binaries import BINARIES, MODULE, Binary, ensure
from weather_cluster.progress import Report, Update, silent
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


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "coredns/main.go"])
def test_other_pins_or_sources_are_another_binary(settings: Settings, file: str) -> None:
    ours = [binary for binary in BINARIES.values() if binary.module == MODULE]
    before = {binaries.path_of(binary, settings) for binary in ours}
    changed = settings.modules / MODULE / file
    changed.parent.mkdir(exist_ok=True)
    changed.write_text("go 1.26.0\n// another\n")
    assert not before & {binaries.path_of(binary, settings) for binary in ours}


def test_other_flags_are_another_binary(settings: Settings) -> None:
    runc = BINARIES["runc"]
    variants = [runc, replace(runc, tags=""), replace(runc, cgo=False)]
    assert len({binaries.path_of(variant, settings) for variant in variants}) == len(variants)


def test_every_binary_has_a_file_of_its_own(settings: Settings) -> None:
    places = {binaries.path_of(binary, settings) for binary in BINARIES.values()}
    assert len(places) == len(BINARIES)


def test_every_program_is_pinned_or_has_its_main_here() -> None:
    modules = Path(__file__).parents[3] / "cluster/modules"
    for binary in BINARIES.values():
        module = modules / binary.module
        ours = binary.package.removeprefix(f"weather-operator.local/{binary.module}/")
        pins = (module / "go.mod").read_text()
        is_pinned = re.search(rf"^(\t|tool ){binary.package}$", pins, re.MULTILINE)
        assert is_pinned or (module / ours / "main.go").exists()
        assert (module / "go.sum").stat().st_size


def test_programs_of_one_build_do_not_overwrite_one_another() -> None:
    names = [go_build.program_name(binary.package) for binary in BINARIES.values()]
    assert len(set(names)) == len(names)


def test_what_a_c_compiler_has_a_part_in_is_built_while_the_others_are_fetched(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(2, timeout=5)
    built: list[str] = []

    def build(some: Sequence[Binary], *_: object) -> None:
        for binary in some:
            if binary.cgo:
                together.wait()
            built.append(binary.name)
            binaries.path_of(binary, settings).touch()

    monkeypatch.setattr(binaries, "_build", build)
    monkeypatch.setattr(go_build, "fetch", lambda *_: together.wait())
    monkeypatch.setattr(binaries, "require_programs", lambda *_: None)
    monkeypatch.setattr(toolchain, "find", lambda *_: Path("go"))
    monkeypatch.setattr(binaries, "require_disk_space", lambda *_: None)
    assert all(each.exists() for each in ensure(["runc", "etcd"], settings, silent).values())
    assert built == ["runc", "etcd"], "what both need is compiled once"


def test_a_failed_making_leaves_neither_file_nor_rest(tmp_path: Path) -> None:
    def fail() -> None:
        with binaries.locked_output(tmp_path / "etcd") as unfinished:
            unfinished.write_text("half")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["etcd.lock"]


def test_a_build_waits_for_the_child_of_a_killed_one(tmp_path: Path) -> None:
    """A killed command's compiler may still write: nobody else may touch the file until it ends."""
    script = f"""
import os, subprocess
from pathlib import Path
from weather_cluster import binaries, go_build
with binaries.locked(Path({str(tmp_path / "build.lock")!r})) as lock:
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
        waiter = subprocess.Popen(["flock", "--timeout", "0.2", tmp_path / "build.lock", "true"])
        assert waiter.wait() == 1
        os.close(write)
        assert (
            subprocess.run(["flock", "--timeout", "5", tmp_path / "build.lock", "true"]).returncode
            == 0
        )


def test_who_waits_for_another_build_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    file = tmp_path / "build.lock"

    @contextmanager
    def report(step: str) -> Iterator[Update]:
        said.append(step)
        yield lambda words, share: None

    with binaries.locked(file, report):
        assert said == []
        waiter = threading.Thread(target=hold, args=(file, report))
        waiter.start()
        assert eventually(lambda: said, every=0.01) == ["wait for another command that builds"]
    waiter.join()


def hold(file: Path, report: Report) -> None:
    with binaries.locked(file, report):
        pass
