"""What clients got, as NGINX logs it: its own errors and cached pages too, probes apart.

NGINX writes a line a request into a named pipe; the app reads it in pieces of many lines, of which
equal ones are counted at once.
"""

import asyncio
import fcntl
import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
PIPE_BYTES = 1024 * 1024
READ_BYTES = 64 * 1024


class RequestMetrics(Collector):
    """Counts log lines, `route method status seconds`, by route, method, and status class."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._rest = b""
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._buckets: dict[tuple[str, str], list[int]] = {}
        self._seconds: Counter[tuple[str, str]] = Counter()

    def feed(self, data: bytes) -> None:
        """Count the lines of what was read; the last one may go on with what is read next."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line, number in Counter(lines).items():
            try:
                route, method, status, seconds = line.decode("ascii").split()
                self._count(route, method, f"{int(status) // 100}xx", float(seconds), number)
            except ValueError:
                continue

    def _count(self, route: str, method: str, status: str, seconds: float, number: int) -> None:
        self._requests[route, method, status] += number
        buckets = self._buckets.setdefault((route, status), [0] * (len(BUCKETS) + 1))
        buckets[bisect_left(BUCKETS, seconds)] += number
        self._seconds[route, status] += seconds * number  # type: ignore[assignment] # a float

    def collect(self) -> Iterator[Metric]:
        """Yield the counter and the histogram."""
        requests = CounterMetricFamily(
            "weather_http_requests",
            "Requests that NGINX answered, by address and class of status; probes have their own.",
            labels=["version", "route", "method", "status"],
        )
        for (route, method, status), number in self._requests.items():
            requests.add_metric([self._version, route, method, status], number)
        yield requests
        durations = HistogramMetricFamily(
            "weather_http_request_duration_seconds",
            "How long clients waited for NGINX's answer.",
            labels=["version", "route", "status"],
        )
        for (route, status), buckets in self._buckets.items():
            durations.add_metric(
                [self._version, route, status],
                buckets=list(_cumulative(buckets)),
                sum_value=self._seconds[route, status],
            )
        yield durations


def _cumulative(buckets: list[int]) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, number in zip((*BUCKETS, float("inf")), buckets, strict=True):
        total += number
        yield ("+Inf" if bound == float("inf") else str(float(bound))), total


def read_log(path: Path, metrics: RequestMetrics) -> int:
    """Make the named pipe and feed what is written into it; return what to close in the end.

    It is open for writing as well, so that it never ends and NGINX's opening it never waits.
    """
    os.mkfifo(path)
    pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    with suppress(OSError):  # the user's limit may be smaller
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    loop = asyncio.get_running_loop()
    loop.add_reader(pipe, lambda: metrics.feed(os.read(pipe, READ_BYTES)))
    return pipe
