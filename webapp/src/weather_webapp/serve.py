"""The process that serves the application on a unix socket, behind NGINX."""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from weather_webapp.app import make_app, make_metrics_app
from weather_webapp.logs import log_to_stderr
from weather_webapp.nginx import STATUS
from weather_webapp.parts import FAULTS, READINESS
from weather_webapp.settings import Settings

log = logging.getLogger(__name__)

# NGINX keeps its connections to us for a minute: ours must live longer, or it meets closed ones.
KEEPALIVE_SECONDS = 75
FINISH_SECONDS = 5


async def serve(settings: Settings, socket_path: Path) -> None:
    """Serve until SIGTERM; from SIGUSR1 on, `/readyz` says that no more traffic is wanted."""
    app = make_app(settings)
    app[FAULTS].start()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    loop.add_signal_handler(signal.SIGUSR1, app[READINESS].drain)
    runner, metrics = _runner(app), _runner(make_metrics_app(app, socket_path.with_name(STATUS)))
    await runner.setup()
    await metrics.setup()
    try:
        await web.TCPSite(metrics, port=settings.metrics_port).start()
        await web.UnixSite(runner, socket_path).start()
        log.info("app serves", extra={"version": settings.version, "city": settings.city})
        await stopped.wait()
    finally:
        await runner.cleanup()
        await metrics.cleanup()


def _runner(app: web.Application) -> web.AppRunner:
    return web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=KEEPALIVE_SECONDS,
        shutdown_timeout=FINISH_SECONDS,
    )


def main() -> None:
    """Serve on the socket that is named on the command line."""
    log_to_stderr()
    asyncio.run(serve(Settings.read(os.environ), Path(sys.argv[1])))


if __name__ == "__main__":
    main()
