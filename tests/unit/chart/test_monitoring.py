"""Alerts and the dashboard ask for metrics that exist, and lead to a runbook."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric
from support.kubectl import ROOT
from support.monitoring import QUERIES, RULES
from weather_operator.controller.event_handlers import new_cache
from weather_operator.metrics import Metrics, WeatherAppCollector
from weather_operator.model import WEATHER_APP
from weather_webapp.build_info import detect_build
from weather_webapp.metrics import Metrics as Page
from weather_webapp.settings import Settings

RUNBOOKS = (ROOT / "docs/runbooks.md").read_text()
NAMES = re.compile(r"\bweather_[a-z_]+")
SUFFIXES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
    "gauge": ("",),
    "info": ("_info",),
}


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_each_alert_says_what_is_wrong_and_leads_to_its_runbook(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    document, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert document == "docs/runbooks.md"
    assert f"\n## {rule['alert']}\n" in RUNBOOKS
    assert anchor == rule["alert"].lower()


def test_each_runbook_has_its_alert() -> None:
    assert set(re.findall(r"^## (.+)$", RUNBOOKS, re.M)) == {rule["alert"] for rule in RULES}


def exposed(metric: Metric) -> Iterator[str]:
    for suffix in SUFFIXES[metric.type]:
        yield metric.name + suffix


def operators() -> set[str]:
    cache = new_cache()
    metadata = {"name": "a", "namespace": "b", "uid": "c", "resourceVersion": "1"}
    cache.put(WEATHER_APP, {"metadata": metadata})
    families = [*Metrics().registry.collect(), *WeatherAppCollector(cache).collect()]
    return {name for family in families for name in exposed(family)}


def pages() -> set[str]:
    page = Page(detect_build(Settings(), hostname="here"))
    return {name for family in page.registry.collect() for name in exposed(family)}


@pytest.mark.parametrize("query", [*QUERIES, *(rule["expr"] for rule in RULES)])
def test_queries_ask_for_metrics_that_exist(query: str) -> None:
    assert set(NAMES.findall(query)) <= operators() | pages()
