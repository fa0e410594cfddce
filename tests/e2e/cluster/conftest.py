from collections.abc import Iterator

import pytest
from support import busybox as busybox_image
from support.kubectl import Shell
from weather_cluster import images
from weather_cluster.clusters import Cluster


@pytest.fixture(scope="session")
def busybox() -> Iterator[str]:
    """The name of a small image in this machine's store."""
    with busybox_image.image() as name:
        yield name


@pytest.fixture(scope="session")
def kubectl(node_cluster: Cluster, busybox: str) -> Shell:
    """A shell on the shared cluster, whose node has the small image."""
    images.load(node_cluster, busybox)
    return Shell.of(node_cluster)
