"""The command line, the signals and the log; every way to end is said in one line.

Two commands: without arguments it runs the operator until SIGTERM or SIGINT, `crds DIRECTORY`
applies the custom resource definitions and ends. Errors come up to `main` unchanged; it alone turns
them into a sentence and an exit code.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from weather_operator import crds, settings
from weather_operator.controller.workqueue import MOST_SET_ASIDE
from weather_operator.kube.client import Client
from weather_operator.kube.connection import connect
from weather_operator.kube.errors import ApiError, RefusedError, UnconfiguredError
from weather_operator.kube.informers import UNRAISABLE
from weather_operator.kube.leader_election import LeaseLostError
from weather_operator.kube.resources import POD, Manifest
from weather_operator.manager import Manager
from weather_operator.metrics import Metrics
from weather_operator.model import FIELD_MANAGER
from weather_operator.server import serve
from weather_operator.settings import Settings, SettingsError

log = logging.getLogger("weather_operator")

_USER_AGENT = FIELD_MANAGER
_LEFTOVER_SECONDS = 5
_LOOK_BACK_SECONDS = 3
_SPARE_CONNECTIONS = 24
"""For the Lease and the lists, while every worker waits for an answer."""


def main() -> None:
    """Run a command; exit with 0 after a signal, 1 on failure, 2 for bad settings or arguments."""
    try:
        chosen = settings.from_environment(os.environ)
    except SettingsError as error:
        sys.exit(_complain(str(error), code=2))
    log_as_json(chosen.log_level)
    try:
        match sys.argv[1:]:
            case []:
                _run_operator(chosen)
            case ["crds", directory]:
                _apply_crds(Path(directory))
            case _:
                sys.exit(_complain("give no arguments, or: crds DIRECTORY", code=2))
    except UnconfiguredError as error:
        sys.exit(_complain(f"no cluster: set KUBECONFIG, or run in a pod ({error})"))


def _run_operator(chosen: Settings) -> None:
    try:
        cause = asyncio.run(_run(chosen))
    except OSError as error:
        sys.exit(_complain(f"HTTP_PORT {chosen.http_port} cannot be served: {error.strerror}"))
    except BaseExceptionGroup as group:
        sys.exit(_explain(group))
    log.info("stopped", extra={"cause": cause})


def _apply_crds(directory: Path) -> None:
    try:
        asyncio.run(_connect_and_apply(crds.read(directory)))
    except (OSError, ValueError, ApiError) as error:
        sys.exit(_complain(f"the custom resource definitions were not applied: {error}"))


async def _connect_and_apply(definitions: Sequence[Manifest]) -> None:
    async with connect(user_agent=_USER_AGENT, observe=lambda *_: None) as connection:
        await crds.apply(Client(connection), definitions)


async def _run(settings: Settings) -> str:
    """Run until SIGTERM or SIGINT, and return which it was. Raises what ended it otherwise."""
    metrics = Metrics()
    signals: list[str] = []

    def observe(verb: str, kind: str, code: int) -> None:
        metrics.requests.labels(verb, kind, str(code)).inc()

    def handle_signals() -> None:
        """Take the signals to us: the first cancels, and a further one hurries."""
        for each in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(each, end, each.name)

    def end(name: str) -> None:
        signals.append(name)
        task.cancel()

    pool_size = settings.workers + MOST_SET_ASIDE + _SPARE_CONNECTIONS
    try:
        async with connect(
            user_agent=_USER_AGENT, observe=observe, pool_size=pool_size
        ) as connection:
            client = Client(connection)
            manager = Manager(client, metrics, settings, handle_signals=handle_signals)
            async with (
                serve(
                    settings.http_port,
                    metrics=metrics,
                    readiness_problem=manager.readiness_problem,
                    liveness_problem=manager.liveness_problem,
                ),
                asyncio.TaskGroup() as group,
            ):
                task = group.create_task(_start(client, settings, manager))
                handle_signals()
    finally:
        await _end_leftover_tasks()
    return signals[0] if signals else ""


async def _start(client: Client, settings: Settings, manager: Manager) -> None:
    """Say that it starts, and how this container ended before; then run."""
    try:
        async with asyncio.timeout(_LOOK_BACK_SECONDS):
            former = await _former_end(client, settings)
    except (ApiError, TimeoutError):
        former = {}  # an API server that does not answer has been logged
    log.info("starting", extra={"identity": settings.pod_name, **former})
    await manager.run()


async def _former_end(client: Client, settings: Settings) -> dict[str, Any]:
    """Return what the pod tells of its container's former process; empty where there was none."""
    one = f"metadata.name={settings.pod_name}"
    pods, _ = await client.list(POD, namespace=settings.pod_namespace, fields=one)
    for pod in pods:
        for container in pod.get("status", {}).get("containerStatuses", ()):
            if ended := container.get("lastState", {}).get("terminated"):
                last_line = ended.get("message", "").strip().rpartition("\n")[2]
                return {
                    "former_end": ended.get("reason", ""),
                    "former_exit_code": ended["exitCode"],
                    "former_end_at": ended.get("finishedAt", ""),
                    "former_last_line": last_line,
                }
    return {}


async def _end_leftover_tasks() -> None:
    """End what kopf started and left behind; one cancellation alone is at times swallowed there."""
    for _ in range(_LEFTOVER_SECONDS):
        if not (tasks := asyncio.all_tasks() - {asyncio.current_task()}):
            return
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=1)


def log_as_json(level: str) -> None:
    """Let everything that this process says be one JSON object per line on standard error.

    What Python itself would print there, warnings and errors that nobody could take, becomes lines
    of the loggers `py.warnings` and `py.unraisable`.
    """
    handler = logging.StreamHandler()
    fields = "{levelname}{name}{message}"
    renamed = {"levelname": "level", "name": "logger"}
    handler.setFormatter(JsonFormatter(fields, style="{", rename_fields=renamed, timestamp="time"))
    logging.basicConfig(level=level, handlers=[handler])
    # What the client library warns of, it also raises.
    logging.getLogger("kubernetes").setLevel(logging.ERROR)
    logging.captureWarnings(True)
    sys.unraisablehook = _log_unraisable


def _log_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    error = unraisable.exc_value
    about = {"where": repr(unraisable.object)}
    logging.getLogger(UNRAISABLE).error("an error was ignored", exc_info=error, extra=about)


def _explain(group: BaseExceptionGroup[BaseException]) -> int:
    """Log why the operator ended; return the exit code."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            _explain(error)
        elif isinstance(error, LeaseLostError):
            log.error("stopped: the lease is lost", extra={"cause": str(error)})
        elif isinstance(error, RefusedError):
            log.error("stopped: grant the chart's roles", extra={"cause": error.message})
        else:
            log.error("stopped by an error", exc_info=error)
    return 1


def _complain(sentence: str, *, code: int = 1) -> int:
    """Print a sentence on standard error; return the exit code."""
    print(f"weather-operator: {sentence}", file=sys.stderr)
    return code
