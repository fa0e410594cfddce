"""What Helm and other tools wait for: that the operator has seen a site, and that it serves."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.kubectl import Shell
from support.operator import Operator, Site, weather_app
from weather_cluster import binaries, settings
from weather_cluster.progress import silent


@pytest.fixture
def chart(tmp_path: Path, namespace: str) -> Path:
    """A user's chart with one WeatherApp."""
    (tmp_path / "templates").mkdir()
    metadata = {"apiVersion": "v2", "name": "site", "version": "0.1.0"}
    (tmp_path / "Chart.yaml").write_text(json.dumps(metadata))
    app = weather_app("london", namespace, colour="COLOUR")
    text = json.dumps(app).replace("COLOUR", "{{ .Values.colour }}")
    (tmp_path / "templates" / "app.yaml").write_text(text)
    (tmp_path / "values.yaml").write_text("colour: yellow\n")
    return tmp_path


def install(shell: Shell, namespace: str, chart: Path, seconds: int, *more: str) -> tuple[int, str]:
    (helm,) = binaries.ensure(["helm"], settings.from_environment(), silent).values()
    words = (str(helm), "upgrade", "--install", "site", str(chart), "--namespace", namespace)
    run = shell.run(*words, "--wait", "--timeout", f"{seconds}s", *more)
    return run.returncode, run.stderr


def observed(body: dict[str, Any]) -> int:
    generation: int = body["status"]["observedGeneration"]
    return generation


def test_helm_waits_until_a_site_serves(
    site: Site, shell: Shell, namespace: str, chart: Path
) -> None:
    code, error = install(shell, namespace, chart, 180)
    assert code == 0, error
    assert site.reason() == "Serving"
    assert observed(site.get()) == site.get()["metadata"]["generation"]


def test_helm_does_not_call_a_site_deployed_that_does_not_serve(
    site: Site, shell: Shell, namespace: str, chart: Path
) -> None:
    code, error = install(shell, namespace, chart, 5, "--set", "colour=mauve")
    assert code != 0
    assert "london" in error


def test_helm_does_not_call_a_site_deployed_that_no_operator_has_seen(
    operator: Operator, site: Site, shell: Shell, namespace: str, chart: Path
) -> None:
    operator.stop()
    code, error = install(shell, namespace, chart, 5)
    assert code != 0
    assert "london" in error
    assert site.get()["status"] == {"observedGeneration": -1}
