"""The container's first process: starts the app, then NGINX, and stops them in reverse order.

Signals are blocked and taken one at a time while `Processes.wait` waits, so that no signal
interrupts anything else. As PID 1 it also reaps orphans.
"""

import logging
import math
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from weather_webapp.logs import log_to_stderr
from weather_webapp.nginx import DRAINING, write_configuration
from weather_webapp.settings import Settings, SettingsError

log = logging.getLogger(__name__)

APP = "app"
NGINX = "nginx"
START_SECONDS = 120
"""More than a startup probe waits: on a node without a processor to spare the kubelet decides."""

NGINX_STOP_SECONDS = 16
APP_STOP_SECONDS = 6
SCRATCH_PREFIX = "weather-webapp-"
EXIT_CODE_SIGTERM = 128 + signal.SIGTERM
SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}


class StopRequested(Exception):  # noqa: N818 - not an error: SIGTERM or SIGINT arrived
    """SIGTERM or SIGINT arrived."""


class ProcessExited(Exception):  # noqa: N818 - not always an error: the code says
    """A process exited that should have gone on; `code` is as a shell reports it."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"{name} exited with code {code}")
        self.name = name
        self.code = code


class Processes:
    """Child processes by name."""

    def __init__(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self._names: dict[int, str] = {}
        self._groups: list[int] = []
        self._stopping: set[str] = set()

    def start(self, name: str, command: list[str]) -> None:
        """Start a process that must not exit before `stop` was called for it."""
        pid = os.posix_spawnp(
            command[0],
            command,
            os.environ,
            setpgroup=0,
            setsigmask=[],
            setsigdef=[signal.SIGPIPE],
        )
        self._names[pid] = name
        self._groups.append(pid)

    def is_running(self, name: str) -> bool:
        """Whether this process exists."""
        return name in self._names.values()

    def signal(self, name: str, number: int) -> None:
        """Send a signal to this process, if it exists."""
        for pid, known in self._names.items():
            if known == name:
                os.kill(pid, number)

    def stop(self, name: str, number: int, seconds: float) -> None:
        """Ask this process to exit, wait, and kill it when it takes longer than this."""
        self._stopping.add(name)
        for attempt in (number, signal.SIGKILL):
            self.signal(name, attempt)
            if self.wait(lambda: not self.is_running(name), seconds):
                return

    def kill(self) -> None:
        """Kill all at once, with the processes that they started."""
        for group in self._groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def wait(self, done: Callable[[], bool], seconds: float, every: float = 0.02) -> bool:
        """Return whether it was done within these seconds, checking as often as this.

        Raises ProcessExited, StopRequested.
        """
        deadline = time.monotonic() + seconds
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            arrived = signal.sigtimedwait(SIGNALS, min(left, every))
            self._reap()
            if arrived and arrived.si_signo != signal.SIGCHLD:
                raise StopRequested
        return True

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            name = self._names.pop(pid, None)
            if name and name not in self._stopping:
                code = os.waitstatus_to_exitcode(status)
                raise ProcessExited(name, code if code >= 0 else 128 - code)


def main() -> None:
    """Run the web app until a signal or the exit of a process; exit with the code that says so."""
    log_to_stderr()
    if sys.argv[1:]:
        print(
            "weather-webapp: give no arguments; settings are environment variables", file=sys.stderr
        )
        sys.exit(2)
    try:
        settings = Settings.read(os.environ)
    except SettingsError as error:
        sys.exit(f"weather-webapp: {error}")
    if shutil.which(NGINX) is None:
        sys.exit("weather-webapp: NGINX is missing. Install the Debian package nginx-light.")
    scratch = make_scratch(Path(tempfile.gettempdir()), first_process=os.getpid() == 1)
    try:
        sys.exit(supervise(settings, scratch))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def make_scratch(parent: Path, *, first_process: bool) -> Path:
    """Return a new directory; the first process of a container removes those of killed ones."""
    if first_process:
        for left in parent.glob(f"{SCRATCH_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=parent))


def supervise(settings: Settings, scratch: Path) -> int:
    """Run app and NGINX; return the exit code.

    0 after an orderly stop, the code of a process that exited by itself, 143 when a second signal
    came during the stop.
    """
    processes = Processes()
    try:
        try:
            _run(processes, settings, scratch)
        except StopRequested:
            _stop(processes, settings.drain_seconds, scratch)
        return 0
    except StopRequested:
        log.warning("second signal: stopping at once")
        return EXIT_CODE_SIGTERM
    except ProcessExited as exited:
        log.error("child ended", extra={"child": exited.name, "code": exited.code})
        return exited.code
    finally:
        processes.kill()


def _run(processes: Processes, settings: Settings, scratch: Path) -> None:
    app_socket = scratch / "app.sock"
    processes.start(APP, [sys.executable, "-m", "weather_webapp.server", str(app_socket)])
    if not processes.wait(lambda: _accepts(app_socket), START_SECONDS):
        log.error("app does not serve yet", extra={"seconds": START_SECONDS})
        raise ProcessExited(APP, 1)
    configuration = write_configuration(settings, scratch, app_socket)
    processes.start(NGINX, [NGINX, "-e", "stderr", "-p", str(scratch), "-c", str(configuration)])
    processes.wait(lambda: False, math.inf, every=3600)


def _stop(processes: Processes, drain_seconds: float, scratch: Path) -> None:
    log.info("draining", extra={"seconds": drain_seconds})
    (scratch / DRAINING).touch()
    processes.signal(APP, signal.SIGUSR1)
    if processes.is_running(NGINX):
        # Clients that do not know yet that we are leaving are still sent here, and still served.
        processes.wait(lambda: False, drain_seconds)
        processes.stop(NGINX, signal.SIGQUIT, NGINX_STOP_SECONDS)
    processes.stop(APP, signal.SIGTERM, APP_STOP_SECONDS)
    log.info("stopped")


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    main()
