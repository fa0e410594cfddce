"""What the process says is one JSON object per line, whoever says it."""

import json
import subprocess
import sys
from typing import Any

SCRIPT = """
import asyncio, sys, warnings
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
if sys.argv[1] == "a warning":
    warnings.warn("this will go", FutureWarning)
else:
    left = wait() if sys.argv[1] == "ours" else guard(wait(), name="a watch")
    asyncio.run(begin(left))
    del left
"""


def said(what: str) -> list[dict[str, Any]]:
    """What a process says in which this happens."""
    command = [sys.executable, "-c", SCRIPT, what]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return [json.loads(line) for line in ended.stderr.splitlines()]


def test_a_warning_of_python_is_a_line_of_the_log() -> None:
    (line,) = said("a warning")
    assert (line["logger"], line["level"]) == ("py.warnings", "WARNING")
    assert "this will go" in line["message"]


def test_an_error_that_nobody_can_take_is_a_line_of_the_log() -> None:
    (line,) = said("ours")
    assert (line["message"], line["level"]) == ("an error was ignored", "ERROR")
    assert "coroutine object wait" in line["where"]
    assert "no running event loop" in line["exc_info"]


def test_what_kopf_leaves_unfinished_is_not_said() -> None:
    assert said("kopf's") == []
