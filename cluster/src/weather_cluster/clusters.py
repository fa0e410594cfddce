"""Clusters by name: bring one up, find it, take it down.

Everything of a cluster lies in its directory, `cluster.json` last of all: a directory without it
never came up. `up` and `down` hold a lock of the directory, so that several commands at once end as
one after the other would.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from weather_cluster import binaries, bootstrap, network, node_host, processes, settings
from weather_cluster.bootstrap import Cluster
from weather_cluster.errors import ClusterError
from weather_cluster.host import exclusive, require_disk_space, require_programs
from weather_cluster.progress import Report, silent

__all__ = ["DEFAULT_NAME", "Cluster", "ClusterError", "down", "find", "of_kubeconfig", "up"]

DEFAULT_NAME = "weather"
NEEDED_SPACE_GB = 1


def up(
    name: str = DEFAULT_NAME,
    *,
    nodes: int = 1,
    control_plane_only: bool = False,
    metrics: bool = True,
    gateway: bool = False,
    kubernetes: str = binaries.DEFAULT_KUBERNETES,
    report: Report = silent,
) -> Cluster:
    """Return a running cluster: the one there is, or a new one in place of a broken one.

    With nodes it has metrics of pods; without `metrics` a cluster that has none yet does for now,
    and a later call adds them. So does one with `gateway`, which needs nodes: the Gateway API and
    Traefik behind it.
    `kubernetes` is a minor version; nodes are of the default one alone.
    Raises ClusterError, with nothing left behind, when this machine cannot run it.
    """
    size = 0 if control_plane_only else nodes
    if size and kubernetes != binaries.DEFAULT_KUBERNETES:
        raise ClusterError(
            f"nodes are of Kubernetes {binaries.DEFAULT_KUBERNETES} only: "
            f"bring {kubernetes} up with --control-plane-only, where no pod really runs"
        )
    if gateway and not size:
        raise ClusterError(
            "a gateway leads to pods that really run: leave --control-plane-only out"
        )
    cluster = _running(name, size, kubernetes, report)
    if metrics and size:
        _add(cluster, bootstrap.METRICS, bootstrap.add_metrics, report)
    if gateway:
        _add(cluster, bootstrap.GATEWAY, bootstrap.add_gateway, report)
    return cluster


def _running(name: str, size: int, kubernetes: str, report: Report) -> Cluster:
    directory = _directory(name)
    if _is_complete(directory):
        return _as_asked(find(name), size, kubernetes)
    _check_machine(directory, with_nodes=bool(size))
    programs = bootstrap.WITH_NODES if size else bootstrap.CONTROL_PLANE
    files = binaries.ensure(programs, settings.from_environment(), report, kubernetes)
    with exclusive(str(directory)):
        if _is_complete(directory):
            return _as_asked(find(name), size, kubernetes)
        _clean(directory)
        try:
            for folder in (directory / "bin", directory / "log"):
                folder.mkdir(parents=True)
            _link(directory, files)
            cluster = bootstrap.start(name, directory, size, kubernetes, report)
            _save(cluster)
        except BaseException:
            _clean(directory)
            raise
    return cluster


def down(name: str = DEFAULT_NAME) -> None:
    """Remove everything of the cluster, even if it never came up.

    Raises ClusterError when there is no such cluster.
    """
    directory = _directory(name)
    with exclusive(str(directory)):
        if not _has_traces(directory):
            raise _not_found(name)
        _clean(directory)


def find(name: str = DEFAULT_NAME) -> Cluster:
    """Return the cluster of this name.

    Raises ClusterError when there is none, or it is of another version of this program.
    """
    directory = _directory(name)
    try:
        values = json.loads((directory / "cluster.json").read_text())
        paths = {key: Path(values[key]) for key in ("directory", "kubeconfig", "bin", "audit_log")}
        return Cluster(**values | paths)
    except FileNotFoundError:
        if directory.exists():
            raise ClusterError(
                f"cluster {name!r} is only half up: run weather-cluster up --name {name} again"
            ) from None
        raise _not_found(name) from None
    except (ValueError, KeyError, TypeError):
        raise ClusterError(
            f"cluster {name!r} is of another version of this program: "
            f"take it down with weather-cluster down --name {name}, then bring it up again"
        ) from None


def of_kubeconfig(kubeconfig: str) -> Cluster | None:
    """Return the cluster that this kubeconfig belongs to, None when it is not one of ours."""
    directory = Path(kubeconfig).parent
    ours = settings.from_environment().clusters
    return find(directory.name) if directory.parent == ours else None


def _directory(name: str) -> Path:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?", name):
        raise ClusterError(
            f"a cluster cannot be called {name!r}: use at most 40 small letters, digits and hyphens"
        )
    return settings.from_environment().clusters / name


def _not_found(name: str) -> ClusterError:
    return ClusterError(
        f"there is no cluster {name!r}: start it with weather-cluster up --name {name}"
    )


def _is_complete(directory: Path) -> bool:
    components = processes.components(directory)
    complete = (directory / "cluster.json").exists() and bool(components)
    return complete and all(components.values())


def _as_asked(cluster: Cluster, nodes: int, kubernetes: str) -> Cluster:
    if cluster.nodes != nodes:
        raise ClusterError(
            f"cluster {cluster.name!r} runs with {cluster.nodes} nodes, not {nodes}: "
            f"take it down first, or give the other one another --name"
        )
    if cluster.kubernetes != kubernetes:
        raise ClusterError(
            f"cluster {cluster.name!r} runs Kubernetes {cluster.kubernetes}, not {kubernetes}: "
            f"take it down first, or give the other one another --name"
        )
    return cluster


def _has_traces(directory: Path) -> bool:
    return (
        directory.exists() or any(network.allocated(directory)) or any(processes.running(directory))
    )


def _add(
    cluster: Cluster,
    programs: Sequence[str],
    start: Callable[[Cluster, Report], None],
    report: Report,
) -> None:
    """Start what the cluster can also do without, unless these programs run in it already."""

    def has_them() -> bool:
        return all(processes.components(cluster.directory).get(name) for name in programs)

    if has_them():
        return
    files = binaries.ensure(programs, settings.from_environment(), report)
    with exclusive(str(cluster.directory)):
        if not has_them():
            _link(cluster.directory, files)
            start(cluster, report)


def _link(directory: Path, files: dict[str, Path]) -> None:
    for name, file in files.items():
        (directory / "bin" / name).symlink_to(file)


def _check_machine(directory: Path, *, with_nodes: bool) -> None:
    if sys.platform != "linux":
        raise ClusterError(f"a cluster runs on Linux only, and this machine runs {sys.platform}")
    if with_nodes and os.geteuid():
        raise ClusterError(
            "nodes need root for their namespaces: run this as root (sudo), "
            "or use --control-plane-only, where no pod really runs"
        )
    programs = ("ip", "nft", "nsenter", "unshare", "mount") if with_nodes else ()
    require_programs("setsid", *programs)
    require_disk_space(directory.parent, NEEDED_SPACE_GB, "a cluster's data", "XDG_STATE_HOME")


def _save(cluster: Cluster) -> None:
    unfinished = cluster.directory / "cluster.json.unfinished"
    unfinished.write_text(json.dumps(asdict(cluster), default=str, indent=2))
    unfinished.rename(cluster.directory / "cluster.json")


def _clean(directory: Path) -> None:
    processes.kill_all(directory)
    for number in network.allocated(directory):
        node_host.remove_cgroups(number)
        network.remove(number)
    if directory.exists():
        shutil.rmtree(directory)
