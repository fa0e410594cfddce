"""kube-proxy: what makes Services answer on a node."""

import json
from typing import Any

from weather_cluster import machine, processes
from weather_cluster.machine import Machine
from weather_cluster.network import Node

BINARIES = ("kube-proxy",)


def start(host: Machine) -> None:
    """Start kube-proxy."""
    host.authority.kubeconfig(
        host.files / "kube-proxy.kubeconfig", host.server, "system:kube-proxy", group=None
    )
    (host.files / "kube-proxy.json").write_text(json.dumps(_configuration(host.node), indent=2))
    processes.start(
        host.directory,
        host.component("kube-proxy"),
        ["kube-proxy", "--config=/run/node/kube-proxy.json"],
        enter=machine.enter(host.directory, host.node),
    )


def _configuration(node: Node) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": "/run/node/kube-proxy.kubeconfig"},
        "hostnameOverride": node.name,
        "mode": "nftables",
        # Rules follow the pods' readiness at once; the default gathers changes for a second.
        "nftables": {"minSyncPeriod": "50ms"},
        "detectLocalMode": "BridgeInterface",
        "detectLocal": {"bridgeInterface": "pods"},
        # Limits of the whole machine, not this namespace's to set.
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
