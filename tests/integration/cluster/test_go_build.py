"""Go builds small programs, and what it says becomes progress."""

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from weather_cluster import go_build, settings, toolchain
from weather_cluster.binaries import BINARIES
from weather_cluster.errors import ClusterError
from weather_cluster.go_build import GoBuild
from weather_cluster.host import run
from weather_cluster.progress import Update, silent

PROGRAMS = ("example.local/sun", "example.local/rain")


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """Two programs that share a package which no cache has."""
    sources = {
        "go.mod": "module example.local\n\ngo 1.26.0\n",
        "go.sum": "",
        "sky/sky.go": f'package sky\n\nvar Colour = "{uuid.uuid4()}"\n',
        **{
            f"{name}/main.go": 'package main\n\nimport "example.local/sky"\n\n'
            f'func main() {{ println("{name}", sky.Colour) }}\n'
            for name in ("sun", "rain")
        },
    }
    for name, text in sources.items():
        file = tmp_path / "module" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "module"


class Said:
    """What a build reported: its steps, and how far each was at last."""

    def __init__(self) -> None:
        self.last: dict[str, tuple[str, float]] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[Update]:
        def update(words: str, share: float) -> None:
            self.last[step] = words, share

        yield update


def build(module: Path, output: Path, said: Said) -> None:
    what = GoBuild(
        title="weather",
        module=module,
        packages=PROGRAMS,
        flags=BINARIES["etcd"].flags,
        environment=toolchain.environment(),
    )
    go = toolchain.find(settings.from_environment(), silent)
    with (module / "lock").open("w") as lock:
        go_build.build(go, what, output, said, inherit=lock.fileno())


def test_programs_are_built_together_and_counted(module: Path, tmp_path: Path) -> None:
    said = Said()
    build(module, tmp_path / "output", said)
    for name in ("sun", "rain"):
        ran = subprocess.run([tmp_path / "output" / name], capture_output=True, text=True)
        assert ran.stderr.startswith(f"{name} ")
    words, share = said.last["build weather"]
    assert words == "2 of 2 programs linked"
    assert share == 1


def test_what_the_compiler_says_is_the_error_and_what_it_made_stays(
    module: Path, tmp_path: Path
) -> None:
    main = module / "sun/main.go"
    right = main.read_text()
    main.write_text(right.replace("sky.Colour", "sky.Color"))
    with pytest.raises(ClusterError, match=r"undefined: sky\.Color"):
        build(module, tmp_path / "first", Said())
    main.write_text(right)
    go = toolchain.find(settings.from_environment(), silent)
    stale = [*("list", "-deps", "-f={{if .Stale}}{{.ImportPath}}{{end}}"), *BINARIES["etcd"].flags]
    left = run(go, *stale, *PROGRAMS, directory=module, environment=toolchain.environment())
    assert sorted(left.split()) == sorted(PROGRAMS)
    build(module, tmp_path / "second", Said())
