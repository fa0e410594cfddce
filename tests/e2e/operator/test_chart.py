"""The chart's life with real Helm: no weather pod notices any of it."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.deadlines import eventually
from support.http import fetch
from support.kubectl import ROOT, Shell, restricted
from weather_cluster.clusters import Cluster
from weather_cluster.demo import Client
from weather_cluster.images import OPERATOR_VERSION

CHART = "charts/weather-operator"
SYSTEM = "weather-system"
COLUMN = re.compile(r" +- \{name: Digest.*\n")


def helm(shell: Shell, *words: str) -> str:
    done = shell.run("helm", *words)
    assert done.returncode == 0, f"helm {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def values(installed: Shell, node_cluster: Cluster) -> Iterator[list[str]]:
    """What `make install` gives Helm here; it is called again at the end."""
    registry = node_cluster.registry
    insecure = f"insecureRegistries={{{registry}}}"
    yield [f"--set=registry={registry}", f"--set={insecure}", "--wait", "--timeout=3m"]
    flags = f"HELM_FLAGS=--set {insecure}"
    made = installed.run("make", "install", f"REGISTRY={registry}", flags)
    assert made.returncode == 0, made.stdout + made.stderr


@pytest.fixture
def previous(shell: Shell, node_cluster: Cluster, tmp_path: Path) -> Path:
    """A chart of an older version, with an older definition and an image of another tag.

    The code in that image is today's: there is no release before this one to take it from.
    """
    chart = tmp_path / "previous"
    shutil.copytree(ROOT / CHART, chart)
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    about |= {"version": "0.0.9", "appVersion": "0.0.9"}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about))
    definition = chart / "crds/weatherrelease.yaml"
    older, number = COLUMN.subn("", definition.read_text())
    assert number == 1
    definition.write_text(older)
    image = f"{node_cluster.registry}/weather-operator:0.0.9"
    local = f"localhost/weather-operator:{OPERATOR_VERSION}"
    pushed = shell.run("buildah", "push", "--tls-verify=false", local, f"docker://{image}")
    assert pushed.returncode == 0, pushed.stderr
    return chart


def apply(shell: Shell, namespace: str, **spec: Any) -> None:
    meta = {"name": "london", "namespace": namespace}
    kind = {"apiVersion": "weather.quantspark.io/v1", "kind": "WeatherApp", "metadata": meta}
    shell.apply({**kind, "spec": {"city": "London", "colour": "yellow", **spec}})


def wait_until_ready(shell: Shell, namespace: str) -> None:
    words = ("weatherapp/london", "-n", namespace, "--for=condition=Ready", "--timeout=120s")
    shell.kubectl("wait", *words)


def started(shell: Shell, namespace: str) -> dict[str, Any]:
    """Every pod of the namespace, and how often its container began."""
    return {
        pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["restartCount"]
        for pod in shell.get("pods", "-n", namespace)["items"]
    }


def operators_image(shell: Shell) -> str:
    template = shell.get("deployment", "weather-operator", "-n", SYSTEM)["spec"]["template"]
    return str(template["spec"]["containers"][0]["image"])


def columns(shell: Shell) -> str:
    return shell.kubectl("get", "weatherreleases", "-o", "wide").splitlines()[0]


def test_the_operator_comes_and_goes_and_no_page_notices(
    installed: Shell, namespace: str, values: list[str], previous: Path
) -> None:
    shell = installed
    apply(shell, namespace, service={"type": "NodePort"})
    wait_until_ready(shell, namespace)
    before = started(shell, namespace)
    url = shell.get("weatherapp", "london", "-n", namespace)["status"]["url"]
    release = ("weather-operator", "--namespace", SYSTEM)
    # The node's rules follow the pods a moment later.
    eventually(lambda: fetch(url))
    with Client(url) as client:
        helm(shell, "uninstall", *release, "--wait")
        assert shell.get("deployments", "-n", SYSTEM)["items"] == []
        assert shell.get("weatherreleases")["items"] == []
        assert shell.get("weatherapp", "london", "-n", namespace)["status"]["version"] == "1.0.0"

        helm(shell, "install", release[0], str(previous), *release[1:], *values)
        assert operators_image(shell).endswith(":0.0.9")
        assert "DIGEST" not in columns(shell)
        wait_until_ready(shell, namespace)

        helm(shell, "upgrade", release[0], CHART, *release[1:], *values)
        assert operators_image(shell).endswith(f":{OPERATOR_VERSION}")
        assert "DIGEST" in columns(shell)
        assert "Phase:          Succeeded" in helm(shell, "test", *release)
        wait_until_ready(shell, namespace)

        helm(shell, "rollback", release[0], "1", *release[1:], "--wait", "--timeout=3m")
        assert operators_image(shell).endswith(":0.0.9")
        apply(shell, namespace, service={"type": "NodePort", "port": 8080})
        eventually(lambda: port(shell, namespace) == 8080)
        wait_until_ready(shell, namespace)
    assert started(shell, namespace) == before
    assert client.sent > 100
    assert client.failures == []


def port(shell: Shell, namespace: str) -> int:
    number: int = shell.get("service", "london", "-n", namespace)["spec"]["ports"][0]["port"]
    return number


def test_an_operator_of_one_namespace_has_rights_there_alone(
    installed: Shell, namespace: str, values: list[str]
) -> None:
    shell, own = installed, f"{namespace}-own"
    helm(shell, "uninstall", "weather-operator", "--namespace", SYSTEM, "--wait")
    restricted(shell, own)
    try:
        watched = f"--set=watchNamespaces={{{namespace}}}"
        helm(shell, "install", "mine", CHART, "--namespace", own, *values, watched)
        assert "Phase:          Succeeded" in helm(shell, "test", "mine", "--namespace", own)
        apply(shell, namespace)
        apply(shell, own)
        wait_until_ready(shell, namespace)
        account = f"--as=system:serviceaccount:{own}:weather-operator"
        for where, allowed in ((namespace, "yes"), (own, "no"), ("default", "no")):
            asked = shell.run(
                "kubectl", "auth", "can-i", "patch", "deployments", "-n", where, account
            )
            assert asked.stdout.strip() == allowed
        # Its own namespace is served no more than any other.
        unseen = shell.get("weatherapp", "london", "-n", own)["status"]
        assert unseen == {"observedGeneration": -1}
        assert shell.get("weatherrelease", "1.0.0").get("status") is None
        helm(shell, "uninstall", "mine", "--namespace", own, "--wait")
    finally:
        shell.kubectl("delete", "namespace", own, "--wait=false")


def test_the_operator_runs_restricted_and_without_secrets(installed: Shell) -> None:
    pods = installed.get("pods", "-n", SYSTEM, "-l", "app.kubernetes.io/name=weather-operator")
    assert len(pods["items"]) == 2
    for pod in pods["items"]:
        text = json.dumps(pod["spec"])
        assert "secretKeyRef" not in text
        assert "secretName" not in text
    account = f"--as=system:serviceaccount:{SYSTEM}:weather-operator"
    for verb in ("get", "list", "watch", "create"):
        words = ("auth", "can-i", verb, "secrets", "--all-namespaces", account)
        assert installed.run("kubectl", *words).stdout.strip() == "no"
