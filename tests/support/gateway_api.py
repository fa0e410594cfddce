"""The definitions of the Gateway API, from its pinned Go module."""

import json
from pathlib import Path

from weather_cluster import settings, toolchain
from weather_cluster.host import run
from weather_cluster.progress import silent

MODULE = "sigs.k8s.io/gateway-api"
KINDS = ("gateways", "httproutes")


def definitions() -> list[Path]:
    """The files with the two kinds that the operator knows; Go fetches them the first time."""
    places = settings.from_environment()
    told = run(
        toolchain.find(places, silent),
        *("mod", "download", "-json", MODULE),
        directory=places.modules / "gateway-api",
        environment=toolchain.environment(),
    )
    directory = Path(json.loads(told)["Dir"]) / "config/crd/standard"
    return [directory / f"gateway.networking.k8s.io_{kind}.yaml" for kind in KINDS]
