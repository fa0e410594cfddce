"""Clusters for tests: one of each size per run, with a name of its own, gone afterwards."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from weather_cluster import binaries, clusters
from weather_cluster.clusters import Cluster


def unique_name(purpose: str) -> str:
    """A cluster name that no other test run uses."""
    return f"test-{purpose}-{os.getpid()}"


def start_up(name: str, *options: str) -> "subprocess.Popen[bytes]":
    """`weather-cluster up` in a process that a test may kill or interrupt."""
    # What runs in the background of a shell would ignore an interrupt.
    python = ("env", "--default-signal=INT", sys.executable)
    command = [*python, "-m", "weather_cluster", "up", "--name", name, *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def running_cluster(
    purpose: str,
    *,
    nodes: int = 1,
    control_plane_only: bool = False,
    kubernetes: str = binaries.DEFAULT_KUBERNETES,
) -> Iterator[Cluster]:
    """A cluster that is taken down whatever happens inside."""
    name = unique_name(purpose)
    cluster = clusters.up(
        name, nodes=nodes, control_plane_only=control_plane_only, kubernetes=kubernetes
    )
    try:
        yield cluster
    finally:
        clusters.down(name)


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A control plane with three kwok nodes; the whole run shares it, so use own namespaces."""
    kubernetes = request.config.getoption("kubernetes")
    with running_cluster(
        "control-plane", control_plane_only=True, kubernetes=kubernetes
    ) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def node_cluster() -> Iterator[Cluster]:
    """A cluster with one real node; the whole run shares it, so use own namespaces."""
    if os.geteuid():
        pytest.skip("a cluster with real nodes needs root")
    with running_cluster("node") as cluster:
        yield cluster
