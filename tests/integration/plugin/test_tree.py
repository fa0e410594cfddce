"""What `kubectl weather tree` shows of a real control plane, once and as it changes."""

import json
import subprocess
from pathlib import Path

from support.deadlines import eventually
from support.operator import Site
from support.plugin import weather, weather_json

SLOWLY = {"annotations": {"test/ready-after": "2s"}}


def test_a_tree_goes_from_the_app_down_to_the_nodes(london: Site) -> None:
    (replica_set,) = weather_json(london, "tree", "london")["deployment"]["replica_sets"]
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
    assert "Service london  ClusterIP 80" in drawn
    assert "\x1b" not in drawn


def test_a_watched_tree_shows_both_versions_and_then_the_new_one(
    london: Site, tmp_path: Path
) -> None:
    out = tmp_path / "trees"
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
        assert watch.wait(timeout=60) == 143
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
    assert [each["name"] for each in weather_json(london, "tree")] == ["london"]
    everywhere = json.loads(london.shell.kubectl("weather", "tree", "-A", "-o", "json"))
    assert (london.namespace, "london") in {
        (each["namespace"], each["name"]) for each in everywhere
    }


def test_the_shell_completes_commands_and_apps(london: Site) -> None:
    completed = london.shell.run("kubectl_complete-weather", "tr")
    assert completed.stdout.splitlines()[0].startswith("tree\t")
    assert completed.stdout.splitlines()[-1] == ":4"
    completed = london.shell.run("kubectl_complete-weather", "tree", "-n", london.namespace, "lo")
    assert completed.stdout.splitlines() == ["london", ":4"]
