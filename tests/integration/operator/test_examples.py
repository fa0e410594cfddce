"""Every file of examples/ as its reader applies it, and what the operator makes of it."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import yaml
from support.deadlines import eventually
from support.kubectl import ROOT
from support.operator import Operator, Site

EXAMPLES = ROOT / "examples"
FILES = sorted(EXAMPLES.glob("*.yaml"))


def children(example: str) -> set[str]:
    """What an example makes beside what every site has; gateways are tried in test_routes."""
    more = {"autoscaling": {"horizontalpodautoscaler"}, "ingress-tls": {"ingress"}}
    return more.get(example, set())


@pytest.fixture
def catalogue(site: Site) -> Iterator[None]:
    """Whatever releases an example brings, and the node's port that it takes, are given back."""
    there = {each["metadata"]["name"] for each in site.shell.get("weatherreleases")["items"]}
    yield
    site.kubectl("delete", "weatherapps", "--all", "--cascade=foreground")
    for each in site.shell.get("weatherreleases")["items"]:
        if (name := each["metadata"]["name"]) not in there:
            site.shell.kubectl("delete", "weatherrelease", name)


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
@pytest.mark.usefixtures("catalogue")
def test_an_example_is_taken_and_carried_out(site: Site, operator: Operator, path: Any) -> None:
    site.kubectl("apply", "-f", str(path))
    (app,) = [each for each in yaml.safe_load_all(path.read_text()) if each["kind"] == "WeatherApp"]
    applied = Site(shell=site.shell, namespace=site.namespace, name=app["metadata"]["name"])
    for kind in ("deployment", "service", *children(path.stem)):
        eventually(partial(applied.find, kind))
    eventually(lambda: applied.status().get("updatedReplicas"))


@pytest.mark.usefixtures("catalogue")
def test_a_kustomization_reaches_into_a_weather_app(site: Site) -> None:
    site.kubectl("apply", "-k", str(EXAMPLES / "gitops/production"))
    berlin = Site(shell=site.shell, namespace=site.namespace, name="berlin")
    spec = berlin.get()["spec"]
    assert (spec["replicas"], spec["colour"]) == (4, "green")
    secret = spec["weather"]["apiKeySecretRef"]["name"]
    assert re.fullmatch("openweathermap-[a-z0-9]{10}", secret)
    assert site.kubectl("get", "secret", secret)
    berlin.wait_for("Serving")


def test_the_list_of_examples_has_every_file() -> None:
    listed = set(re.findall(r"\]\(([^)]+)\)", (EXAMPLES / "README.md").read_text()))
    assert listed == {path.name for path in FILES} | {"gitops"}
