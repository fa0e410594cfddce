"""The operator's own HTTP side: probes and metrics."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from weather_operator.metrics import CONTENT_TYPE, Metrics

log = logging.getLogger(__name__)


@asynccontextmanager
async def serve(
    port: int,
    *,
    metrics: Metrics,
    readiness_problem: Callable[[], str],
    liveness_problem: Callable[[], str],
) -> AsyncIterator[None]:
    """Serve /healthz, /readyz and /metrics on all addresses while the context lasts.

    The problems are described in words, and empty while there are none: `liveness_problem` is what
    only a restart of the process helps against. Raises OSError when the port cannot be had.
    """

    logged = ""

    async def healthz(_: web.Request) -> web.Response:
        nonlocal logged
        problem = liveness_problem()
        if problem and not logged:
            # The kubelet ends the process for it, and what is left then is the log.
            log.error("only a restart helps", extra={"problem": problem})
        logged = problem
        return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)

    async def readyz(_: web.Request) -> web.Response:
        problem = readiness_problem()
        return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)

    async def exposition(_: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.add_routes(
        [
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/metrics", exposition),
        ]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        yield
    finally:
        await runner.cleanup()
