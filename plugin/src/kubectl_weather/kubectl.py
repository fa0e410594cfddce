"""The kubectl that calls this plugin: the way to the cluster, as the viewer's kubeconfig has it.

Every way to log in that kubectl knows works here, because it is kubectl that logs in: `kubectl
proxy` serves the API at a socket that only this user can open. The official Python client, which
reads kubeconfigs too, would take longer to import than all commands of this plugin take together.
"""

import json
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kubectl_weather.errors import PluginError

_PREFIX = re.compile(r"^([Ee]rror: |Error from server( \(\w+\))?: )")
_NO_NAMESPACE = ("--all-namespaces", " weatherreleases", " crd ")
WRITES = "POST,PUT,PATCH,DELETE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which cluster and namespace, as kubectl's flags of the same names say it."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    everywhere: bool = False

    @property
    def flags(self) -> list[str]:
        """Return kubectl's flags for the cluster, without the namespace."""
        given = {"--kubeconfig": self.kubeconfig, "--context": self.context}
        return [f"{flag}={value}" for flag, value in given.items() if value]

    def spell(self, command: str, namespace: str) -> str:
        """Return a kubectl command with the flags that it needs to reach the same objects."""
        flags = [shlex.quote(flag) for flag in self.flags]
        nowhere = any(words in command for words in _NO_NAMESPACE)
        if (self.namespace or self.everywhere) and not nowhere:
            flags.append(f"--namespace={namespace}")
        return " ".join([command, *flags])


def start(
    *words: str, stdout: int | IO[str] = subprocess.PIPE, stderr: int | IO[str] = subprocess.PIPE
) -> subprocess.Popen[str]:
    """Start kubectl in a session of its own: Ctrl-C is ours to handle. Raises PluginError."""
    try:
        return subprocess.Popen(
            ["kubectl", *words],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise PluginError("kubectl is not on the PATH: install it, or add its folder") from None


def stop(process: subprocess.Popen[str]) -> None:
    """End a kubectl that was started, and return when it is gone."""
    process.terminate()
    process.wait()


def run(*words: str) -> str:
    """Return what kubectl printed. Raises PluginError with kubectl's own words."""
    process = start(*words)
    try:
        out, err = process.communicate()
    finally:
        stop(process)
    if process.returncode:
        raise PluginError(words_of(err))
    return out


def words_of(stderr: str) -> str:
    """Return kubectl's complaint as one line without its prefix."""
    lines = [_PREFIX.sub("", line) for line in stderr.splitlines()]
    told = [line.strip().removeprefix("* ") for line in lines if line.strip()]
    return "; ".join(told).replace(":; ", ": ") or "kubectl failed"


@contextmanager
def proxy(target: Target, *, read_only: bool = False) -> Iterator[Path]:
    """Give the socket at which the API is served, to this user alone, while the context lasts."""
    with tempfile.TemporaryDirectory(prefix="kubectl-weather-") as folder:
        socket, said = Path(folder, "api"), Path(folder, "said")
        words = ["proxy", f"--unix-socket={socket}", *target.flags]
        if read_only:
            words.append(f"--reject-methods={WRITES}")
        with said.open("w") as stderr:
            process = start(*words, stderr=stderr)
        try:
            if not (process.stdout and process.stdout.readline()):
                raise PluginError(words_of(said.read_text()))
            yield socket
        finally:
            stop(process)
            if process.stdout:
                process.stdout.close()


def ask_namespace(target: Target) -> subprocess.Popen[str]:
    """Start asking for the namespace of the kubeconfig's context."""
    return start("config", "view", "--minify", "--output=json", *target.flags)


def answered_namespace(asked: subprocess.Popen[str]) -> str:
    """Return the answer; without a context or a namespace in it, kubectl takes "default"."""
    out, _ = asked.communicate()
    contexts = json.loads(out).get("contexts") if asked.returncode == 0 else None
    return (contexts or [{}])[0].get("context", {}).get("namespace") or "default"
