"""`weather-operator crds`: what Helm never changes is made what the chart says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.deadlines import eventually
from support.kubectl import ROOT, Shell
from weather_cluster.clusters import Cluster

NAME = "weatherreleases.weather.quantspark.io"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The definitions as the chart's Job has them."""
    for file in (ROOT / "crds").glob("*.yaml"):
        text = json.dumps(yaml.safe_load(file.read_text()))
        (tmp_path / f"{file.stem}.json").write_text(text)
    return tmp_path


def crds(kubeconfig: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "weather_operator", *words],
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def columns(shell: Shell) -> list[str]:
    version = shell.get("crd", NAME)["spec"]["versions"][0]
    return [each["name"] for each in version["additionalPrinterColumns"]]


def test_an_older_definition_becomes_the_charts(
    control_plane: Cluster, shell: Shell, directory: Path
) -> None:
    wanted = columns(shell)
    path = "/spec/versions/0/additionalPrinterColumns/0"
    patch = json.dumps([{"op": "remove", "path": path}])
    shell.kubectl("patch", "crd", NAME, "--type=json", "-p", patch)
    eventually(lambda: columns(shell) == wanted[1:])
    done = crds(control_plane.kubeconfig, "crds", str(directory))
    assert done.returncode == 0, done.stderr
    assert columns(shell) == wanted


def test_what_cannot_be_done_is_said_in_a_sentence(
    control_plane: Cluster, directory: Path, tmp_path: Path
) -> None:
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    config["users"][0]["user"] = {}
    nobody = tmp_path / "kubeconfig"
    nobody.write_text(yaml.safe_dump(config))
    for kubeconfig, words, said, code in (
        (nobody, ("crds", str(directory)), "were not applied: ", 1),
        (control_plane.kubeconfig, ("crds", "/nowhere"), "there is no *.json in /nowhere", 1),
        (control_plane.kubeconfig, ("crds",), "give no arguments, or: crds DIRECTORY", 2),
    ):
        done = crds(kubeconfig, *words)
        assert done.returncode == code
        assert said in done.stderr
        assert "Traceback" not in done.stderr
