"""The plugin where sockets in the file system, hang-ups and handlers of signals are missing."""

import subprocess
import sys

from support.operator import Site

HIDE = """
import asyncio, importlib, pkgutil, signal, socket, sys, types
import aiohttp
unix, hang_up = socket.AF_UNIX, signal.SIGHUP
del socket.AF_UNIX, signal.SIGHUP
import kubectl_weather
for each in pkgutil.walk_packages(kubectl_weather.__path__, "kubectl_weather."):
    if not each.name.endswith("__main__"):
        importlib.import_module(each.name)
# This system's own asyncio needs what another's does not.
socket.AF_UNIX, signal.SIGHUP = unix, hang_up
from kubectl_weather import cli, kubectl
kubectl.socket = types.SimpleNamespace()
def refuse(*_):
    raise NotImplementedError
asyncio.unix_events._UnixSelectorEventLoop.add_signal_handler = refuse
sys.argv[0] = "kubectl-weather"
cli.main()
"""


def weather(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HIDE, *words, "-n", site.namespace],
        env=site.shell.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_commands_read_and_write_over_the_loopback(london: Site) -> None:
    shown = weather(london, "tree")
    assert shown.returncode == 0, shown.stderr
    assert "WeatherApp london" in shown.stdout
    changed = weather(london, "pause", "london")
    assert changed.returncode == 0, changed.stderr
    assert weather(london, "resume", "london").returncode == 0


def test_a_watch_follows_over_the_loopback(london: Site) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HIDE, "tree", "--watch", "-n", london.namespace],
        env=london.shell.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as watch:
        assert watch.stdout
        try:
            assert "WeatherApp london" in watch.stdout.readline()
        finally:
            watch.terminate()
