"""An operator of its own on a control plane of its own: what is done to both suits no neighbour."""

from collections.abc import Iterator

import pytest
from support.clusters import running_cluster
from support.faults import Proxy
from support.kubectl import Shell, own_namespace
from support.operator import Operator, install
from weather_cluster.clusters import Cluster


@pytest.fixture(scope="session")
def plane() -> Iterator[Cluster]:
    """A control plane that tests may harm."""
    with running_cluster("robust", control_plane_only=True) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def shell(plane: Cluster) -> Shell:
    """A user's shell on it, with the kinds and the catalogue."""
    shell = Shell.of(plane)
    install(shell)
    return shell


@pytest.fixture(scope="session")
def _proxy(plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    kubeconfig = tmp_path_factory.mktemp("proxy") / "kubeconfig"
    with Proxy(plane.kubeconfig).running(kubeconfig) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def _operator(
    shell: Shell, _proxy: Proxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    operator = Operator(
        kubeconfig=_proxy.kubeconfig,
        log=tmp_path_factory.mktemp("operator") / "log",
        environment={"WORKERS": "60"},
    )
    yield operator
    operator.stop()
    assert not [line for line in operator.lines() if "exc_info" in line], "a traceback was logged"


@pytest.fixture
def proxy(_proxy: Proxy) -> Iterator[Proxy]:
    """The way from the operator to the API server, harmless at first."""
    _proxy.clear()
    yield _proxy
    _proxy.clear()


@pytest.fixture
def operator(_operator: Operator, proxy: Proxy) -> Operator:
    """The operator, leading, behind the proxy."""
    _operator.ensure_leading()
    return _operator


@pytest.fixture
def namespace(shell: Shell) -> Iterator[str]:
    """A namespace of the test's own."""
    with own_namespace(shell, "robust") as name:
        yield name
