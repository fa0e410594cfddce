"""Faults on purpose, off by default, to watch how Kubernetes and the operator handle them.

Those of requests can be changed while this process runs, by who has the token. Probes are spared:
what is slow or wrong here is the version, not the pod.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from weather_webapp.errors import FaultInjectedError
from weather_webapp.settings import Settings

log = logging.getLogger(__name__)

PROBES = frozenset({"/healthz", "/readyz"})
CRASH_EXIT_CODE = 70
MAX_LATENCY_MILLISECONDS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFaults:
    """Which share of the requests fails, and how much later every answer comes."""

    error_rate_percent: float = 0
    latency_milliseconds: float = 0


class FaultInjector:
    """The faults that the settings configure; those of requests are what `requests` says now.

    Requests of `exempt` paths, and the probes, have none.
    """

    def __init__(self, settings: Settings, exempt: frozenset[str] = frozenset()) -> None:
        self.requests = RequestFaults(
            error_rate_percent=settings.fault_error_rate * 100,
            latency_milliseconds=settings.fault_latency_ms,
        )
        self.never_ready = settings.fault_startup == "never-ready"
        self.may_change = bool(settings.fault_token)
        self._startup = settings.fault_startup
        self._crash_after_seconds = settings.fault_crash_after_seconds
        self._exempt = PROBES | exempt
        self._received = 0

    @property
    def active(self) -> tuple[str, ...]:
        """The faults that are on, as the settings name them."""
        configured = {
            "FAULT_LATENCY_MS": self.requests.latency_milliseconds,
            "FAULT_ERROR_RATE": self.requests.error_rate_percent / 100,
            "FAULT_STARTUP": self._startup,
            "FAULT_CRASH_AFTER_SECONDS": self._crash_after_seconds,
        }
        return tuple(
            f"{name}={value:{_format_spec(value)}}" for name, value in configured.items() if value
        )

    def start(self) -> None:
        """End this process if start-up is to fail, and schedule the crash if there is to be one."""
        if self.active:
            log.warning("faults are injected", extra={"faults": self.active})
        if self._startup == "fail":
            sys.exit("weather-webapp: the start fails because FAULT_STARTUP is set to fail.")
        if self._crash_after_seconds:
            asyncio.get_running_loop().call_later(self._crash_after_seconds, _crash)

    def change(self, requests: RequestFaults) -> None:
        """Let requests have these faults from now on."""
        if requests != self.requests:
            self.requests = requests
            log.warning("faults changed", extra={"faults": self.active})

    def should_fail(self) -> bool:
        """Whether the next request is to fail: an exact share of them, evenly spread."""
        percent, before = self.requests.error_rate_percent, self._received
        self._received += 1
        return int(self._received * percent / 100) > int(before * percent / 100)

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Delay the response, or fail it. Raises FaultInjectedError."""
        if request.path in self._exempt:
            return await handler(request)
        await asyncio.sleep(self.requests.latency_milliseconds / 1000)
        if self.should_fail():
            raise FaultInjectedError
        response = await handler(request)
        # Cached pages would hide that others are slow or fail, now or once that is wanted.
        response.headers["Cache-Control"] = "no-store"
        return response


def _format_spec(value: object) -> str:
    return "" if isinstance(value, str) else "g"


def _crash() -> None:
    log.error("crash", extra={"code": CRASH_EXIT_CODE})
    os._exit(CRASH_EXIT_CODE)
