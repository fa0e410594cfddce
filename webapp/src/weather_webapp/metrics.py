"""The metrics that Prometheus scrapes, on a port of their own.

NGINX answers most requests from its cache: only it knows what clients got, and logs it for
`request_metrics`.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Protocol

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
from weather_webapp.request_metrics import BUCKETS, RequestMetrics
from weather_webapp.weather import ProviderName

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
        self.requests = RequestMetrics(build.version)
        registry.register(self.requests)
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


async def accepts_connections(path: Path) -> bool:
    """Whether a server accepts connections at this unix socket."""
    try:
        async with asyncio.timeout(NGINX_TIMEOUT):
            _, writer = await asyncio.open_unix_connection(path)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
