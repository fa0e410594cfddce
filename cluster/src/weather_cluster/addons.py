"""What a cluster with nodes offers its pods: names of Services, and metrics for the autoscaler."""

import base64
import re
import socket
from pathlib import Path
from typing import Any

from weather_cluster import processes
from weather_cluster.api import Api
from weather_cluster.kubelet import DNS_ADDRESS
from weather_cluster.network import Network
from weather_cluster.pki import Authority

BINARIES = ("coredns", "metrics-server")
DNS_PORT = 1053
METRICS_PORT = 4443
METRICS_API = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"
SYSTEM = "/api/v1/namespaces/kube-system"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"


def start_coredns(directory: Path, network: Network, authority: Authority, api: Api) -> None:
    """Start CoreDNS on this machine, whose own resolver then answers for all other names."""
    authority.kubeconfig(directory / "coredns.kubeconfig", api.server, "coredns")
    (directory / "Corefile").write_text(_corefile(directory, network.host))
    processes.start(directory, "coredns", ["coredns", f"-conf={directory / 'Corefile'}"])
    ports = [
        {"name": "dns", "protocol": "UDP", "port": 53, "targetPort": DNS_PORT},
        {"name": "dns-tcp", "protocol": "TCP", "port": 53, "targetPort": DNS_PORT},
    ]
    _serve(api, "kube-dns", network.host, ports, clusterIP=DNS_ADDRESS)


def wait_for_coredns(directory: Path, network: Network) -> None:
    """Return when CoreDNS answers."""

    def answers() -> bool:
        with socket.socket() as client:
            return client.connect_ex((network.host, DNS_PORT)) == 0

    processes.wait_until(answers, directory, "coredns", seconds=30)


def start_metrics_server(directory: Path, network: Network, authority: Authority, api: Api) -> None:
    """Start metrics-server in the first node's network and make it a part of the API."""
    kubeconfig = directory / "metrics-server.kubeconfig"
    authority.kubeconfig(kubeconfig, api.server, "metrics-server")
    certificate, key = authority.issue("metrics", "metrics-server.kube-system.svc")
    processes.start(
        directory,
        "metrics-server",
        [
            "metrics-server",
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
        enter=network.nodes[0].enter,
    )
    ports = [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": METRICS_PORT}]
    _serve(api, "metrics-server", network.nodes[0].address, ports)
    api.apply(METRICS_API, _metrics_api(authority))


def wait_for_metrics(directory: Path, api: Api) -> None:
    """Return when the API server reaches metrics-server."""
    processes.wait_until(
        lambda: api.is_true(METRICS_API, "Available"), directory, "metrics-server", seconds=60
    )


def _serve(api: Api, name: str, address: str, ports: list[dict[str, Any]], **spec: str) -> None:
    """Make a Service of a process that is no pod."""
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
    api.apply(f"{SYSTEM}/services/{name}", service)
    api.apply(f"{SLICES}/{name}", endpoints)


def _metrics_api(authority: Authority) -> dict[str, Any]:
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


def _corefile(directory: Path, host: str) -> str:
    resolver = Path("/etc/resolv.conf")
    has_servers = re.search("^nameserver", resolver.read_text(), re.MULTILINE)
    return f"""\
.:{DNS_PORT} {{
  bind {host}
  errors
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {directory / "coredns.kubeconfig"} weather
    ttl 5
  }}
  {f"forward . {resolver}" if has_servers else ""}
  cache 5
}}
"""
