"""Which version is released, and under which addresses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from weather_cluster.errors import ClusterError

CHART = Path("charts/weather-operator")
DESCRIPTION = "Runs versioned weather sites from one resource, the WeatherApp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A version of everything, published below a registry's prefix and a repository's address.

    `digests` are those of the images by local name, for example weather:1.0.0.
    """

    version: str
    registry: str
    repository: str
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def downloads(self) -> str:
        """Where a Git host serves the release's files."""
        return f"{self.repository}/releases/download/v{self.version}"

    @property
    def sources(self) -> str:
        """Where a Git host shows the release's sources."""
        return f"{self.repository}/blob/v{self.version}"

    def reference(self, image: str) -> str:
        """Return what pods are given to pull this image: its digest, which means it for ever."""
        return f"{self.registry}/{image.partition(':')[0]}@{self.digests[image]}"


def chart_version() -> str:
    """Return the version in Chart.yaml, which is that of all that is released."""
    return str(_about()["version"])


def oldest_kubernetes() -> str:
    """Return the oldest Kubernetes that the chart allows, as 1.2.3."""
    return str(_about()["kubeVersion"]).removeprefix(">=").partition("-")[0]


def _about() -> dict[str, Any]:
    if not CHART.exists():
        raise ClusterError("there is no chart here: run this in the root of the repository")
    about: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text())
    return about
