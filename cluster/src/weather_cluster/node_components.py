"""What runs on each node: containerd, kubelet and kube-proxy.

containerd is started first, because it creates the mount namespace that the others enter.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from weather_cluster import node_host, pause, processes
from weather_cluster.api import Api
from weather_cluster.control_plane import DNS_ADDRESS
from weather_cluster.host import run, succeeds
from weather_cluster.network import Node
from weather_cluster.node_host import NodeHost

BINARIES = (
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "runc",
    "bridge",
    "host-local",
    "loopback",
    "portmap",
    "kubelet",
    "kube-proxy",
)
ZONES = "abcd"


def start_containerd(host: NodeHost) -> None:
    """Start containerd, and with it the node's mount namespace and control group."""
    node_host.create_cgroup(host.node)
    hosts = host.files / "certs.d" / host.registry / "hosts.toml"
    networks = host.files / "cni/10-weather.conflist"
    for file in (hosts, networks):
        file.parent.mkdir(parents=True)
    hosts.write_text(_registry_hosts(host.registry))
    networks.write_text(json.dumps(_cni_configuration(host.node), indent=2))
    (host.files / "containerd.toml").write_text(_containerd_configuration(host.directory / "bin"))
    shutil.copy("/etc/resolv.conf", host.files / "resolv.conf")
    processes.start(
        host.directory,
        host.component("containerd"),
        ["containerd", "--config=/run/node/containerd.toml"],
        enter=host.create_and_enter,
    )


def wait_for_containerd(host: NodeHost) -> None:
    """Return when containerd answers."""

    def answers() -> bool:
        command = node_host.enter(host.directory, host.node)
        return succeeds(*command, host.directory / "bin/ctr", "version")

    processes.wait_until(answers, host.directory, host.component("containerd"), seconds=90)


def load_images(directory: Path, node: Node, archive: Path) -> None:
    """Import the images of a docker-archive, so that the node's pods can use them by name."""
    ctr = directory / "bin/ctr"
    enter = node_host.enter(directory, node)
    run(*enter, ctr, "--namespace=k8s.io", "images", "import", archive)


def start_kubelet(host: NodeHost) -> None:
    """Start the kubelet, which registers its node; each node is a zone of its own."""
    node = host.node
    host.authority.kubeconfig(
        host.files / "kubelet.kubeconfig",
        host.server,
        f"system:node:{node.name}",
        group="system:nodes",
    )
    (host.files / "kubelet.json").write_text(json.dumps(_kubelet_configuration(host), indent=2))
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
        enter=node_host.enter(host.directory, node),
    )


def wait_for_node(host: NodeHost, api: Api) -> None:
    """Return when pods can run on the node."""
    path = f"/api/v1/nodes/{host.node.name}"
    processes.wait_until(
        lambda: api.is_true(path, "Ready"), host.directory, host.component("kubelet"), seconds=180
    )


def start_kube_proxy(host: NodeHost) -> None:
    """Start kube-proxy, which makes Services answer on the node."""
    host.authority.kubeconfig(
        host.files / "kube-proxy.kubeconfig", host.server, "system:kube-proxy", group=None
    )
    configuration = _kube_proxy_configuration(host.node)
    (host.files / "kube-proxy.json").write_text(json.dumps(configuration, indent=2))
    processes.start(
        host.directory,
        host.component("kube-proxy"),
        ["kube-proxy", "--config=/run/node/kube-proxy.json"],
        enter=node_host.enter(host.directory, host.node),
    )


def _registry_hosts(address: str) -> str:
    return f"""\
server = "http://{address}"
[host."http://{address}"]
capabilities = ["pull", "resolve"]
"""


def _containerd_configuration(programs: Path) -> str:
    return f"""\
version = 3
root = "/run/node/containerd"
[plugins."io.containerd.internal.v1.opt"]
  path = "/run/node/opt"
[plugins."io.containerd.cri.v1.images"]
  max_concurrent_downloads = 6
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "{pause.IMAGE}"
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "/run/node/certs.d"
[plugins."io.containerd.cri.v1.runtime"]
  # Where root lacks CAP_SYS_RESOURCE a sandbox cannot lower its score.
  restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = ["{programs}"]
  conf_dir = "/run/node/cni"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  runtime_path = "{programs}/containerd-shim-runc-v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
  BinaryName = "{programs}/runc"
"""


def _cni_configuration(node: Node) -> dict[str, Any]:
    return {
        "cniVersion": "1.0.0",
        "name": "weather",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "pods",
                "isGateway": True,
                "ipMasq": True,
                "ipMasqBackend": "nftables",
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": node.pod_subnet}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": "/run/node/addresses",
                },
            },
            {"type": "portmap", "backend": "nftables", "capabilities": {"portMappings": True}},
        ],
    }


def _kubelet_configuration(host: NodeHost) -> dict[str, Any]:
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


def _kube_proxy_configuration(node: Node) -> dict[str, Any]:
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
