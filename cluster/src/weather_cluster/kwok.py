"""Simulated nodes and pods, for a cluster that is a control plane alone."""

from pathlib import Path

from weather_cluster import processes
from weather_cluster.api import Api

BINARIES = ("kwok",)
NODES = ("node-1", "node-2", "node-3")
STAGES = Path(__file__).parent / "stages.yaml"


def start(directory: Path, api: Api) -> None:
    """Start kwok and create its nodes, each a zone of its own."""
    processes.start(
        directory,
        "kwok",
        [
            "kwok",
            f"--kubeconfig={directory / 'kubeconfig'}",
            f"--config={STAGES}",
            "--manage-all-nodes",
            # Without leases the nodes are NotReady after 50 s, and their pods with them.
            "--node-lease-duration-seconds=40",
        ],
    )
    for number, node in enumerate(NODES):
        api.apply(f"/api/v1/nodes/{node}", _node(node, f"zone-{'abc'[number]}"))


def wait_for_nodes(directory: Path, api: Api) -> None:
    """Return when every node is Ready."""

    def ready() -> bool:
        return all(api.is_true(f"/api/v1/nodes/{node}", "Ready") for node in NODES)

    processes.wait_until(ready, directory, "kwok", seconds=90)


def _node(name: str, zone: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/zone": zone,
            },
        },
    }
