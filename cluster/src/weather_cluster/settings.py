"""Where this package keeps its files; only here is the environment read."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Directories: one per cluster below `clusters`, built programs in `cache`, Go pins."""

    clusters: Path
    cache: Path
    modules: Path


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the directories below XDG_STATE_HOME and XDG_CACHE_HOME, or their defaults in HOME."""
    home = Path(environ.get("HOME") or Path.home())
    state = Path(environ.get("XDG_STATE_HOME") or home / ".local/state")
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    return Settings(
        clusters=state / "weather-operator/clusters",
        cache=cache / "weather-operator",
        modules=Path(__file__).parents[2] / "modules",
    )


def login_files(environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Return where programs of containers keep logins at registries, the first to be asked first.

    They are REGISTRY_AUTH_FILE or the files of buildah and podman, then Docker's.
    """
    runtime = Path(environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    others = (runtime / "containers/auth.json", Path("/run/containers/0/auth.json"))
    named = environ.get("REGISTRY_AUTH_FILE")
    docker = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or "/", ".docker"))
    return (*((Path(named),) if named else others), docker / "config.json")
