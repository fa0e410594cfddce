"""Where things are kept on this machine."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The directories that the package works in."""

    clusters: Path
    cache: Path
    modules: Path


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Give the directories that the XDG variables, or their defaults below HOME, name."""
    home = Path(environ.get("HOME") or Path.home())
    state = Path(environ.get("XDG_STATE_HOME") or home / ".local/state")
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    return Settings(
        clusters=state / "weather-operator/clusters",
        cache=cache / "weather-operator",
        modules=Path(__file__).parents[2] / "modules",
    )
