"""The process: its command line, signals and log; every way to end is told in one line."""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from pythonjsonlogger.json import JsonFormatter

from weather_operator import crds as definitions
from weather_operator import settings
from weather_operator.kube.client import Client, connect
from weather_operator.kube.errors import ApiError, RefusedError, UnconfiguredError
from weather_operator.kube.leader_election import LeaseLostError
from weather_operator.manager import Operator
from weather_operator.metrics import Metrics
from weather_operator.server import serve
from weather_operator.settings import Settings, SettingsError

log = logging.getLogger("weather_operator")

_STRAY_SECONDS = 5


async def run(settings: Settings) -> None:
    """Run the operator until SIGTERM or SIGINT. Raises what ended it otherwise."""
    metrics = Metrics()

    def observe(verb: str, kind: str, code: int) -> None:
        metrics.requests.labels(verb, kind, str(code)).inc()

    try:
        async with connect(observe=observe) as connection:
            client = Client(connection)
            operator = Operator(
                client, metrics, settings, handle_signals=lambda: _stop_on_signals(task)
            )
            async with (
                serve(
                    settings.http_port,
                    metrics=metrics,
                    is_ready=lambda: operator.ready,
                    liveness_problem=operator.liveness_problem,
                ),
                asyncio.TaskGroup() as group,
            ):
                task = group.create_task(operator.run())
                _stop_on_signals(task)
    finally:
        await _end_strays()


async def _end_strays() -> None:
    """End what kopf started and left behind; one cancellation alone is at times swallowed there."""
    for _ in range(_STRAY_SECONDS):
        if not (strays := asyncio.all_tasks() - {asyncio.current_task()}):
            return
        for stray in strays:
            stray.cancel()
        await asyncio.wait(strays, timeout=1)


def _stop_on_signals(task: asyncio.Task[None]) -> None:
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, task.cancel)


def main() -> None:
    """Start the operator; exit with 0 after a signal, 1 on failure, 2 for bad settings.

    `crds DIRECTORY` keeps the custom resource definitions instead, and ends.
    """
    try:
        chosen = settings.from_environment(os.environ)
    except SettingsError as error:
        sys.exit(_complain(str(error), code=2))
    _log_as_json(chosen.log_level)
    try:
        match sys.argv[1:]:
            case []:
                _operate(chosen)
            case ["crds", directory]:
                _keep_definitions(Path(directory))
            case _:
                sys.exit(_complain("give no arguments, or: crds DIRECTORY", code=2))
    except UnconfiguredError as error:
        sys.exit(_complain(f"no cluster: set KUBECONFIG, or run in a pod ({error})"))


def _operate(chosen: Settings) -> None:
    try:
        asyncio.run(run(chosen))
    except OSError as error:
        sys.exit(_complain(f"HTTP_PORT {chosen.http_port} cannot be served: {error.strerror}"))
    except BaseExceptionGroup as group:
        sys.exit(_explain(group))
    log.info("stopped")


def _keep_definitions(directory: Path) -> None:
    try:
        asyncio.run(definitions.keep(definitions.read(directory)))
    except (OSError, ValueError, ApiError) as error:
        sys.exit(_complain(f"the custom resource definitions were not applied: {error}"))


def _log_as_json(level: str) -> None:
    handler = logging.StreamHandler()
    fields = "{levelname}{name}{message}"
    renamed = {"levelname": "level", "name": "logger"}
    handler.setFormatter(JsonFormatter(fields, style="{", rename_fields=renamed, timestamp="time"))
    logging.basicConfig(level=level, handlers=[handler])
    # What the client library warns of, it also raises.
    logging.getLogger("kubernetes").setLevel(logging.ERROR)


def _explain(group: BaseExceptionGroup[BaseException]) -> int:
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
    print(f"weather-operator: {sentence}", file=sys.stderr)
    return code
