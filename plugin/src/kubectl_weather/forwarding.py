"""A port of this machine that leads to a Service, for as long as somebody wants it."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from weather_operator.kube.resources import Key

from kubectl_weather import kubectl
from kubectl_weather.errors import PluginError
from kubectl_weather.kubectl import Target

HOST = "127.0.0.1"
_PATIENCE = "10s"


def forward(target: Target, key: Key, *, local: int, remote: int) -> Iterator[int]:
    """Give the number of the local port, and again each time that it leads to another pod.

    kubectl forwards to one pod and ends with it, which in a rollout is soon. With 0 a free port is
    found, and kept. Raises PluginError where there is no pod to lead to.
    """
    words = ("port-forward", f"service/{key.name}", f"--namespace={key.namespace}")
    flags = (f"--address={HOST}", f"--pod-running-timeout={_PATIENCE}", *target.flags)
    with tempfile.TemporaryDirectory(prefix="kubectl-weather-") as folder:
        said = Path(folder, "said")
        while True:
            with said.open("w") as stderr:
                process = kubectl.start(*words, f"{local or ''}:{remote}", *flags, stderr=stderr)
            try:
                line = process.stdout.readline() if process.stdout else ""
                opened = re.match(rf"Forwarding from {HOST}:(\d+)", line)
                if opened is None:
                    raise PluginError(kubectl.words_of(said.read_text()))
                local = int(opened[1])
                yield local
                for _ in process.stdout or ():
                    pass  # a line for each connection
            finally:
                kubectl.stop(process)
                if process.stdout:
                    process.stdout.close()
