"""kubelet: what makes a node's pods run."""

import json
from typing import Any

from weather_cluster import machine, processes
from weather_cluster.api import Api
from weather_cluster.machine import Machine

BINARIES = ("kubelet",)
DNS_ADDRESS = "10.96.0.10"
ZONES = "abcd"


def start(host: Machine) -> None:
    """Start the kubelet, which makes its node; each node is a zone of its own."""
    node = host.node
    host.authority.kubeconfig(
        host.files / "kubelet.kubeconfig",
        host.server,
        f"system:node:{node.name}",
        group="system:nodes",
    )
    (host.files / "kubelet.json").write_text(json.dumps(_configuration(host), indent=2))
    processes.start(
        host.directory,
        host.component("kubelet"),
        [
            "kubelet",
            "--config=/run/node/kubelet.json",
            "--kubeconfig=/run/node/kubelet.kubeconfig",
            "--root-dir=/run/node/kubelet",
            f"--hostname-override={node.name}",
            f"--node-ip={node.address}",
            f"--node-labels=topology.kubernetes.io/zone=zone-{ZONES[node.index - 1]}",
        ],
        enter=machine.enter(host.directory, node),
    )


def wait_until_ready(host: Machine, api: Api) -> None:
    """Return when pods can run on the node."""
    path = f"/api/v1/nodes/{host.node.name}"
    processes.wait_until(
        lambda: api.is_true(path, "Ready"), host.directory, host.component("kubelet"), seconds=60
    )


def _configuration(host: Machine) -> dict[str, Any]:
    authority, node = host.authority, host.node
    certificate, key = authority.issue(f"kubelet-{node.index}", node.name, node.address)
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "podLogsDir": "/run/node/pods",
        "volumePluginDir": "/run/node/volume-plugins",
        "resolvConf": "/run/node/resolv.conf",
        "tlsCertFile": str(certificate),
        "tlsPrivateKeyFile": str(key),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(authority.certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "cgroupDriver": "cgroupfs",
        # Kubelets under one root remove each other's pods as orphans.
        "cgroupRoot": f"/{node.key}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        # The disk is the user's: images stay, and a full disk evicts nobody.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi"},
        # Else a loaded image would be pulled anew once its like came from a registry.
        "imagePullCredentialsVerificationPolicy": "NeverVerify",
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "kubeAPIQPS": 100,
        "kubeAPIBurst": 200,
    }
