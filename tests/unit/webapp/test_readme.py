import re
from pathlib import Path

import weather_webapp
from weather_webapp.server import make_app
from weather_webapp.settings import Settings

SOURCE = Path(weather_webapp.__file__).parent
README = (SOURCE.parents[1] / "README.md").read_text()


def test_the_readme_names_every_module() -> None:
    modules = {path.stem for path in SOURCE.glob("*.py")} - {"__init__", "__main__"}
    table = README.split("## How it is made")[1].split("## ")[0]
    assert modules <= set(re.findall(r"`([a-z0-9_]+)`", table))


def test_the_readme_names_every_address() -> None:
    table = README.split("## Addresses")[1].split("## ")[0]
    named = set(re.findall(r"`(/[\w./]*)`", table))
    routes = make_app(Settings(fault_token="x" * 8)).router.routes()
    served = {route.resource.canonical for route in routes if route.resource}
    assert {path for path in served if "{" not in path} - {"/favicon.svg"} <= named
