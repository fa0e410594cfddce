"""What a cluster with nodes needs besides Kubernetes: DNS, pod metrics and an image registry.

All three run on this machine or in the first node's network, not in pods; Services without
selectors make CoreDNS and metrics-server known to the cluster.
"""

import base64
import json
import re
import socket
from pathlib import Path
from typing import Any

from weather_cluster import processes
from weather_cluster.api import Api
from weather_cluster.control_plane import DNS_ADDRESS
from weather_cluster.errors import ClusterError
from weather_cluster.host import is_listening
from weather_cluster.network import Network, Node
from weather_cluster.pki import Authority

BINARIES = ("coredns", "registry")
METRICS_SERVER = "metrics-server"
DNS_PORT = 1053
METRICS_PORT = 4443
REGISTRY_PORT = 5000
METRICS_API_SERVICE = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"
KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
ENDPOINT_SLICES = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"


def start_coredns(directory: Path, network: Network, authority: Authority, api: Api) -> None:
    """Start CoreDNS on this machine; names outside the cluster go to the machine's own resolver."""
    authority.kubeconfig(directory / "coredns.kubeconfig", api.server, "coredns")
    (directory / "Corefile").write_text(_corefile(directory, network.host, authority.cluster))
    processes.start(directory, "coredns", ["coredns", f"-conf={directory / 'Corefile'}"])
    ports = [
        {"name": "dns", "protocol": "UDP", "port": 53, "targetPort": DNS_PORT},
        {"name": "dns-tcp", "protocol": "TCP", "port": 53, "targetPort": DNS_PORT},
    ]
    _apply_service(api, "kube-dns", network.host, ports, clusterIP=DNS_ADDRESS)


def wait_for_coredns(directory: Path, network: Network) -> None:
    """Return when CoreDNS accepts connections."""
    processes.wait_until(
        lambda: is_listening(network.host, DNS_PORT), directory, "coredns", seconds=90
    )


def start_metrics_server(directory: Path, node: Node, authority: Authority, api: Api) -> None:
    """Start metrics-server in this node's network and register it with the API server."""
    kubeconfig = directory / "metrics-server.kubeconfig"
    authority.kubeconfig(kubeconfig, api.server, "metrics-server")
    certificate, key = authority.issue("metrics", "metrics-server.kube-system.svc")
    ports = [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": METRICS_PORT}]
    _apply_service(api, METRICS_SERVER, node.address, ports)
    api.apply(METRICS_API_SERVICE, _metrics_api_service(authority))
    # Last, so that where it runs all of this was done.
    processes.start(
        directory,
        METRICS_SERVER,
        [
            METRICS_SERVER,
            f"--secure-port={METRICS_PORT}",
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--kubelet-certificate-authority={authority.certificate}",
            "--kubelet-preferred-address-types=InternalIP",
            "--metric-resolution=10s",
            "--kubelet-request-timeout=5s",
        ],
        enter=node.enter,
    )


def wait_for_metrics(directory: Path, api: Api) -> None:
    """Return when the API server reaches metrics-server."""
    processes.wait_until(
        lambda: api.is_true(METRICS_API_SERVICE, "Available"),
        directory,
        METRICS_SERVER,
        seconds=180,
    )


def start_registry(directory: Path, host: str) -> None:
    """Start the image registry that the nodes pull from, over plain HTTP.

    Raises ClusterError when the port is taken.
    """
    require_registry_port(host)
    configuration = directory / "registry.json"
    configuration.write_text(
        json.dumps(
            {
                "version": 0.1,
                "log": {"level": "warn"},
                "storage": {
                    "filesystem": {"rootdirectory": str(directory / "registry")},
                    "delete": {"enabled": True},
                },
                "http": {"addr": f"{host}:{REGISTRY_PORT}", "secret": "shared by nobody"},
            }
        )
    )
    processes.start(
        directory,
        "registry",
        ["registry", "serve", configuration],
        environment={"OTEL_TRACES_EXPORTER": "none"},
    )


def require_registry_port(host: str) -> None:
    """Return if the registry can listen on its port.

    Raises ClusterError when another program does.
    """
    with socket.socket() as probe:
        # As servers do: connections of a server that has ended do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, REGISTRY_PORT))
        except OSError:
            raise ClusterError(
                f"the cluster's image registry needs port {REGISTRY_PORT} of {host}, which another "
                f"program has: see which with ss -ltnp 'sport = :{REGISTRY_PORT}' and stop it"
            ) from None


def wait_for_registry(directory: Path, host: str) -> None:
    """Return when the registry accepts connections."""
    processes.wait_until(
        lambda: is_listening(host, REGISTRY_PORT), directory, "registry", seconds=60
    )


def _apply_service(
    api: Api, name: str, address: str, ports: list[dict[str, Any]], **spec: str
) -> None:
    """Apply a Service, and the EndpointSlice that leads it to a process outside of any pod."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"ports": ports, **spec},
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name,
            "namespace": "kube-system",
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [
            {"name": port["name"], "protocol": port["protocol"], "port": port["targetPort"]}
            for port in ports
        ],
    }
    api.apply(f"{KUBE_SYSTEM}/services/{name}", service)
    api.apply(f"{ENDPOINT_SLICES}/{name}", endpoints)


def _metrics_api_service(authority: Authority) -> dict[str, Any]:
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "service": {"name": "metrics-server", "namespace": "kube-system"},
            "caBundle": base64.b64encode(authority.certificate.read_bytes()).decode(),
        },
    }


def _corefile(directory: Path, host: str, context: str) -> str:
    resolver = Path("/etc/resolv.conf")
    has_servers = re.search("^nameserver", resolver.read_text(), re.MULTILINE)
    return f"""\
.:{DNS_PORT} {{
  bind {host}
  errors
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {directory / "coredns.kubeconfig"} {context}
    ttl 5
  }}
  {f"forward . {resolver}" if has_servers else ""}
  cache 5
}}
"""
