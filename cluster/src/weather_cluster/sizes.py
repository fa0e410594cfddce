"""The two sizes of cluster: a control plane alone, or one with nodes where pods really run."""

from dataclasses import dataclass
from pathlib import Path

from weather_cluster import (
    addons,
    containerd,
    controlplane,
    kube_proxy,
    kubelet,
    kwok,
    network,
    pause,
    pki,
    ports,
    registry,
    settings,
)
from weather_cluster.controlplane import ControlPlane
from weather_cluster.machine import Machine
from weather_cluster.network import Network
from weather_cluster.progress import Report

CONTROL_PLANE = (*controlplane.BINARIES, *kwok.BINARIES)
WITH_NODES = (
    *controlplane.BINARIES,
    *containerd.BINARIES,
    *kubelet.BINARIES,
    *kube_proxy.BINARIES,
    *registry.BINARIES,
    "helm",
    *addons.BINARIES,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster that came up.

    `bin` holds kubectl and every other program of the cluster, `host` is this machine's address
    as pods see it, `registry` the "host:port" that nodes pull from ("" where no pod really runs),
    `number` the cluster's own on this machine (0 where it needs none).
    """

    name: str
    directory: Path
    kubeconfig: Path
    bin: Path
    host: str
    registry: str
    audit_log: Path
    number: int
    nodes: int


def bring_up(name: str, directory: Path, nodes: int, report: Report) -> Cluster:
    """Give a new cluster in this directory, which holds its programs; 0 nodes: no pod runs."""
    if not nodes:
        return _bring_up_control_plane(name, directory, report)
    return _bring_up_nodes(name, directory, nodes, report)


def _bring_up_control_plane(name: str, directory: Path, report: Report) -> Cluster:
    with ports.reserved(3) as (port, etcd_port, peer_port):
        plane = ControlPlane(
            directory=directory,
            authority=pki.create(directory / "pki"),
            address=controlplane.LOOPBACK,
            port=port,
            etcd_port=etcd_port,
            peer_port=peer_port,
        )
        with report("start the control plane"):
            api = controlplane.start(plane)
    with report("start kwok"):
        kwok.start(directory, api)
        kwok.wait_for_nodes(directory, api)
        controlplane.wait_for_service_account(plane, api)
    return _cluster(name, plane)


def _bring_up_nodes(name: str, directory: Path, nodes: int, report: Report) -> Cluster:
    archive = pause.ensure(settings.from_environment(), report)
    net = network.create(directory, nodes)
    plane = ControlPlane(
        directory=directory,
        authority=pki.create(directory / "pki"),
        address=net.nodes[0].address,
        port=6443,
        etcd_port=2379,
        peer_port=2380,
        enter=net.nodes[0].enter,
    )
    machines = [
        Machine(
            node=each,
            directory=directory,
            authority=plane.authority,
            server=plane.server,
            registry=f"{net.host}:{registry.PORT}",
        )
        for each in net.nodes
    ]
    registry.start(directory, net.host)
    for machine in machines:
        containerd.start(machine)
    with report("start the control plane"):
        api = controlplane.start(plane)
    with report("start the nodes"):
        _start_nodes(machines, archive)
        addons.start_coredns(directory, net, plane.authority, api)
        addons.start_metrics_server(directory, net, plane.authority, api)
        for machine in machines:
            kubelet.wait_until_ready(machine, api)
        controlplane.wait_for_service_account(plane, api)
    with report("wait for registry, DNS and metrics"):
        registry.wait_until_ready(directory, net.host)
        addons.wait_for_coredns(directory, net)
        addons.wait_for_metrics(directory, api)
    return _cluster(name, plane, net)


def _start_nodes(machines: list[Machine], archive: Path) -> None:
    for machine in machines:
        containerd.wait_until_ready(machine)
        containerd.load(machine.directory, machine.node, archive)
        kubelet.start(machine)
        kube_proxy.start(machine)


def _cluster(name: str, plane: ControlPlane, net: Network | None = None) -> Cluster:
    return Cluster(
        name=name,
        directory=plane.directory,
        kubeconfig=plane.directory / "kubeconfig",
        bin=plane.directory / "bin",
        host=net.host if net else plane.address,
        registry=f"{net.host}:{registry.PORT}" if net else "",
        audit_log=plane.audit_log,
        number=net.number if net else 0,
        nodes=len(net.nodes) if net else 0,
    )
