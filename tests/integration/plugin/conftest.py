from pathlib import Path

import pytest
from support.kubectl import Shell
from support.operator import Site
from support.plugin_api import api
from weather_cluster.clusters import Cluster

__all__ = ["api"]

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: nobody
contexts: [{{name: nobody, context: {{cluster: here, user: nobody}}}}]
clusters: [{{name: here, cluster: {{server: "{server}", insecure-skip-tls-verify: true}}}}]
users: [{{name: nobody, user: {{token: "{token}"}}}}]
"""


@pytest.fixture
def nobody(shell: Shell, control_plane: Cluster, namespace: str, tmp_path: Path) -> Shell:
    """The shell of somebody who may log in and nothing else."""
    shell.kubectl("-n", namespace, "create", "serviceaccount", "nobody")
    token = shell.kubectl("-n", namespace, "create", "token", "nobody").strip()
    server = shell.kubectl(
        "config", "view", "--minify", "--output=jsonpath={.clusters[0].cluster.server}"
    )
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG.format(server=server, token=token))
    return Shell(kubeconfig=kubeconfig, bin=shell.bin, host=shell.host)


@pytest.fixture
def london(site: Site) -> Site:
    """A site that serves."""
    site.apply()
    site.wait_for("Serving")
    return site
