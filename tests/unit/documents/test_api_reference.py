import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from support.kubectl import ROOT
from support.operator import crd_schema


def test_the_reference_is_what_the_definitions_say() -> None:
    made = subprocess.run(
        [sys.executable, "docs/api_reference.py"], cwd=ROOT, capture_output=True, text=True
    )
    assert made.stdout == (ROOT / "docs" / "api.md").read_text(), "make docs makes it anew"


def test_kubectl_explain_tells_each_default() -> None:
    """It prints descriptions and no defaults."""
    fields = list(_fields(crd_schema("WeatherApp")))
    told = [field for field in fields if not isinstance(field.get("default", {}), dict)]
    assert len(told) > 30
    for field in told:
        default = field["default"]
        shown = str(default).lower() if isinstance(default, bool) else default
        assert field["description"].endswith(f"The default is {shown}.")


def _fields(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for field in (*schema.get("properties", {}).values(), schema.get("items")):
        if field:
            yield field
            yield from _fields(field)
