"""The metrics that Prometheus scrapes, on a port of their own.

NGINX answers most requests from its cache: only it knows how many there were, and is read at every
scrape.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from aiohttp import web
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from weather_webapp.build_info import BuildInfo
from weather_webapp.cache import CacheResult
from weather_webapp.weather import ProviderName

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
NGINX_TIMEOUT = 1
NGINX_COUNTS = re.compile(rb"\n\s*\d+\s+\d+\s+(\d+)")


class UpstreamMetrics(Protocol):
    """Counts calls to providers and reads of the cache; labels come from small fixed sets."""

    def count_call(self, provider: str, outcome: str, seconds: float) -> None:
        """Count one HTTP call: the outcome is ok or the value of a Failure."""

    def count_cache(self, result: CacheResult) -> None:
        """Count one read; negative: a failure is remembered and no call was made."""


class NoMetrics:
    """Counts nothing."""

    def count_call(self, provider: str, outcome: str, seconds: float) -> None:
        """Ignore the call."""

    def count_cache(self, result: CacheResult) -> None:
        """Ignore the read."""


NO_METRICS = NoMetrics()


class NginxRequests(Collector):
    """What NGINX counted at the last scrape."""

    total = float("nan")

    def collect(self) -> Iterator[Metric]:
        """Yield the one metric."""
        yield CounterMetricFamily(
            "weather_nginx_requests",
            "Requests that NGINX accepted, with those that it answered from its cache.",
            value=self.total,
        )


class Metrics:
    """All metrics of one process; no label has a value that clients choose."""

    def __init__(self, build: BuildInfo) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("weather_build", "What serves.", registry=registry).info(
            {"version": build.version, "colour": build.colour, "commit": build.commit}
        )
        self._requests = Counter(
            "weather_http_requests_total",
            "Requests that the application answered itself, by address and status.",
            ["route", "method", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "weather_http_request_duration_seconds",
            "How long the application took.",
            ["route"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._nginx = NginxRequests()
        registry.register(self._nginx)
        self._upstream = Counter(
            "weather_upstream_requests_total",
            "Calls to the weather providers by how they ended.",
            ["provider", "outcome"],
            registry=registry,
        )
        self._upstream_seconds = Histogram(
            "weather_upstream_duration_seconds",
            "How long the providers took.",
            ["provider"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._cache = Counter(
            "weather_cache_total",
            "Weather by where it was read from.",
            ["result"],
            registry=registry,
        )
        self._age = Gauge(
            "weather_data_age_seconds",
            "How old the home city's weather is; NaN while there is none.",
            registry=registry,
        )
        self._budget = Gauge(
            "weather_upstream_budget_calls",
            "Upstream calls that may be made now.",
            registry=registry,
        )
        self._budget_limit = Gauge(
            "weather_upstream_budget_calls_per_minute",
            "Upstream calls that this pod may make a minute; the sum over a site's pods is what a "
            "provider must allow.",
            registry=registry,
        )
        self._breakers = Gauge(
            "weather_upstream_breaker_open",
            "1 while no ordinary call is made to this provider.",
            ["provider"],
            registry=registry,
        )

    def count_call(self, provider: str, outcome: str, seconds: float) -> None:
        """Count one call of a provider."""
        self._upstream.labels(provider, outcome).inc()
        self._upstream_seconds.labels(provider).observe(seconds)

    def count_cache(self, result: CacheResult) -> None:
        """Count one read of the weather cache."""
        self._cache.labels(result).inc()

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Count one request and its duration."""
        started = time.perf_counter()
        status = 500
        try:
            response = await handler(request)
            status = response.status
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            route = _route(request)
            self._requests.labels(route, _method(request), str(status)).inc()
            self._seconds.labels(route).observe(time.perf_counter() - started)
        return response

    async def exposition(
        self,
        *,
        data_age: timedelta | None,
        available_calls: float,
        calls_per_minute: int,
        open_breakers: Mapping[ProviderName, bool],
        nginx_status: Path,
    ) -> bytes:
        """Return everything in Prometheus' text format."""
        self._age.set(float("nan") if data_age is None else data_age.total_seconds())
        self._budget.set(available_calls)
        self._budget_limit.set(calls_per_minute)
        for provider, is_open in open_breakers.items():
            self._breakers.labels(provider).set(is_open)
        self._nginx.total = await _nginx_requests(nginx_status)
        return generate_latest(self.registry)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unknown"


def _method(request: web.Request) -> str:
    return request.method if request.method in ("GET", "HEAD") else "other"


async def _nginx_requests(status: Path) -> float:
    """Return the number of requests that NGINX counts, or NaN while it does not answer."""
    try:
        async with asyncio.timeout(NGINX_TIMEOUT):
            reader, writer = await asyncio.open_unix_connection(status)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            match = NGINX_COUNTS.search(await reader.read())
            writer.close()
    except (OSError, TimeoutError):
        match = None
    return float(match[1]) if match else float("nan")
