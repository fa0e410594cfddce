from collections.abc import Iterator

import pytest
from support.clusters import node_cluster
from support.kubectl import Shell, own_namespace, restricted
from weather_cluster.clusters import Cluster

__all__ = ["node_cluster"]


@pytest.fixture(scope="session")
def shell(node_cluster: Cluster) -> Shell:
    return Shell.of(node_cluster)


@pytest.fixture(scope="session")
def installed(shell: Shell, node_cluster: Cluster) -> Shell:
    """The operator in a cluster, put there by the commands of the README."""
    registry = f"REGISTRY={node_cluster.registry}"
    restricted(shell, "weather-system")
    flags = f"HELM_FLAGS=--set insecureRegistries={{{node_cluster.registry}}}"
    for target in ("images", "push", "install"):
        made = shell.run("make", target, registry, flags)
        assert made.returncode == 0, made.stdout + made.stderr
    return shell


@pytest.fixture
def namespace(installed: Shell) -> Iterator[str]:
    """A namespace of the test's own, under the restricted Pod Security standard."""
    with own_namespace(installed, "e2e", is_restricted=True) as name:
        yield name
