"""The container's first process: starts the app, then NGINX, and stops them in the other order."""

import logging
import math
import os
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path

from weather_webapp.children import ChildEnded, Children, StopRequested
from weather_webapp.logs import log_to_stderr
from weather_webapp.nginx import write_configuration
from weather_webapp.settings import Settings, SettingsError

log = logging.getLogger(__name__)

APP = "app"
NGINX = "nginx"
START_SECONDS = 20
NGINX_SECONDS = 16
APP_SECONDS = 6
SCRATCH_PREFIX = "weather-webapp-"
ENDED_BY_SIGNAL = 128 + signal.SIGTERM


def main() -> None:
    """Run the web app until a signal or the end of a process, and exit with the code that tells."""
    log_to_stderr()
    try:
        settings = Settings.read(os.environ)
    except SettingsError as error:
        sys.exit(f"weather-webapp: {error}")
    if shutil.which(NGINX) is None:
        sys.exit("weather-webapp: NGINX is missing. Install the Debian package nginx-light.")
    scratch = make_scratch(Path(tempfile.gettempdir()), first_process=os.getpid() == 1)
    try:
        sys.exit(launch(settings, scratch))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def make_scratch(parent: Path, *, first_process: bool) -> Path:
    """Return a new directory; the first process of a container removes what a killed one left."""
    if first_process:
        for left in parent.glob(f"{SCRATCH_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=parent))


def launch(settings: Settings, scratch: Path) -> int:
    """Run app and NGINX; return the exit code.

    0 after an orderly stop, the code of a process that ended by itself, 143 when a second signal
    came during the stop.
    """
    children = Children()
    try:
        try:
            _run(children, settings, scratch)
        except StopRequested:
            _stop(children, settings.drain_seconds)
        return 0
    except StopRequested:
        log.warning("second signal: stopping at once")
        return ENDED_BY_SIGNAL
    except ChildEnded as ended:
        log.error("child ended", extra={"child": ended.name, "code": ended.code})
        return ended.code
    finally:
        children.kill()


def _run(children: Children, settings: Settings, scratch: Path) -> None:
    app_socket = scratch / "app.sock"
    children.start(APP, [sys.executable, "-m", "weather_webapp.serve", str(app_socket)])
    if not children.wait(lambda: _answers(app_socket), START_SECONDS):
        raise ChildEnded(APP, 1)
    configuration = write_configuration(settings, scratch, app_socket)
    children.start(NGINX, [NGINX, "-e", "stderr", "-p", str(scratch), "-c", str(configuration)])
    children.wait(lambda: False, math.inf, every=3600)


def _stop(children: Children, drain_seconds: float) -> None:
    log.info("draining", extra={"seconds": drain_seconds})
    children.signal(APP, signal.SIGUSR1)
    if children.runs(NGINX):
        # Clients that have not yet heard that we leave are still sent here, and still served.
        children.wait(lambda: False, drain_seconds)
        children.stop(NGINX, signal.SIGQUIT, NGINX_SECONDS)
    children.stop(APP, signal.SIGTERM, APP_SECONDS)
    log.info("stopped")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    main()
