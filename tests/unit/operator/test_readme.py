import re
from pathlib import Path

import weather_operator
from prometheus_client import CollectorRegistry
from weather_operator.controller.event_handlers import new_cache
from weather_operator.metrics import Metrics, WeatherAppCollector

SOURCE = Path(weather_operator.__file__).parent
README = (SOURCE.parents[1] / "README.md").read_text()


def test_the_readme_names_every_package_and_module_at_the_top() -> None:
    modules = {path.stem for path in SOURCE.glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    table = README.split("## The packages")[1].split("## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.M)
    assert set(re.findall(r"`([a-z_]+)`", " ".join(rows))) == modules | packages


def test_the_walk_names_modules_that_there_are() -> None:
    walk = README.split("## From `kubectl apply` to the page")[1].split("## ")[0]
    named = re.findall(r"`([a-z_]+/[a-z_]+)`", walk)
    assert len(named) > 10
    assert [name for name in named if not (SOURCE / f"{name}.py").exists()] == []


def test_the_readme_names_every_variable() -> None:
    read = re.findall(r'"([A-Z]+(?:_[A-Z]+)+|WORKERS)"', (SOURCE / "settings.py").read_text())
    table = README.split("## Environment")[1].split("In a pod")[0]
    assert set(re.findall(r"`([A-Z_]+)`", table)) == set(read)


def test_the_readme_names_every_metric() -> None:
    registry: CollectorRegistry = Metrics().registry
    registry.register(WeatherAppCollector(new_cache()))
    kinds = {"counter": "_total"}
    names = {family.name + kinds.get(family.type, "") for family in registry.collect()}
    table = README.split("## Metrics")[1]
    assert set(re.findall(r"`(weather_[a-z_]+)`", table)) == names
