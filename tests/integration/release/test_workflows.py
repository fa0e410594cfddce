"""What the Git host runs is well formed, and runs the make targets that anybody runs."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from support.kubectl import ROOT
from weather_cluster import settings, toolchain
from weather_cluster.progress import silent

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def test_actionlint_finds_nothing() -> None:
    places = settings.from_environment()
    go = toolchain.find(places, silent)
    linted = subprocess.run(
        [go, "tool", "actionlint", "-no-color", "-shellcheck=", "-pyflakes=", *WORKFLOWS],
        cwd=places.modules / "actionlint",
        env=toolchain.environment(),
        capture_output=True,
        text=True,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_what_a_workflow_makes_there_is_a_target_for(file: Path) -> None:
    text = "\n".join(
        step.get("run", "")
        for job in yaml.safe_load(file.read_text())["jobs"].values()
        for step in job["steps"]
    )
    made = set(re.findall(r"^make ([a-z-]+)", text, re.M))
    assert made <= TARGETS
    assert made or ".ci/run" in text
