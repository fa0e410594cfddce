"""What the chart brings for Prometheus and Grafana."""

import json

import yaml
from support.kubectl import ROOT

_FILES = ROOT / "charts/weather-operator/files"
_ALERTS = yaml.safe_load((_FILES / "alerts.yaml").read_text())
_DASHBOARD = json.loads((_FILES / "dashboard.json").read_text())

RULES = [rule for group in _ALERTS["groups"] for rule in group["rules"]]
QUERIES = [target["expr"] for panel in _DASHBOARD["panels"] for target in panel["targets"]]
