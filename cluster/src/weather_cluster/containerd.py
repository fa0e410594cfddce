"""containerd: what pulls a node's images and runs its containers."""

import json
import shutil
from pathlib import Path
from typing import Any

from weather_cluster import cgroups, machine, pause, processes
from weather_cluster.machine import Machine
from weather_cluster.network import Node
from weather_cluster.programs import run, succeeds

BINARIES = (
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "runc",
    "bridge",
    "host-local",
    "loopback",
    "portmap",
)


def start(host: Machine) -> None:
    """Start containerd, and with it the node's mount namespace and control group."""
    cgroups.create(host.node.key)
    hosts = host.files / "certs.d" / host.registry / "hosts.toml"
    networks = host.files / "cni/10-weather.conflist"
    for file in (hosts, networks):
        file.parent.mkdir(parents=True)
    hosts.write_text(_registry(host.registry))
    networks.write_text(json.dumps(_networks(host.node), indent=2))
    (host.files / "containerd.toml").write_text(_configuration(host.directory / "bin"))
    shutil.copy("/etc/resolv.conf", host.files / "resolv.conf")
    processes.start(
        host.directory,
        host.component("containerd"),
        ["containerd", "--config=/run/node/containerd.toml"],
        enter=host.first_enter,
    )


def wait_until_ready(host: Machine) -> None:
    """Return when containerd answers."""

    def answers() -> bool:
        command = machine.enter(host.directory, host.node)
        return succeeds(*command, host.directory / "bin/ctr", "version")

    processes.wait_until(answers, host.directory, host.component("containerd"), seconds=30)


def load(directory: Path, node: Node, archive: Path) -> None:
    """Make the images of a docker-archive known to the node."""
    ctr = directory / "bin/ctr"
    run(*machine.enter(directory, node), ctr, "--namespace=k8s.io", "images", "import", archive)


def _registry(address: str) -> str:
    return f"""\
server = "http://{address}"
[host."http://{address}"]
capabilities = ["pull", "resolve"]
"""


def _configuration(programs: Path) -> str:
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


def _networks(node: Node) -> dict[str, Any]:
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
                    "ranges": [[{"subnet": node.pod_addresses}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": "/run/node/addresses",
                },
            },
            {"type": "portmap", "backend": "nftables", "capabilities": {"portMappings": True}},
        ],
    }
