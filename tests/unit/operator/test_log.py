"""What the process says is one JSON object per line, whoever says it."""

import json
import subprocess
import sys
from typing import Any

import pytest

SCRIPT = """
import asyncio, warnings
from kopf._cogs.aiokits.aiotasks import guard
from weather_operator.cli import log_as_json
from weather_operator.kube.informers import mute_kopf_logs

async def wait():
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        asyncio.get_running_loop()

async def begin(coroutine):
    coroutine.send(None)

log_as_json("INFO")
mute_kopf_logs()
warnings.warn("this will go", FutureWarning)
for coroutine in (wait(), guard(wait(), name="a watch of kopf's")):
    asyncio.run(begin(coroutine))
del coroutine
"""


@pytest.fixture(scope="module")
def said() -> list[dict[str, Any]]:
    """What a process says that is warned, and whose loops end before what waits in them."""
    command = [sys.executable, "-c", SCRIPT]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(line) for line in ended.stderr.splitlines()]


def test_a_warning_of_python_is_a_line_of_the_log(said: list[dict[str, Any]]) -> None:
    warning = said[0]
    assert (warning["logger"], warning["level"]) == ("py.warnings", "WARNING")
    assert "this will go" in warning["message"]


def test_an_error_that_nobody_can_take_is_a_line_of_the_log(said: list[dict[str, Any]]) -> None:
    ignored = said[1]
    assert (ignored["message"], ignored["level"]) == ("an error was ignored", "ERROR")
    assert "coroutine object wait" in ignored["where"]
    assert "no running event loop" in ignored["exc_info"]


def test_what_kopf_leaves_unfinished_is_not_said(said: list[dict[str, Any]]) -> None:
    assert len(said) == 2
