"""The kubectl that runs this plugin, used as the way to the cluster.

kubectl logs in, so every way to log in that a kubeconfig can name works here: `kubectl proxy`
serves the API on a socket that only this user can open or, where there are none (on Windows), on
the loopback below a path that nobody can guess. The official Python client also reads
kubeconfigs, but importing it takes longer than all commands of this plugin take together.
"""

import json
import re
import secrets
import shlex
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from weather_operator.kube.resources import Key

from kubectl_weather.errors import PluginError

LOOPBACK = "127.0.0.1"

_PREFIX = re.compile(r"^([Ee]rror: |Error from server( \(\w+\))?: )")
_CLUSTER_SCOPED = ("--all-namespaces", " weatherreleases", " crd ")
_WRITES = "POST,PUT,PATCH,DELETE"
_POD_TIMEOUT = "10s"
_PROMPT = "Please enter "


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which cluster and namespace, as given with kubectl's flags of the same names."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    all_namespaces: bool = False

    @property
    def flags(self) -> list[str]:
        """kubectl's flags for the cluster, without the namespace."""
        given = {"--kubeconfig": self.kubeconfig, "--context": self.context}
        return [f"{flag}={value}" for flag, value in given.items() if value]

    def with_flags(self, command: str, namespace: str) -> str:
        """Return a kubectl command with the flags that make it reach the same objects."""
        flags = [shlex.quote(flag) for flag in self.flags]
        is_namespaced = not any(part in command for part in _CLUSTER_SCOPED)
        if (self.namespace or self.all_namespaces) and is_namespaced:
            flags.append(f"--namespace={namespace}")
        return " ".join([command, *flags])


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where `kubectl proxy` serves the API: a socket, or a loopback port, and a path's prefix."""

    socket: Path | None = None
    port: int = 0
    prefix: str = field(default="", repr=False)


def start(
    *arguments: str,
    stdout: int | IO[str] = subprocess.PIPE,
    stderr: int | IO[str] = subprocess.PIPE,
) -> subprocess.Popen[str]:
    """Start kubectl in a session of its own, so that Ctrl-C reaches us only. Raises PluginError."""
    try:
        return subprocess.Popen(
            ["kubectl", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except FileNotFoundError:
        raise PluginError("kubectl is not on the PATH: install it, or add its folder") from None
    except OSError as error:
        raise PluginError(f"kubectl cannot be run: {error.strerror}: install it anew") from None


def stop(process: subprocess.Popen[str]) -> None:
    """End a kubectl that was started, and return when it is gone."""
    process.terminate()
    process.wait()
    if process.stdout:
        process.stdout.close()


def run(*arguments: str) -> str:
    """Return what kubectl prints. Raises PluginError with kubectl's own message."""
    process = start(*arguments)
    try:
        out, err = process.communicate()
    finally:
        stop(process)
    if process.returncode:
        raise PluginError(_login_problem(out) or error_message(err))
    return out


def error_message(stderr: str) -> str:
    """Return what kubectl wrote to stderr as one line, without its prefixes."""
    lines = [_PREFIX.sub("", line) for line in stderr.splitlines()]
    messages = [line.strip().removeprefix("* ") for line in lines if line.strip()]
    return "; ".join(messages).replace(":; ", ": ") or "kubectl failed"


def _error_in(log: Path) -> str:
    """Return the error that kubectl has written to a file."""
    return error_message(log.read_text(encoding="utf-8", errors="replace"))


def _login_problem(stdout: str) -> str:
    """Return what is wrong where kubectl asked how to log in, which nobody can answer here."""
    if not stdout.startswith(_PROMPT):
        return ""
    return "kubectl asks for a user name and a password: the kubeconfig has no way to log in"


@contextmanager
def proxy(target: Target, *, read_only: bool = False) -> Iterator[Address]:
    """Give an address that serves the API to this user alone. Raises PluginError."""
    with tempfile.TemporaryDirectory(prefix="kubectl-weather-") as folder:
        path, log = Path(folder, "api"), Path(folder, "log")
        prefix = f"/{secrets.token_urlsafe(32)}"
        place = (
            [f"--unix-socket={path}"]
            if hasattr(socket, "AF_UNIX")
            else [f"--address={LOOPBACK}", "--port=0", f"--api-prefix={prefix}/"]
        )
        arguments = ["proxy", *place, *target.flags]
        if read_only:
            arguments.append(f"--reject-methods={_WRITES}")
        with log.open("w") as stderr:
            process = start(*arguments, stderr=stderr)
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line.startswith("Starting to serve"):
                raise PluginError(_login_problem(line) or _error_in(log))
            opened = re.search(rf"{re.escape(LOOPBACK)}:(\d+)", line)
            yield Address(port=int(opened[1]), prefix=prefix) if opened else Address(socket=path)
        finally:
            stop(process)


def port_forward(target: Target, service: Key, *, local: int, remote: int) -> Iterator[int]:
    """Give the number of the local port, and again each time that it leads to another pod.

    kubectl forwards to one pod and ends with it, which a rollout soon brings about. With 0 a free
    port is found, and kept. Raises PluginError where there is no pod.
    """
    arguments = ("port-forward", f"service/{service.name}", f"--namespace={service.namespace}")
    flags = (f"--address={LOOPBACK}", f"--pod-running-timeout={_POD_TIMEOUT}", *target.flags)
    with tempfile.TemporaryDirectory(prefix="kubectl-weather-") as folder:
        log = Path(folder, "log")
        while True:
            with log.open("w") as stderr:
                process = start(*arguments, f"{local or ''}:{remote}", *flags, stderr=stderr)
            try:
                line = process.stdout.readline() if process.stdout else ""
                opened = re.match(rf"Forwarding from {LOOPBACK}:(\d+)", line)
                if opened is None:
                    raise PluginError(_error_in(log))
                local = int(opened[1])
                yield local
                for _ in process.stdout or ():
                    pass  # a line for each connection
            finally:
                stop(process)


def start_reading_context(target: Target) -> subprocess.Popen[str]:
    """Start the kubectl that prints the kubeconfig's context, to go on meanwhile."""
    return start("config", "view", "--minify", "--output=json", *target.flags)


def namespace_of_context(process: subprocess.Popen[str]) -> str:
    """Return the namespace of the context that is being read, "default" where it names none."""
    out, _ = process.communicate()
    contexts = json.loads(out).get("contexts") if process.returncode == 0 else None
    return (contexts or [{}])[0].get("context", {}).get("namespace") or "default"


def context_name(target: Target) -> str:
    """Return what the user calls the cluster; a kubeconfig need not have a context."""
    try:
        return target.context or run("config", "current-context", *target.flags).strip()
    except PluginError:
        return "this cluster"
