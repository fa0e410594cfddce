"""A gateway for a cluster with nodes: the Gateway API, and Traefik, which divides by its weights.

Traefik runs in the first node's network, where it reaches the pods, and serves the listeners of
port 80 of every Gateway whose class is `CLASS`. It answers on the node's address.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from weather_cluster import processes, toolchain
from weather_cluster.api import Api
from weather_cluster.host import is_listening, run
from weather_cluster.network import Node
from weather_cluster.pki import Authority
from weather_cluster.progress import Report, silent
from weather_cluster.settings import Settings

TRAEFIK = "traefik"
CLASS = "traefik"
PORT = 80
KINDS = (
    "backendtlspolicies",
    "gatewayclasses",
    "gateways",
    "grpcroutes",
    "httproutes",
    "referencegrants",
)
"""What Traefik watches, and does not start without."""

_GROUP = "gateway.networking.k8s.io"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_GATEWAY_CLASS = {
    "apiVersion": f"{_GROUP}/v1",
    "kind": "GatewayClass",
    "metadata": {"name": CLASS},
    "spec": {"controllerName": "traefik.io/gateway-controller"},
}


def definitions(
    settings: Settings, kinds: tuple[str, ...] = KINDS, report: Report = silent
) -> list[Path]:
    """Return the files that define these kinds of the Gateway API; Go fetches them at first."""
    told = run(
        toolchain.find(settings, report),
        *("mod", "download", "-json", "sigs.k8s.io/gateway-api"),
        directory=settings.modules / "gateway-api",
        environment=toolchain.environment(),
    )
    directory = Path(json.loads(told)["Dir"]) / "config/crd/standard"
    return [directory / f"{_GROUP}_{kind}.yaml" for kind in kinds]


def define(files: list[Path], directory: Path, api: Api) -> None:
    """Bring the Gateway API into a cluster, and the class that Traefik answers for."""
    for file in files:
        manifest: dict[str, Any] = yaml.safe_load(file.read_text())
        api.apply(f"{_DEFINITIONS}/{manifest['metadata']['name']}", manifest)
    classes = f"/apis/{_GROUP}/v1/gatewayclasses"

    def is_served() -> bool:
        paths = [f"{_DEFINITIONS}/{kind}.{_GROUP}" for kind in KINDS]
        return api.answers(classes) and all(api.is_true(path, "Established") for path in paths)

    processes.wait_until(is_served, directory, "kube-apiserver", seconds=90)
    api.apply(f"{classes}/{CLASS}", _GATEWAY_CLASS)


def start_traefik(directory: Path, node: Node, authority: Authority, server: str) -> None:
    """Start Traefik in this node's network, and return once it accepts connections."""
    kubeconfig = directory / f"{TRAEFIK}.kubeconfig"
    authority.kubeconfig(kubeconfig, server, TRAEFIK)
    processes.start(
        directory,
        TRAEFIK,
        [
            TRAEFIK,
            f"--entryPoints.web.address={node.address}:{PORT}",
            "--providers.kubernetesGateway=true",
            f"--providers.kubernetesGateway.statusAddress.ip={node.address}",
            "--global.checkNewVersion=false",
            "--global.sendAnonymousUsage=false",
            "--log.level=WARN",
            "--log.noColor=true",
        ],
        enter=node.enter,
        environment={"KUBECONFIG": str(kubeconfig)},
    )
    processes.wait_until(lambda: is_listening(node.address, PORT), directory, TRAEFIK, seconds=90)
