"""Clusters of other tools in which the demo runs: kind, k3d, or the one that kubectl has.

Their nodes get the images without a registry, from Docker or buildah; the current cluster pulls
them from one that the user names. The page is reached by a port of this machine that kind and k3d
map to a node's, since nodes of theirs have addresses that only Linux reaches.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from weather_cluster import images
from weather_cluster.errors import ClusterError
from weather_cluster.host import run, succeeds
from weather_cluster.progress import Report

NAME = "weather"
NODE_PORT = 30080
"""The port of examples/london.yaml's Service on every node."""

KIND = {
    "kind": "Cluster",
    "apiVersion": "kind.x-k8s.io/v1alpha4",
    "nodes": [
        {
            "role": "control-plane",
            "extraPortMappings": [
                {
                    "containerPort": NODE_PORT,
                    "hostPort": NODE_PORT,
                    "listenAddress": "127.0.0.1",
                }
            ],
        }
    ],
}


class Provider(Protocol):
    """Makes a cluster, brings the images to it, and says how it is reached."""

    def create(self) -> None:
        """Return with a cluster that runs: the one there is, or a new one."""

    def load(self, report: Report) -> str:
        """Bring the built images to the cluster; return the prefix that pods give them."""

    def kubeconfig(self) -> str:
        """Return the text of a kubeconfig for this cluster; empty for the one kubectl has."""

    def page(self, url: str) -> str:
        """Return where this machine reaches the page whose status says this URL."""

    def delete(self) -> None:
        """Take the cluster away, if it is one that `create` made."""


class Kind:
    """A cluster of kind's, in Docker or Podman."""

    def create(self) -> None:
        """Create it with the page's port mapped to this machine."""
        _require("kind")
        if NAME not in run("kind", "get", "clusters").split():
            words = ("create", "cluster", f"--name={NAME}", "--wait=2m", "--config=-")
            run("kind", *words, text=json.dumps(KIND))

    def load(self, report: Report) -> str:
        """Load archives, which kind takes of any container program."""
        for archive in _archives(report):
            run("kind", "load", "image-archive", archive, f"--name={NAME}")
        return ""

    def kubeconfig(self) -> str:
        """Return kind's own."""
        return run("kind", "get", "kubeconfig", f"--name={NAME}")

    def page(self, url: str) -> str:
        """Return the mapped port."""
        return f"http://127.0.0.1:{NODE_PORT}"

    def delete(self) -> None:
        """Delete it."""
        _require("kind")
        run("kind", "delete", "cluster", f"--name={NAME}")


class K3d:
    """A cluster of k3d's, in Docker."""

    def create(self) -> None:
        """Create it with the page's port mapped to this machine."""
        _require("k3d")
        listed = json.loads(run("k3d", "cluster", "list", "--output=json"))
        if NAME not in {each["name"] for each in listed}:
            port = f"127.0.0.1:{NODE_PORT}:{NODE_PORT}@server:0"
            run("k3d", "cluster", "create", NAME, f"--port={port}", "--wait", "--timeout=2m")

    def load(self, report: Report) -> str:
        """Import archives, which k3d takes of any container program."""
        for archive in _archives(report):
            run("k3d", "image", "import", archive, f"--cluster={NAME}")
        return ""

    def kubeconfig(self) -> str:
        """Return k3d's own."""
        return run("k3d", "kubeconfig", "get", NAME)

    def page(self, url: str) -> str:
        """Return the mapped port."""
        return f"http://127.0.0.1:{NODE_PORT}"

    def delete(self) -> None:
        """Delete it."""
        _require("k3d")
        run("k3d", "cluster", "delete", NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The cluster of kubectl's current context, which pulls from a registry of the user's."""

    registry: str

    def create(self) -> None:
        """Return when it answers."""
        if not self.registry:
            raise ClusterError(
                "a cluster that is there pulls its images: say from where, "
                "make demo CLUSTER=current REGISTRY=registry.example/team"
            )
        _require("kubectl")
        run("kubectl", "get", "--raw=/readyz", "--request-timeout=10s")

    def load(self, report: Report) -> str:
        """Push to the registry."""
        list(images.push_all(self.registry, report))
        return self.registry.rstrip("/")

    def kubeconfig(self) -> str:
        """Return nothing: it stays kubectl's."""
        return ""

    def page(self, url: str) -> str:
        """Return what the status says."""
        return url

    def delete(self) -> None:
        """Take the demo out of it; the cluster is not ours."""
        run("kubectl", "delete", "weatherapp/london", "--ignore-not-found")
        run("helm", "uninstall", "weather-operator", "--namespace=weather-system", "--wait")


PROVIDERS: dict[str, Callable[[str], Provider]] = {
    "kind": lambda registry: Kind(),
    "k3d": lambda registry: K3d(),
    "current": lambda registry: Current(registry=registry),
}
"""By name; each is given the user's registry, which only the current cluster needs."""


def install(prefix: str) -> None:
    """Install the operator with Helm where kubectl points at; images loaded have no registry."""
    _require("helm")
    run(
        *("helm", "upgrade", "--install", "weather-operator", "charts/weather-operator"),
        *("--namespace=weather-system", "--create-namespace", "--wait", "--timeout=3m"),
        f"--set=registry={prefix}",
        *(() if prefix else ("--set=refreshSeconds=0",)),
    )


def _archives(report: Report) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        for image in images.IMAGES:
            archive = Path(folder, f"{image.name.replace(':', '-')}.tar")
            with report(f"load {image.name}"):
                images.save(image.name, archive)
                yield archive
            archive.unlink()


def _require(program: str) -> None:
    if not succeeds(program, *(("version", "--client") if program == "kubectl" else ("version",))):
        raise ClusterError(
            f"{program} is not installed, or does not run: install it, "
            "or leave CLUSTER out for a cluster of our own on Linux"
        )
