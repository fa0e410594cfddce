import re
from pathlib import Path

import weather_operator
from prometheus_client import CollectorRegistry
from weather_operator.controller.event_handlers import new_cache
from weather_operator.metrics import Fleet, Metrics

SOURCE = Path(weather_operator.__file__).parent
README = (SOURCE.parents[1] / "README.md").read_text()


def test_the_readme_names_every_module() -> None:
    modules = {path.stem for path in SOURCE.glob("*.py")} - {"__init__"}
    modules |= {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    table = README.split("## Where to find what")[1].split("## ")[0]
    assert set(re.findall(r"`([a-z_]+)`", table)) == modules


def test_the_readme_names_every_variable() -> None:
    read = re.findall(r'"([A-Z]+_[A-Z]+|WORKERS)"', (SOURCE / "settings.py").read_text())
    table = README.split("## Environment")[1].split("In a pod")[0]
    assert set(re.findall(r"`([A-Z_]+)`", table)) == set(read)


def test_the_readme_names_every_metric() -> None:
    registry: CollectorRegistry = Metrics().registry
    registry.register(Fleet(new_cache()))
    kinds = {"counter": "_total"}
    names = {family.name + kinds.get(family.type, "") for family in registry.collect()}
    table = README.split("## Metrics")[1]
    assert set(re.findall(r"`(weather_[a-z_]+)`", table)) == names
