"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler, as plain processes.

They run on this machine's loopback, or in the first node's network when the cluster has nodes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from weather_cluster import api, processes
from weather_cluster.api import Api
from weather_cluster.binaries import DEFAULT_KUBERNETES
from weather_cluster.pki import Authority

BINARIES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
SERVICE_ADDRESSES = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
DNS_ADDRESS = "10.96.0.10"
API_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
LOOPBACK = "127.0.0.1"
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}

_EARLY = {
    "1.32": (
        "--feature-gates=MutatingAdmissionPolicy=true",
        "--runtime-config=admissionregistration.k8s.io/v1alpha1=true",
    )
}
"""What an older API server does not do of itself yet: policies rewrite objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """Where a control plane runs; `enter` is the command prefix that enters its network."""

    directory: Path
    authority: Authority
    address: str
    port: int
    etcd_port: int
    peer_port: int
    enter: Sequence[str] = ()
    kubernetes: str = DEFAULT_KUBERNETES

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return f"https://{self.address}:{self.port}"

    @property
    def audit_log(self) -> Path:
        """One JSON line for each request to the API server, at Metadata level."""
        return self.directory / "audit.log"


def start(plane: ControlPlane) -> Api:
    """Start all four components and return a client; the API server is ready then."""
    _write_kubeconfigs(plane)
    connection = api.connect(plane.server, plane.authority)
    _start(plane, "etcd", _etcd(plane))
    _start(plane, "kube-apiserver", _api_server(plane))
    _wait(plane, "kube-apiserver", lambda: connection.answers("/readyz"))
    _start(plane, "kube-controller-manager", _controller_manager(plane))
    _start(plane, "kube-scheduler", _scheduler(plane))
    return connection


def wait_for_service_account(plane: ControlPlane, connection: Api) -> None:
    """Return when pods can be created in the default namespace: they need its service account."""
    path = "/api/v1/namespaces/default/serviceaccounts/default"
    _wait(plane, "kube-controller-manager", lambda: connection.answers(path))


def _start(plane: ControlPlane, component: str, command: Sequence[str | Path]) -> None:
    processes.start(plane.directory, component, command, enter=plane.enter)


def _wait(plane: ControlPlane, component: str, ready: processes.Condition) -> None:
    processes.wait_until(ready, plane.directory, component, seconds=120)


def _write_kubeconfigs(plane: ControlPlane) -> None:
    plane.authority.kubeconfig(plane.directory / "kubeconfig", plane.server, "admin")
    for component in ("kube-controller-manager", "kube-scheduler"):
        path = plane.directory / f"{component}.kubeconfig"
        plane.authority.kubeconfig(path, plane.server, f"system:{component}", group=None)


def _etcd(plane: ControlPlane) -> list[str | Path]:
    client, peer = (f"http://127.0.0.1:{port}" for port in (plane.etcd_port, plane.peer_port))
    return [
        "etcd",
        "--unsafe-no-fsync",
        "--socket-reuse-port",
        f"--data-dir={plane.directory / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
    ]


def _api_server(plane: ControlPlane) -> list[str | Path]:
    authority, directory = plane.authority, plane.directory
    serving = authority.issue("kube-apiserver", plane.address, API_SERVICE_ADDRESS, *API_NAMES)
    proxy = authority.issue("front-proxy", user="front-proxy-client")
    kubelets = authority.issue("kubelet-client", user="kube-apiserver", group="system:masters")
    _, tokens = authority.issue("service-accounts")
    policy = directory / "audit-policy.json"
    policy.write_text(json.dumps(AUDIT_POLICY))
    return [
        "kube-apiserver",
        f"--etcd-servers=http://127.0.0.1:{plane.etcd_port}",
        f"--bind-address={plane.address}",
        f"--advertise-address={plane.address}",
        # The endpoint of the Service "kubernetes" may not be a loopback address.
        f"--endpoint-reconciler-type={'none' if plane.address == LOOPBACK else 'lease'}",
        f"--secure-port={plane.port}",
        "--permit-port-sharing",
        f"--tls-cert-file={serving[0]}",
        f"--tls-private-key-file={serving[1]}",
        f"--client-ca-file={authority.certificate}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={tokens}",
        f"--service-account-signing-key-file={tokens}",
        f"--service-cluster-ip-range={SERVICE_ADDRESSES}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-client-certificate={kubelets[0]}",
        f"--kubelet-client-key={kubelets[1]}",
        "--enable-aggregator-routing=true",
        f"--requestheader-client-ca-file={authority.certificate}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={proxy[0]}",
        f"--proxy-client-key-file={proxy[1]}",
        f"--audit-policy-file={policy}",
        f"--audit-log-path={plane.audit_log}",
        # One file whatever its size: readers go on from an offset.
        "--audit-log-maxsize=1000000",
        *_EARLY.get(plane.kubernetes, ()),
    ]


def _controller_manager(plane: ControlPlane) -> list[str | Path]:
    return [
        "kube-controller-manager",
        f"--kubeconfig={plane.directory / 'kube-controller-manager.kubeconfig'}",
        "--leader-elect=false",
        "--secure-port=0",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={plane.authority.directory / 'service-accounts.key'}",
        f"--root-ca-file={plane.authority.certificate}",
        f"--cluster-signing-cert-file={plane.authority.certificate}",
        f"--cluster-signing-key-file={plane.authority.key}",
        "--horizontal-pod-autoscaler-sync-period=5s",
        "--kube-api-qps=300",
        "--kube-api-burst=600",
    ]


def _scheduler(plane: ControlPlane) -> list[str | Path]:
    return [
        "kube-scheduler",
        f"--kubeconfig={plane.directory / 'kube-scheduler.kubeconfig'}",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=300",
        "--kube-api-burst=600",
    ]
