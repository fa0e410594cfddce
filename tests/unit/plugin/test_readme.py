import re

from kubectl_weather.cli import COMMANDS
from support.kubectl import ROOT


def test_the_readme_lists_every_command() -> None:
    text = (ROOT / "plugin/README.md").read_text()
    assert re.findall(r"^\| `(\w+)", text, re.MULTILINE) == list(COMMANDS)
