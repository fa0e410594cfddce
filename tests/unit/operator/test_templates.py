import json
from pathlib import Path

import pytest
from support.templates import APPS, rendered

RECORDED = json.loads(Path(__file__).with_name("templates.json").read_text())


@pytest.mark.parametrize("name", APPS)
def test_an_upgrade_of_the_operator_restarts_no_pod(name: str) -> None:
    assert rendered()[name] == RECORDED[name]
