import subprocess
import sys

from support.kubectl import ROOT


def test_the_reference_is_what_the_definitions_say() -> None:
    made = subprocess.run(
        [sys.executable, "docs/api_reference.py"], cwd=ROOT, capture_output=True, text=True
    )
    assert made.stdout == (ROOT / "docs" / "api.md").read_text(), "make docs makes it anew"
