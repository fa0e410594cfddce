"""The figures that Prometheus reads, on a port of their own."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

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

from weather_webapp.identity import Identity
from weather_webapp.observer import Answered
from weather_webapp.source import Source

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# NGINX answers most requests from what it keeps: only it knows how many there were.
NGINX_PATIENCE = 1
NGINX_COUNTS = re.compile(rb"\n\s*\d+\s+\d+\s+(\d+)")


class NginxRequests(Collector):
    """What NGINX counted when it was asked last."""

    number = float("nan")

    def collect(self) -> Iterator[Metric]:
        """Give the one figure."""
        yield CounterMetricFamily(
            "weather_nginx_requests",
            "Requests that NGINX took, with those that it answered from what it keeps.",
            value=self.number,
        )


class Metrics:
    """All metrics of one process; no label has a value that clients choose.

    Also an `Observer` of the weather's source.
    """

    def __init__(self, who: Identity) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("weather_build", "What serves.", registry=registry).info(
            {"version": who.version, "colour": who.colour, "commit": who.commit}
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
            buckets=SECONDS,
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
            buckets=SECONDS,
            registry=registry,
        )
        self._cache = Counter(
            "weather_cache_total",
            "Reports by how they were had.",
            ["result"],
            registry=registry,
        )
        self._age = Gauge(
            "weather_data_age_seconds",
            "How old the home city's weather is; not a number while there is none.",
            registry=registry,
        )
        self._budget = Gauge(
            "weather_upstream_budget_calls",
            "Upstream calls that may be made now.",
            registry=registry,
        )
        self._breakers = Gauge(
            "weather_upstream_breaker_open",
            "1 while this provider is left alone.",
            ["provider"],
            registry=registry,
        )

    def upstream(self, provider: str, outcome: str, seconds: float) -> None:
        """Count one call of a provider."""
        self._upstream.labels(provider, outcome).inc()
        self._upstream_seconds.labels(provider).observe(seconds)

    def cache(self, result: Answered) -> None:
        """Count one report."""
        self._cache.labels(result).inc()

    @web.middleware
    async def count(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Count one request and its duration."""
        began = time.perf_counter()
        status = 500
        try:
            answer = await handler(request)
            status = answer.status
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            route = _route(request)
            self._requests.labels(route, _method(request), str(status)).inc()
            self._seconds.labels(route).observe(time.perf_counter() - began)
        return answer

    async def exposition(self, source: Source, nginx_status: Path) -> bytes:
        """Return everything in Prometheus' text format."""
        age = source.data_age()
        self._age.set(float("nan") if age is None else age.total_seconds())
        self._budget.set(source.budget_left())
        for provider, is_open in source.open_breakers().items():
            self._breakers.labels(provider).set(is_open)
        self._nginx.number = await _nginx_requests(nginx_status)
        return generate_latest(self.registry)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unknown"


def _method(request: web.Request) -> str:
    return request.method if request.method in ("GET", "HEAD") else "other"


async def _nginx_requests(status: Path) -> float:
    """Return the number of requests that NGINX counts, or not a number while it does not say."""
    try:
        async with asyncio.timeout(NGINX_PATIENCE):
            reader, writer = await asyncio.open_unix_connection(status)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            found = NGINX_COUNTS.search(await reader.read())
            writer.close()
    except (OSError, TimeoutError):
        found = None
    return float(found[1]) if found else float("nan")
