"""Why a site waits, as `kubectl weather explain` says it of a real control plane."""

from support.operator import Operator, Site
from support.plugin import weather, weather_json


def test_pods_without_a_node_are_explained_with_the_next_command(site: Site) -> None:
    site.apply(pod={"nodeSelector": {"planet": "mars"}})
    site.wait_for("Blocked")
    explained = weather(site, "explain", "london")
    assert "london has not been ready" in explained
    assert "Unschedulable" in explained
    assert "0/3 nodes are available" in explained
    pod = site.status()["blockers"][0]["object"].removeprefix("Pod/")
    command = f"kubectl describe pod {pod} --namespace={site.namespace}"
    assert f"  {command}" in explained.splitlines()
    assert "FailedScheduling" in site.shell.kubectl(*command.split()[1:])


def test_without_the_operator_the_children_are_read_and_that_is_said(
    operator: Operator, london: Site
) -> None:
    operator.stop()
    london.apply(colour="red")
    explained = weather_json(london, "explain", "london")
    assert explained["waits"]
    assert explained["sentences"][0].startswith("The operator does not run: its Lease in namespace")
    assert "its status is of generation 1, the spec of 2" in explained["sentences"][1]
    assert "2 of 2 pods updated, 2 available" in explained["sentences"][2]


def test_an_app_that_serves_is_explained_too(london: Site) -> None:
    explained = weather_json(london, "explain")
    assert [(each["name"], each["waits"]) for each in explained] == [("london", False)]
    assert explained[0]["next"] == [f"kubectl weather open london --namespace={london.namespace}"]
