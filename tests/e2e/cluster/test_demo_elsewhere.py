"""`make demo CLUSTER=kind` on a machine whose kind is a script: the cluster behind it is real."""

import os
import re
import shlex
import sys
from pathlib import Path

import pytest
from support.balancer import balancing
from support.clusters import running_cluster
from support.kind import Player, path_with
from support.kubectl import Shell
from weather_cluster import network
from weather_cluster.providers import NODE_PORT

LOAD = """
import sys
from pathlib import Path
from weather_cluster import clusters, network, node_components
cluster = clusters.find(sys.argv[1])
for node in network.nodes_of(cluster.number, cluster.nodes):
    node_components.load_images(cluster.directory, node, Path(sys.argv[2]))
"""


@pytest.mark.timeout(900)
def test_the_demo_runs_in_a_cluster_of_kinds(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("a cluster with real nodes needs root")
    with running_cluster("kind") as cluster:
        kind = Player("kind", tmp_path / "bin")
        python = shlex.join([sys.executable, "-c", LOAD, cluster.name])
        kind.install(
            {
                "'get kubeconfig'*": f"cat {cluster.kubeconfig}",
                "'load image-archive'*": f'{python} "$3"',
            }
        )
        (node,) = network.nodes_of(cluster.number, cluster.nodes)
        shell = Shell.of(cluster)
        environment = f"PATH={path_with(kind.directory)}:{shell.bin}"
        with balancing([NODE_PORT], host=node.address, port=NODE_PORT):
            shown = shell.run(
                "env", "-u", "KUBECONFIG", environment, "make", "demo", "CLUSTER=kind"
            )
        assert shown.returncode == 0, shown.stdout + shown.stderr
        sent = re.search(r"Requests sent: (\d+), failed: 0$", shown.stdout, re.M)
        assert sent, shown.stdout
        assert int(sent[1]) > 100
        assert "served at http://127.0.0.1:30080" in shown.stdout
        (deployment,) = shell.get("deployments", "-l", "app.kubernetes.io/instance=london")["items"]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "weather:2.0.0"
