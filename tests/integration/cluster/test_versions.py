"""Every Kubernetes that the README names comes up, as far as its programs are built."""

import re

import pytest
import yaml
from support.clusters import running_cluster
from support.kubectl import ROOT, Shell
from weather_cluster import binaries, settings

OTHERS = [each for each in binaries.KUBERNETES_VERSIONS if each != binaries.DEFAULT_KUBERNETES]


@pytest.mark.parametrize("kubernetes", OTHERS)
def test_a_control_plane_of_another_version_says_its_own(kubernetes: str) -> None:
    for name in binaries.VERSIONED:
        program = binaries.of_kubernetes(name, kubernetes)
        if not binaries.path_of(program, settings.from_environment()).exists():
            pytest.skip(f"Kubernetes {kubernetes} is not built; `make test-versions` builds it")
    with running_cluster("version", control_plane_only=True, kubernetes=kubernetes) as cluster:
        said = Shell.of(cluster).kubectl("get", "--raw", "/version")
    assert f'"gitVersion": "v{binaries.KUBERNETES_VERSIONS[kubernetes]}"' in said


def test_the_readme_names_what_is_tested() -> None:
    readme = (ROOT / "README.md").read_text()
    named = re.search(r"the tests run on ([^)]+)\)", readme)
    assert named
    assert re.split(", | and ", named[1]) == list(binaries.KUBERNETES_VERSIONS)


def test_nothing_older_than_what_is_tested_is_promised() -> None:
    oldest = min(binaries.KUBERNETES_VERSIONS)
    chart = yaml.safe_load((ROOT / "charts/weather-operator/Chart.yaml").read_text())
    assert chart["kubeVersion"] == f">={oldest}.0-0"
    for page in ("README.md", "docs/operations.md"):
        promised = re.findall(
            r"Kubernetes (?:from )?(\d\.\d+)(?: on|\s+or newer)", (ROOT / page).read_text()
        )
        assert promised == [oldest], page
