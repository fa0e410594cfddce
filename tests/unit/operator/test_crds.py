"""Definitions go forward only."""

import tomllib

import pytest
import yaml
from support.fake_api_server import FakeApiServer
from support.kubectl import ROOT
from support.operator import crd
from weather_operator import crds
from weather_operator.kube.resources import DEFINITION, Key, Manifest

KEY = Key(name="weatherapps.weather.quantspark.io")
ANNOTATION = "weather.quantspark.io/version"


def definition(version: str | None, columns: str) -> Manifest:
    annotations = {"annotations": {ANNOTATION: version}} if version else {}
    return {"metadata": {"name": KEY.name, **annotations}, "spec": {"columns": columns}}


@pytest.mark.parametrize(
    ("live", "ours", "result"),
    [
        (None, "0.1.0", "ours"),
        ("0.9.0", "0.10.0", "ours"),
        ("0.10.0", "0.10.0", "ours"),
        ("0.10.0", "0.9.0", "theirs"),
        ("0.10.0", None, "theirs"),
        ("1.0.0", "1.0.0-rc.1", "ours"),
    ],
)
async def test_the_definition_of_a_newer_chart_stays(
    live: str | None, ours: str | None, result: str
) -> None:
    server = FakeApiServer()
    established = {"conditions": [{"type": "Established", "status": "True"}]}
    body = {**definition(live, "theirs"), "status": established}
    body["metadata"]["uid"] = "1"
    server.put(DEFINITION, KEY, body)
    await crds.apply(server, [definition(ours, "ours")])
    found = server.body(DEFINITION, KEY)
    assert found
    assert found["spec"]["columns"] == result


def test_the_definitions_are_of_the_charts_version() -> None:
    chart = yaml.safe_load((ROOT / "charts/weather-operator/Chart.yaml").read_text())
    operator = tomllib.loads((ROOT / "operator/pyproject.toml").read_text())
    versions = {chart["version"], chart["appVersion"], operator["project"]["version"]}
    for file in (ROOT / "crds").glob("*.yaml"):
        versions.add(crd(file.stem)["metadata"]["annotations"][ANNOTATION])
    assert len(versions) == 1
