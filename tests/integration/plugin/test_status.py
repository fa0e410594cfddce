"""What scripts use: a version is asked for and waited for, on a real control plane."""

import json
import subprocess

import pytest
from support.operator import Operator, Site
from support.plugin import weather, weather_error, weather_json


def status(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    """How `kubectl weather status london` ends."""
    return site.shell.run("kubectl", "weather", "status", "london", "-n", site.namespace, *words)


def test_a_colour_is_set_and_waited_for(london: Site) -> None:
    printed = weather(london, "set", "london", "--colour=green").splitlines()
    assert printed[0] == "london asks for 2.0.0 (green)."
    waited = status(london, "--timeout=2m")
    assert waited.returncode == 0, waited.stdout + waited.stderr
    assert waited.stdout.splitlines()[-1].startswith("Serving: ")
    assert london.status()["version"] == "2.0.0"
    weather(london, "set", "london", "--version=1.0.0")
    assert london.get()["spec"]["version"] == "1.0.0"
    assert "colour" not in london.get()["spec"]


def test_a_colour_that_nobody_has_is_refused_with_those_there_are(london: Site) -> None:
    message = weather_error(london.shell, "set", "london", "--colour=blue", "-n", london.namespace)
    assert "cannot be blue: the catalogue has yellow, green, red" in message


def test_a_wait_ends_where_only_a_person_helps_or_the_time_is_over(
    operator: Operator, london: Site
) -> None:
    london.apply(version="7.7.7")
    stalled = status(london, "--timeout=1m")
    assert stalled.returncode == 1
    assert "UnknownVersion" in stalled.stdout
    operator.stop()
    london.apply(colour="red")
    late = status(london, "--timeout=1s")
    assert late.returncode == 2
    assert "kubectl weather explain london" in late.stderr
    looked = status(london, "--timeout=0", "-o", "json")
    assert json.loads(looked.stdout)["outcome"] == "Waiting"


def test_a_restart_replaces_every_pod_by_one_of_the_same_version(london: Site) -> None:
    before = names(london)
    weather(london, "restart", "london")
    assert status(london, "--timeout=2m").returncode == 0
    assert london.status()["version"] == "1.0.0"
    assert not before & names(london)


def names(site: Site) -> set[str]:
    """The names of the site's pods that stay."""
    pods = site.shell.get("-n", site.namespace, "pods")["items"]
    return {
        each["metadata"]["name"] for each in pods if "deletionTimestamp" not in each["metadata"]
    }


def test_a_list_has_each_app_in_a_line(london: Site) -> None:
    title, line = weather(london, "list").splitlines()
    assert title.split()[:4] == ["NAME", "CITY", "VERSION", "READY"]
    assert line.split()[:7] == ["london", "London", "▲", "1.0.0", "yellow", "2/2", "Serving"]
    assert london.namespace in london.shell.kubectl("weather", "list", "-A")
    assert [each["name"] for each in weather_json(london, "list")] == ["london"]


def test_versions_colours_and_namespaces_are_completed(london: Site) -> None:
    def completed(*words: str) -> list[str]:
        return london.shell.run("kubectl_complete-weather", *words).stdout.splitlines()

    assert completed("set", "london", "--colour", "gr") == ["green", ":4"]
    where = ["-n", london.namespace]
    assert completed("rollback", *where, "london", "--to", "1") == ["1.0.0", ":4"]
    assert london.namespace in completed("tree", "-n", london.namespace[:-1])


@pytest.mark.parametrize("words", [["--client"], []], ids=["plugin", "operators"])
def test_the_versions_are_told(london: Site, words: list[str]) -> None:
    printed = london.shell.kubectl("weather", "version", *words).splitlines()
    assert printed == ["kubectl-weather 0.1.0"]  # the operator under test is no Deployment
