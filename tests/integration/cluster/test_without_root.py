import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from weather_cluster import binaries, bootstrap, clusters, kwok, processes, settings
from weather_cluster.progress import silent

NOBODY = 65534
UNREADABLE = 77


@pytest.fixture
def home() -> Iterator[Path]:
    """A home for somebody without rights, whose cache holds the programs."""
    files = binaries.ensure(bootstrap.CONTROL_PLANE, settings.from_environment(), silent)
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder, ".cache/weather-operator/binaries")
        cache.mkdir(parents=True)
        for file in files.values():
            shutil.copy(file, cache)
        for path in (Path(folder), *Path(folder).rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        yield Path(folder)


@pytest.mark.skipif(bool(os.geteuid()), reason="without root every test here shows it")
def test_a_control_plane_needs_no_root(home: Path) -> None:
    child = os.fork()
    if not child:
        os._exit(live_without_root(home))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == UNREADABLE:
        pytest.skip("this checkout is readable for root alone")
    assert code == 0


def live_without_root(home: Path) -> int:
    # Loaded now: the interpreter's own files may be out of reach in a moment.
    "localhost".encode("idna")
    try:
        os.chdir("/")
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        os.environ["HOME"] = str(home)
        for variable in ("XDG_STATE_HOME", "XDG_CACHE_HOME"):
            os.environ.pop(variable, None)
        if not os.access(kwok.STAGES, os.R_OK):
            return UNREADABLE
        cluster = clusters.up("rootless", control_plane_only=True)
        whole = all(processes.components(cluster.directory).values())
        clusters.down("rootless")
        return 0 if whole and not cluster.directory.exists() else 1
    except BaseException as error:
        print(error)
        return 1
