"""Alerts and the dashboard's queries as Prometheus' own tool takes them."""

import re
import subprocess

import pytest
import yaml
from support.kubectl import ROOT
from support.monitoring import QUERIES, RULES
from support.prometheus import find_program


@pytest.fixture
def promtool() -> str:
    return find_program("promtool")


def test_each_alert_fires_when_it_should_and_an_ordinary_day_is_silent(promtool: str) -> None:
    tests = ROOT / "tests/integration/chart/alerts.yaml"
    run = subprocess.run([promtool, "test", "rules", tests], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    tested = set(re.findall(r"alertname: (\w+)", tests.read_text()))
    assert tested == {rule["alert"] for rule in RULES}


def test_the_dashboards_queries_can_be_read(promtool: str) -> None:
    plain = [each.replace("$__rate_interval", "5m").replace("$namespace", ".*") for each in QUERIES]
    rules = [{"record": f"query_{number}", "expr": each} for number, each in enumerate(plain)]
    run = subprocess.run(
        [promtool, "check", "rules", "/dev/stdin"],
        input=yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{len(QUERIES)} rules found" in run.stdout
