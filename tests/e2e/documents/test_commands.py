"""Every command that a page tells people to type, typed in the page's order by a new user."""

import os
import subprocess
from collections.abc import Iterator

import pytest
from support.clusters import running_cluster
from support.documents import blocks
from support.kubectl import ROOT, Shell
from weather_cluster import clusters
from weather_cluster.clusters import Cluster

REGISTRY = "registry.example/team"
"""What the pages write for the reader's own registry."""

PAGES = ["README.md", "docs/tour.md", "docs/progressive-delivery.md", "docs/operations.md"]
"""The last one ends with the operator's removal."""

ELSEWHERE = {
    "make demo": "tests/e2e/operator/test_site.py plays its steps",
    "make demo-canary": "tests/e2e/operator/test_canary.py plays its steps",
    "make test": "what runs this test",
    "make cluster-down": "tests/e2e/cluster/test_leftovers.py",
    'eval "$(.venv/bin/weather-cluster env)"': "this test's shell is on a cluster of its own",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster of the reader's own, in which the operator was installed as the demo does."""
    if os.geteuid():
        pytest.skip("a cluster with real nodes needs root")
    with running_cluster("documents") as cluster:
        made = Shell.of(cluster).run(
            "make", "images", "push", "install", f"REGISTRY={cluster.registry}"
        )
        assert made.returncode == 0, made.stdout + made.stderr
        clusters.up(cluster.name, gateway=True)
        yield cluster


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", PAGES)
def test_every_command_works(cluster: Cluster, page: str) -> None:
    shell = Shell.of(cluster)
    for block in blocks(ROOT / page, "sh"):
        script = "\n".join(line for line in block.splitlines() if command(line) not in ELSEWHERE)
        ended = typed(shell, script.replace(REGISTRY, cluster.registry))
        assert ended.returncode == 0, f"{page}:\n{block}\n{ended.stdout}\n{ended.stderr}"


def test_what_is_typed_elsewhere_stands_on_a_page() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    typed = {
        command(line)
        for page in pages
        for block in blocks(page, "sh")
        for line in block.splitlines()
    }
    assert set(ELSEWHERE) <= typed


def command(line: str) -> str:
    return line.partition("  #")[0].strip()


def typed(shell: Shell, script: str) -> subprocess.CompletedProcess[str]:
    return shell.run("bash", "-euo", "pipefail", "-c", script)
