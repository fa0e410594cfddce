"""Images from this machine's store to the nodes of a cluster, without a registry."""

import tempfile
from pathlib import Path

from weather_cluster import containerd, network
from weather_cluster.errors import ClusterError
from weather_cluster.programs import run, succeeds
from weather_cluster.sizes import Cluster


def load(cluster: Cluster, image: str) -> None:
    """Make a local image usable under its very name by pods on every node.

    It comes from buildah's store, or from Docker's where an engine answers. Raises ClusterError
    when neither has it.
    """
    if not cluster.nodes:
        raise ClusterError(f"cluster {cluster.name} has no real nodes: its pods need no image")
    with tempfile.TemporaryDirectory(dir=cluster.directory) as folder:
        archive = Path(folder, "image.tar")
        _save(image, archive)
        for each in network.nodes_of(cluster.number, cluster.nodes):
            containerd.load(cluster.directory, each, archive)


def _save(image: str, archive: Path) -> None:
    if succeeds("buildah", "inspect", "--type=image", image):
        run("buildah", "push", "--quiet", image, f"docker-archive:{archive}:{image}")
    elif succeeds("docker", "image", "inspect", image):
        run("docker", "save", f"--output={archive}", image)
    else:
        raise ClusterError(f"no image {image} on this machine: see buildah images, or build it")
