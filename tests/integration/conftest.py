from collections.abc import Iterator
from pathlib import Path

import pytest
from support.clusters import control_plane
from support.kubectl import Shell, own_namespace
from support.operator import Operator, Site, install
from weather_cluster.clusters import Cluster

__all__ = ["control_plane"]


@pytest.fixture(scope="session")
def shell(control_plane: Cluster) -> Shell:
    """A user's shell on a control plane that has the kinds and the catalogue."""
    shell = Shell.of(control_plane)
    install(shell)
    return shell


@pytest.fixture(scope="session")
def _operator(
    control_plane: Cluster, shell: Shell, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    log = tmp_path_factory.mktemp("operator") / "log"
    log.touch()
    operator = Operator(kubeconfig=Path(control_plane.kubeconfig), log=log)
    yield operator
    operator.stop()
    assert not [line for line in operator.lines() if "exc_info" in line], "a traceback was logged"


@pytest.fixture
def operator(_operator: Operator) -> Operator:
    """The operator, leading; a test may stop or kill it."""
    _operator.ensure_leading()
    return _operator


@pytest.fixture
def namespace(shell: Shell) -> Iterator[str]:
    """A namespace of the test's own."""
    with own_namespace(shell, "operator") as name:
        yield name


@pytest.fixture
def site(operator: Operator, shell: Shell, namespace: str) -> Site:
    """A WeatherApp called london that is yet to be applied."""
    return Site(shell=shell, namespace=namespace)


@pytest.fixture
def another(control_plane: Cluster, shell: Shell, tmp_path: Path) -> Iterator[Operator]:
    """A second operator, of an identity and a Lease of its own unless a test says otherwise."""
    name = f"another-{tmp_path.name}".lower().replace("_", "-")[:60]
    environment = {"POD_NAME": "another", "LEASE_NAME": name}
    log = tmp_path / "log"
    log.touch()
    operator = Operator(kubeconfig=control_plane.kubeconfig, log=log, environment=environment)
    yield operator
    operator.stop()
