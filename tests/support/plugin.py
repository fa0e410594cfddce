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
