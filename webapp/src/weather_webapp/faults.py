"""Trouble on purpose, off by default, to watch what Kubernetes and the operator make of it.

The probes are spared: what is slow or wrong here is the version, not the pod.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable

from aiohttp import web

from weather_webapp.settings import Settings

log = logging.getLogger(__name__)

PROBES = frozenset({"/healthz", "/readyz"})
CRASH_CODE = 70


class FaultInjectedError(Exception):
    """This request was chosen to fail."""


class Faults:
    """The faults that the settings ask for; `active` names them as they were set."""

    def __init__(self, settings: Settings) -> None:
        wanted = {
            "FAULT_LATENCY_MS": settings.fault_latency_ms,
            "FAULT_ERROR_RATE": settings.fault_error_rate,
            "FAULT_STARTUP": settings.fault_startup,
            "FAULT_CRASH_AFTER_SECONDS": settings.fault_crash_after_seconds,
        }
        self.active = tuple(
            f"{name}={value:{_plain(value)}}" for name, value in wanted.items() if value
        )
        self.never_ready = settings.fault_startup == "never-ready"
        self._startup_fails = settings.fault_startup == "fail"
        self._latency = settings.fault_latency_ms / 1000
        self._error_rate = settings.fault_error_rate
        self._crash_after = settings.fault_crash_after_seconds
        self._asked = 0

    def start(self) -> None:
        """End this process if start-up is to fail, and arrange the crash if there is to be one."""
        if self.active:
            log.warning("faults are injected", extra={"faults": self.active})
        if self._startup_fails:
            sys.exit("weather-webapp: the start fails because FAULT_STARTUP is set to fail.")
        if self._crash_after:
            asyncio.get_running_loop().call_later(self._crash_after, _crash)

    def fails(self) -> bool:
        """Whether the next request is to fail: an exact share of them, evenly spread."""
        before = int(self._asked * self._error_rate)
        self._asked += 1
        return int(self._asked * self._error_rate) > before

    @web.middleware
    async def inject(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Delay the answer, or fail it. Raises FaultInjectedError."""
        if request.path in PROBES:
            return await handler(request)
        await asyncio.sleep(self._latency)
        if self.fails():
            raise FaultInjectedError
        answer = await handler(request)
        # Kept answers would hide from most clients that others are slow or fail.
        answer.headers["Cache-Control"] = "no-store"
        return answer


def _plain(value: object) -> str:
    return "" if isinstance(value, str) else "g"


def _crash() -> None:
    log.error("crash", extra={"code": CRASH_CODE})
    os._exit(CRASH_CODE)
