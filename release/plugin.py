"""The plugin as wheels, as one file that any Python runs, and as krew installs it.

The one file has no compiled parts, which all of its dependencies can do without, so that it is the
same for every system, processor and Python from 3.11 on.
"""

import hashlib
import io
import re
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import yaml
from weather_cluster.errors import ClusterError
from weather_cluster.host import run

from release.about import Release

PROGRAM = "kubectl-weather"
PACKED = (
    "aiohttp",
    "aiohappyeyeballs",
    "aiosignal",
    "attrs",
    "click",
    "frozenlist",
    "idna",
    "markdown-it-py",
    "mdurl",
    "multidict",
    "propcache",
    "pygments",
    "pyyaml",
    "rich",
    "typing-extensions",
    "tzdata",
    "yarl",
)
"""What the plugin imports: the operator's pure parts need nothing of the rest that it requires."""


def write_all(release: Release, python: Path, directory: Path) -> list[Path]:
    """Write wheels, the one file, krew's archive and its manifest; return their paths.

    `python` is that of the environment with the build's tools.
    """
    wheels = _wheels(python, directory)
    program = directory / f"{PROGRAM}.pyz"
    _pack(python, wheels, program)
    archive = directory / f"{PROGRAM}-{release.version}.tar.gz"
    _archive(program, archive)
    manifest = directory / "weather.krew.yaml"
    manifest.write_text(yaml.safe_dump(krew_manifest(release, archive), sort_keys=False))
    return [*wheels, program, archive, manifest]


def krew_manifest(release: Release, archive: Path) -> dict[str, Any]:
    """Return what krew's index says of the plugin."""
    unix = {"key": "os", "operator": "In", "values": ["darwin", "linux"]}
    return {
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": "weather"},
        "spec": {
            "version": f"v{release.version}",
            "homepage": release.repository,
            "shortDescription": "Trees, reasons and plans of WeatherApps",
            "description": (
                "Shows what a WeatherApp consists of, why it waits and which command helps;\n"
                "plans, watches and rolls back rollouts, in the terminal and as a page.\n"
            ),
            "caveats": "It needs Python 3.11 or newer on the PATH as python3.\n",
            "platforms": [
                {
                    "selector": {"matchExpressions": [unix]},
                    "uri": f"{release.downloads}/{archive.name}",
                    "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
                    "bin": PROGRAM,
                    "files": [{"from": PROGRAM, "to": "."}, {"from": "LICENSE", "to": "."}],
                }
            ],
        },
    }


def _wheels(python: Path, directory: Path) -> list[Path]:
    uv = python.with_name("uv")
    with tempfile.TemporaryDirectory() as folder:
        for part in ("operator", "plugin"):
            run(
                *(uv, "build", "--quiet", "--wheel", "--no-build-isolation"),
                *(f"--python={python}", f"--out-dir={folder}", part),
            )
        return [made.rename(directory / made.name) for made in sorted(Path(folder).glob("*.whl"))]


def _pack(python: Path, wheels: list[Path], program: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        site, pins = Path(folder, "site"), Path(folder, "pins.txt")
        pins.write_text(pinned(Path("requirements/dev.txt").read_text()))
        install = (python.with_name("uv"), "pip", "install", "--quiet", "--no-deps")
        place = (f"--target={site}", f"--python={python}")
        run(*install, "--require-hashes", *place, "-r", pins)
        run(*install, *place, *wheels)
        for compiled in (*site.rglob("*.so"), *site.rglob("*.pyd")):
            compiled.unlink()
        run(
            *(python.with_name("shiv"), f"--site-packages={site}", "--compressed"),
            *("--reproducible", "--no-modify", f"--console-script={PROGRAM}"),
            *("--python=/usr/bin/env python3", f"--output-file={program}"),
        )


def pinned(requirements: str) -> str:
    """Return those pins, with their hashes, of a requirements file that are packed."""
    found = re.finditer(r"^([a-z0-9-]+)==(?:.*\\\n)+.*\n", requirements, re.MULTILINE)
    pins = {match.group(1): match.group(0) for match in found}
    if missing := set(PACKED) - set(pins):
        raise ClusterError(f"requirements/dev.txt does not pin {', '.join(sorted(missing))}")
    return "".join(pins[name] for name in PACKED)


def _archive(program: Path, archive: Path) -> None:
    with tarfile.open(archive, "w:gz") as tar:
        for name, file, mode in ((PROGRAM, program, 0o755), ("LICENSE", Path("LICENSE"), 0o644)):
            content = file.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
