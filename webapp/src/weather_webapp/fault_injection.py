"""Faults on purpose, off by default, to watch how Kubernetes and the operator handle them.

Probes are spared: what is slow or wrong here is the version, not the pod.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable

from aiohttp import web

from weather_webapp.errors import FaultInjectedError
from weather_webapp.settings import Settings

log = logging.getLogger(__name__)

PROBES = frozenset({"/healthz", "/readyz"})
CRASH_EXIT_CODE = 70


class FaultInjector:
    """The faults that the settings configure; `active` lists them as they were set."""

    def __init__(self, settings: Settings) -> None:
        configured = {
            "FAULT_LATENCY_MS": settings.fault_latency_ms,
            "FAULT_ERROR_RATE": settings.fault_error_rate,
            "FAULT_STARTUP": settings.fault_startup,
            "FAULT_CRASH_AFTER_SECONDS": settings.fault_crash_after_seconds,
        }
        self.active = tuple(
            f"{name}={value:{_format_spec(value)}}" for name, value in configured.items() if value
        )
        self.never_ready = settings.fault_startup == "never-ready"
        self._startup_fails = settings.fault_startup == "fail"
        self._latency_seconds = settings.fault_latency_ms / 1000
        self._error_rate = settings.fault_error_rate
        self._crash_after_seconds = settings.fault_crash_after_seconds
        self._requests = 0

    def start(self) -> None:
        """End this process if start-up is to fail, and schedule the crash if there is to be one."""
        if self.active:
            log.warning("faults are injected", extra={"faults": self.active})
        if self._startup_fails:
            sys.exit("weather-webapp: the start fails because FAULT_STARTUP is set to fail.")
        if self._crash_after_seconds:
            asyncio.get_running_loop().call_later(self._crash_after_seconds, _crash)

    def should_fail(self) -> bool:
        """Whether the next request is to fail: an exact share of them, evenly spread."""
        before = int(self._requests * self._error_rate)
        self._requests += 1
        return int(self._requests * self._error_rate) > before

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Delay the response, or fail it. Raises FaultInjectedError."""
        if request.path in PROBES:
            return await handler(request)
        await asyncio.sleep(self._latency_seconds)
        if self.should_fail():
            raise FaultInjectedError
        response = await handler(request)
        # Cached pages would hide from most clients that others are slow or fail.
        response.headers["Cache-Control"] = "no-store"
        return response


def _format_spec(value: object) -> str:
    return "" if isinstance(value, str) else "g"


def _crash() -> None:
    log.error("crash", extra={"code": CRASH_EXIT_CODE})
    os._exit(CRASH_EXIT_CODE)
