"""Go in a version that every module accepts, and the environment that it builds in."""

import hashlib
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from weather_cluster.errors import ClusterError
from weather_cluster.host import run
from weather_cluster.progress import Report
from weather_cluster.settings import Settings

Version = tuple[int, ...]

# A compiler's garbage is collected less often: a quarter less work, for a tenth more memory.
_GOGC = "400"


def find(settings: Settings, report: Report) -> Path:
    """Return the machine's own Go if every module accepts it, else one installed in the cache."""
    required = max(_required_version(file) for file in settings.modules.glob("*/go.mod"))
    found = shutil.which("go")
    if found and version(Path(found)) >= required:
        return Path(found)
    return _installed(settings, report)


def environment(*, cgo: bool = False) -> dict[str, str]:
    """Return variables with which Go builds the same everywhere and fetches no other Go."""
    fixed = {"CGO_ENABLED": str(int(cgo)), "GOFLAGS": "", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    return {"GOGC": _GOGC, **os.environ, **fixed}


def version(go: Path) -> Version:
    """Return what `go version` says, as numbers; empty when it says none."""
    found = re.search(r"go(\d+(?:\.\d+)*)", run(go, "version", environment=environment()))
    return _parsed(found[1]) if found else ()


def _required_version(go_mod: Path) -> Version:
    found = re.search(r"^go (\S+)$", go_mod.read_text(), re.MULTILINE)
    return _parsed(found[1]) if found else ()


def _parsed(text: str) -> Version:
    return tuple(int(number) for number in text.split("."))


def _installed(settings: Settings, report: Report) -> Path:
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
