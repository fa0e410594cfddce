"""`kubectl weather`, as a user types it about one site."""

import json
from typing import Any

from support.kubectl import Shell
from support.operator import Site


def weather(site: Site, *words: str) -> str:
    """What a command prints about the site's namespace."""
    return site.shell.kubectl("weather", *words, "-n", site.namespace)


def weather_json(site: Site, *words: str) -> Any:
    """What a command prints about the site's namespace as JSON."""
    return json.loads(weather(site, *words, "--output=json"))


def weather_error(shell: Shell, *words: str, text: str | None = None) -> str:
    """The one sentence with which a command fails."""
    run = shell.run("kubectl", "weather", *words, text=text)
    assert (run.returncode, run.stdout) == (1, ""), run.stdout + run.stderr
    (line,) = run.stderr.splitlines()
    return line


def patch_trial_status(site: Site, **more: Any) -> None:
    """Write the status as it is while a canary gets visitors; no operator may say otherwise."""
    told = {
        "phase": "Analysing",
        "strategy": "Canary",
        "step": 1,
        "steps": 2,
        "weight": {"desired": 10, "set": 10},
        "setAt": "2026-01-01T10:00:10Z",
        "startedAt": "2026-01-01T10:00:00Z",
        "to": "2.0.0",
        "revision": "abc",
        "colour": "green",
        "image": "weather:2.0.0",
        **more,
    }
    patch = json.dumps({"status": {"rollout": told}})
    options = ("--subresource=status", "--type=merge", "-p", patch)
    site.kubectl("patch", f"weatherapp/{site.name}", *options)
