"""NGINX's configuration; NGINX writes below one directory alone."""

import logging
import os
import re
import resource
import socket
from importlib.resources import files
from pathlib import Path
from string import Template

from weather_webapp.settings import Settings
from weather_webapp.user_agents import TERMINALS

log = logging.getLogger(__name__)

STATUS_SOCKET = "status.sock"
REQUEST_LOG = "requests.fifo"
DRAINING = "draining"
# Each has its memory from the start, about half a kilobyte.
MAX_CONNECTIONS = 8192
SPARE_FILES = 64
# The addresses that metrics tell apart, below the base path.
ROUTES = (
    "/weather.html",
    "/weather.txt",
    "/weather.json",
    "/weather.svg",
    "/api/v1/weather",
    "/api/v1/weather/schema",
    "/api/info",
    "/live",
    "/badge.svg",
    "/favicon.svg",
    "/faults",
)


class Configuration(Template):
    """A template with @, because NGINX uses $ itself."""

    delimiter = "@"


def write_configuration(settings: Settings, scratch: Path, app_socket: Path) -> Path:
    """Write the configuration into `scratch` and return its path."""
    _, open_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A client's connection may need one to the app too.
    connections = min((open_files - SPARE_FILES) // 2, MAX_CONNECTIONS)
    text = (files("weather_webapp") / "nginx.conf").read_text(encoding="utf-8")
    path = scratch / "nginx.conf"
    path.write_text(
        Configuration(text).substitute(
            # As root NGINX would give up the rights by which it reaches the socket; else it cannot.
            user="user root;" if os.getuid() == 0 else "",
            scratch=scratch,
            access_log=_access_log(),
            request_log=scratch / REQUEST_LOG,
            draining=scratch / DRAINING,
            open_files=open_files,
            connections=connections,
            connections_per_client=max(connections // 8, 1),
            routes="\n".join(_route(settings.base_path, path) for path in ROUTES),
            app_socket=app_socket,
            listen=" ".join(f"listen {address};" for address in _addresses(settings.port)),
            base=settings.base_path,
            base_pattern=re.escape(settings.base_path),
            trusted_proxies=" ".join(
                f"set_real_ip_from {network};" for network in settings.trusted_proxies
            ),
            version=settings.version,
            colour=settings.colour,
            status_socket=scratch / STATUS_SOCKET,
            terminals="|".join(TERMINALS),
        ),
        encoding="utf-8",
    )
    return path


def _route(base_path: str, path: str) -> str:
    return f'    "~^{re.escape(base_path + path)}(\\?|$)" {path};'


def _access_log() -> str:
    # NGINX opens what it logs to, and may not open a standard output that it inherits from root.
    try:
        os.close(os.open("/dev/stdout", os.O_WRONLY))
    except OSError as error:
        log.warning("requests are not logged", extra={"reason": str(error)})
        return "off"
    # A write for each line would take a third of NGINX's time; 4 kB are written in one piece.
    return "/dev/stdout json buffer=4k flush=500ms if=$is_logged"


def _addresses(port: int) -> list[str]:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::", 0))
    except OSError:
        return [f"{port}"]
    return [f"{port}", f"[::]:{port}"]
