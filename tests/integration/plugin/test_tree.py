"""What `kubectl weather` shows and explains of a real control plane."""

import json
import subprocess
from pathlib import Path
from typing import Any

from support.deadlines import eventually
from support.operator import Operator, Site

SLOWLY = {"annotations": {"test/ready-after": "2s"}}


def weather(site: Site, *words: str) -> str:
    """What a command prints about the site's namespace."""
    return site.shell.kubectl("weather", *words, "-n", site.namespace)


def data(site: Site, *words: str) -> Any:
    """What a command prints about the site's namespace as JSON."""
    return json.loads(weather(site, *words, "--output=json"))


def test_a_tree_goes_from_the_app_down_to_the_nodes(london: Site) -> None:
    (replica_set,) = data(london, "tree", "london")["deployment"]["replica_sets"]
    assert (replica_set["version"], replica_set["colour"], replica_set["ready"]) == (
        "1.0.0",
        "yellow",
        2,
    )
    pods = london.shell.get("-n", london.namespace, "pods")["items"]
    assert {(pod["name"], pod["node"], pod["state"]) for pod in replica_set["pods"]} == {
        (pod["metadata"]["name"], pod["spec"]["nodeName"], "ready") for pod in pods
    }
    drawn = weather(london, "tree")
    assert "WeatherApp london  London  ▲ 1.0.0 yellow  2/2  Serving" in drawn
    assert all(pod["metadata"]["name"] in drawn for pod in pods)
    assert "\x1b" not in drawn


def test_a_watched_tree_shows_both_versions_and_then_the_new_one(
    london: Site, tmp_path: Path
) -> None:
    out = tmp_path / "seen"
    words = [
        "kubectl",
        "weather",
        "tree",
        "london",
        "--watch",
        "-o",
        "json",
        "-n",
        london.namespace,
    ]
    with out.open("w") as file:
        watch = subprocess.Popen(words, stdout=file, env=london.shell.environment)
    try:
        eventually(lambda: out.read_text().count("\n"))
        london.apply(colour="green", pod=SLOWLY)
        eventually(lambda: _versions(out)[-1] == {"2.0.0"})
    finally:
        watch.terminate()
        assert watch.wait(timeout=20) == 143
    assert {"1.0.0", "2.0.0"} in _versions(out)


def _versions(out: Path) -> list[set[str]]:
    """The versions of the pods in each picture, in a finished rollout only the new one's."""
    pictures = [
        json.loads(line) for line in out.read_text().splitlines(keepends=True) if "\n" in line
    ]
    return [
        {pod["version"] for each in site["deployment"]["replica_sets"] for pod in each["pods"]}
        for site in pictures
    ]


def test_trees_of_a_namespace_and_of_all(london: Site) -> None:
    assert [each["name"] for each in data(london, "tree")] == ["london"]
    everywhere = json.loads(london.shell.kubectl("weather", "tree", "-A", "-o", "json"))
    assert (london.namespace, "london") in {
        (each["namespace"], each["name"]) for each in everywhere
    }


def test_pods_without_a_node_are_explained_with_the_next_command(site: Site) -> None:
    site.apply(pod={"nodeSelector": {"planet": "mars"}})
    site.wait_for("Blocked")
    told = weather(site, "explain", "london")
    assert "london has not been ready" in told
    assert "Unschedulable" in told
    assert "0/3 nodes are available" in told
    pod = site.status()["blockers"][0]["object"].removeprefix("Pod/")
    command = f"kubectl describe pod {pod} --namespace={site.namespace}"
    assert f"  {command}" in told.splitlines()
    assert "FailedScheduling" in site.shell.kubectl(*command.split()[1:])


def test_without_the_operator_the_children_are_asked_and_that_is_said(
    operator: Operator, london: Site
) -> None:
    operator.stop()
    london.apply(colour="red")
    told = data(london, "explain", "london")
    assert told["waits"]
    assert told["sentences"][0].startswith("The operator does not run: its Lease in namespace")
    assert "its status is of generation 1, the spec of 2" in told["sentences"][1]
    assert "2 of 2 pods updated, 2 available" in told["sentences"][2]


def test_an_app_that_serves_is_explained_too(london: Site) -> None:
    told = data(london, "explain")
    assert [(each["name"], each["waits"]) for each in told] == [("london", False)]
    assert told[0]["next"] == [f"kubectl weather open london --namespace={london.namespace}"]


def test_the_shell_completes_commands_and_apps(london: Site) -> None:
    completed = london.shell.run("kubectl_complete-weather", "tr")
    assert completed.stdout.splitlines()[0].startswith("tree\t")
    assert completed.stdout.splitlines()[-1] == ":4"
    completed = london.shell.run("kubectl_complete-weather", "tree", "-n", london.namespace, "lo")
    assert completed.stdout.splitlines() == ["london", ":4"]
