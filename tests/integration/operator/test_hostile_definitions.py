"""Definitions that go away under the operator and come back."""

from collections.abc import Iterator

import pytest
import yaml
from support.deadlines import eventually
from support.kubectl import ROOT, Shell
from support.operator import Operator, Site, install, release, wait_until_served

KINDS = {"WeatherApp": "crds/weatherapp.yaml", "WeatherRelease": "crds/weatherrelease.yaml"}


@pytest.fixture(autouse=True)
def _as_before(shell: Shell) -> Iterator[None]:
    yield
    install(shell)


@pytest.mark.parametrize("kind", KINDS)
def test_while_a_definition_is_gone_it_is_not_ready_and_once_it_is_back_it_goes_on(
    kind: str, operator: Operator, site: Site, shell: Shell
) -> None:
    site.apply()
    site.wait_for("Serving")
    shell.kubectl("delete", "-f", KINDS[kind])
    eventually(lambda: operator.get("/readyz") == (503, f"not followed: {kind}\n"))
    install(shell)
    eventually(lambda: operator.get("/readyz")[0] == 200)
    site.apply(colour="green")
    # With the definition went the app, and with that its children: the garbage collector, which
    # learns of kinds every 30 s, has to take them before those of the new one can come.
    assert site.wait_for("Serving", seconds=150)["version"] == "2.0.0"
    site.apply(colour="yellow")
    assert site.wait_for("Serving")["version"] == "1.0.0"


@pytest.mark.parametrize("kind", KINDS)
def test_a_definition_that_is_replaced_is_followed_on(kind: str, site: Site, shell: Shell) -> None:
    site.apply()
    site.wait_for("Serving")
    shell.kubectl("replace", "--force", "-f", KINDS[kind])
    wait_until_served(shell, KINDS[kind])
    install(shell)
    site.apply(colour="green")
    assert site.wait_for("Serving", seconds=150)["version"] == "2.0.0"
    site.kubectl("delete", "wa/london")
    eventually(lambda: site.find("deployment") is None)


def test_a_definition_older_than_the_operator_costs_the_status_what_it_lacks_alone(
    site: Site, shell: Shell
) -> None:
    definition = yaml.safe_load((ROOT / KINDS["WeatherApp"]).read_text())
    (version,) = definition["spec"]["versions"]
    status = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    del status["failedRevisions"]["items"]["properties"]["image"]
    shell.apply(definition)
    words = ("kubectl", "explain", "weatherapp.status.failedRevisions.image")
    eventually(lambda: shell.run(*words).returncode != 0)
    shell.apply(release("8.4.0", "puce", "crash:8"))
    site.apply()
    site.wait_for("Serving")
    site.apply(colour="puce", rollout={"progressDeadlineSeconds": 3})
    (failed,) = site.wait_for("RolledBack")["failedRevisions"]
    assert failed["version"] == "8.4.0"
    assert "image" not in failed
    shell.kubectl("delete", "weatherrelease", "8.4.0")


def test_an_aggregated_api_that_is_away_is_no_hindrance(
    operator: Operator, site: Site, shell: Shell
) -> None:
    operator.stop()
    shell.apply(
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": {"name": "nobody", "namespace": "kube-system"},
            },
        }
    )
    try:
        operator.ensure_leading()
        site.apply()
        site.wait_for("Serving")
        site.apply(colour="green")
        site.wait_for("Serving", seconds=30)
    finally:
        shell.kubectl("delete", "apiservice", "v1beta1.metrics.k8s.io")
