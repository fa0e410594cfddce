"""How a cluster comes up, in its two sizes: a control plane alone, or one with nodes.

A control plane alone takes free ports of the loopback and lets kwok simulate nodes and pods. With
nodes there is a network first, then the registry and each node's containerd, the control plane in
the first node's network, and at last what waits for an API server: kubelet, kube-proxy and DNS.
Metrics of pods and a gateway can be added at any time.
"""

from dataclasses import dataclass
from pathlib import Path

from weather_cluster import (
    addons,
    api,
    control_plane,
    gateway,
    kwok,
    network,
    node_components,
    pause,
    pki,
    settings,
)
from weather_cluster.api import Api
from weather_cluster.binaries import DEFAULT_KUBERNETES
from weather_cluster.control_plane import ControlPlane
from weather_cluster.host import reserved_ports
from weather_cluster.network import Network, Node
from weather_cluster.node_host import NodeHost
from weather_cluster.pki import Authority
from weather_cluster.progress import Report

CONTROL_PLANE = (*control_plane.BINARIES, *kwok.BINARIES)
WITH_NODES = (*control_plane.BINARIES, *node_components.BINARIES, *addons.BINARIES, "helm")
METRICS = (addons.METRICS_SERVER,)
GATEWAY = (gateway.TRAEFIK,)
API_PORT = 6443


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster that came up.

    `bin` holds kubectl and every other program of the cluster, `host` is this machine's address
    as pods see it, `registry` the "host:port" that nodes pull from ("" where no pod really runs),
    `number` that of the cluster's subnet (0 where it has none), `kubernetes` its minor version.
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
    kubernetes: str = DEFAULT_KUBERNETES


def start(name: str, directory: Path, nodes: int, kubernetes: str, report: Report) -> Cluster:
    """Start a new cluster in this directory, which holds its programs; 0 nodes: no pod runs."""
    if not nodes:
        return _start_control_plane(name, directory, kubernetes, report)
    return _start_with_nodes(name, directory, nodes, report)


def add_metrics(cluster: Cluster, report: Report) -> None:
    """Start metrics-server in a cluster with nodes, which then answers `kubectl top`."""
    node, authority, connection = _first_node(cluster)
    with report("start metrics-server"):
        addons.start_metrics_server(cluster.directory, node, authority, connection)
        addons.wait_for_metrics(cluster.directory, connection)


def add_gateway(cluster: Cluster, report: Report) -> None:
    """Start Traefik in a cluster with nodes, and bring it the Gateway API."""
    node, authority, connection = _first_node(cluster)
    with report("fetch the definitions of the Gateway API"):
        definitions = gateway.definitions(settings.from_environment(), report=report)
    with report("start Traefik"):
        gateway.define(definitions, cluster.directory, connection)
        gateway.start_traefik(cluster.directory, node, authority, connection.server)


def _first_node(cluster: Cluster) -> tuple[Node, Authority, Api]:
    node = network.nodes_of(cluster.number, cluster.nodes)[0]
    authority = pki.load(cluster.name, cluster.directory / "pki")
    return node, authority, api.connect(f"https://{node.address}:{API_PORT}", authority)


def _start_control_plane(name: str, directory: Path, kubernetes: str, report: Report) -> Cluster:
    with reserved_ports(3) as (port, etcd_port, peer_port):
        plane = ControlPlane(
            directory=directory,
            authority=pki.create(name, directory / "pki"),
            address=control_plane.LOOPBACK,
            port=port,
            etcd_port=etcd_port,
            peer_port=peer_port,
            kubernetes=kubernetes,
        )
        with report("start the control plane"):
            connection = control_plane.start(plane)
    with report("start kwok"):
        kwok.start(directory, connection)
        kwok.wait_for_nodes(directory, connection)
        control_plane.wait_for_service_account(plane, connection)
    return _cluster(name, plane)


def _start_with_nodes(name: str, directory: Path, nodes: int, report: Report) -> Cluster:
    pause_image = pause.ensure(settings.from_environment(), report)
    net = network.create(directory, nodes)
    plane = ControlPlane(
        directory=directory,
        authority=pki.create(name, directory / "pki"),
        address=net.nodes[0].address,
        port=API_PORT,
        etcd_port=2379,
        peer_port=2380,
        enter=net.nodes[0].enter,
    )
    hosts = [
        NodeHost(
            node=node,
            directory=directory,
            authority=plane.authority,
            server=plane.server,
            registry=_registry(net),
        )
        for node in net.nodes
    ]
    addons.start_registry(directory, net.host)
    for host in hosts:
        node_components.start_containerd(host)
    with report("start the control plane"):
        connection = control_plane.start(plane)
    with report("start the nodes"):
        _start_nodes(hosts, pause_image)
        addons.start_coredns(directory, net, plane.authority, connection)
        for host in hosts:
            node_components.wait_for_node(host, connection)
        control_plane.wait_for_service_account(plane, connection)
    with report("wait for registry and DNS"):
        addons.wait_for_registry(directory, net.host)
        addons.wait_for_coredns(directory, net)
    return _cluster(name, plane, net)


def _start_nodes(hosts: list[NodeHost], pause_image: Path) -> None:
    for host in hosts:
        node_components.wait_for_containerd(host)
        node_components.load_images(host.directory, host.node, pause_image)
        node_components.start_kubelet(host)
        node_components.start_kube_proxy(host)


def _cluster(name: str, plane: ControlPlane, net: Network | None = None) -> Cluster:
    return Cluster(
        name=name,
        directory=plane.directory,
        kubeconfig=plane.directory / "kubeconfig",
        bin=plane.directory / "bin",
        host=net.host if net else plane.address,
        registry=_registry(net) if net else "",
        audit_log=plane.audit_log,
        number=net.number if net else 0,
        nodes=len(net.nodes) if net else 0,
        kubernetes=plane.kubernetes,
    )


def _registry(net: Network) -> str:
    return f"{net.host}:{addons.REGISTRY_PORT}"
