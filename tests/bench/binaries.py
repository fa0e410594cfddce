"""How long the programs of a cluster take to build from nothing but the module cache."""

import os
import subprocess
import tempfile
import time

from bench.figures import Figure


def measure() -> list[Figure]:
    """Build everything with empty caches of ours and of the Go compiler."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "XDG_CACHE_HOME": cache, "GOCACHE": f"{cache}/go"}
        began = time.monotonic()
        subprocess.run(["weather-cluster", "build", "--all"], env=environment, check=True)
        seconds = time.monotonic() - began
    return [Figure(name="all programs, cold", values=[seconds], unit="s")]
