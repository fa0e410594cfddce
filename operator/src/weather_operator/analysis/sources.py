"""Where measurements come from: pods' metrics, requests of our own, a Prometheus server.

Each answers in time whatever the other side does, and what is no measurement has a reason in words.
All apps share one session, and with it a bound of what is asked at the same time: one for pods and
probes, a smaller one for Prometheus, which answers for everybody.
"""

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from weather_operator.analysis.counters import Sample, SampleError, parse_sample
from weather_operator.analysis.evaluate import ProbeAnswers, QueryAnswer
from weather_operator.analysis.fetch import SourceError, read

SCRAPE_SECONDS = 2.0
PROBE_SECONDS = 7.0
"""Longer than a page takes to give up itself, which is an answer."""

QUERY_SECONDS = 5.0

_PODS_AT_ONCE = 128
_PROBES_AT_ONCE = 4
_QUERIES_AT_ONCE = 8
_LARGEST_SAMPLE = 1024 * 1024
_LARGEST_PAGE = 4 * 1024 * 1024
_LARGEST_RESULT = 256 * 1024
_KEEPALIVE_SECONDS = 30
# What Prometheus remarks about the query itself; its other warnings are of data that it lacks, as
# where one of several stores is away.
_OF_QUERY = "PromQL "


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusServer:
    """Where a Prometheus server's HTTP API is; the token is read anew for each query."""

    url: str
    token_file: str = ""
    ca_file: str = ""


class Sources:
    """What every analysis measures with; to be entered before it is used."""

    def __init__(
        self, *, prometheus: PrometheusServer | None = None, pods_at_once: int = _PODS_AT_ONCE
    ) -> None:
        self._prometheus = prometheus
        self._pods = asyncio.Semaphore(pods_at_once)
        self._queries = asyncio.Semaphore(_QUERIES_AT_ONCE)
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> "Sources":
        # How many are open at once the semaphores say, so that no time-out runs in a queue.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_SECONDS)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def scrape(self, host: str, port: int) -> Sample:
        """Read what a pod has counted. Raises SourceError."""
        url = URL.build(scheme="http", host=host, port=port, path="/metrics")
        async with self._pods:
            status, body = await read(
                self._session, "GET", url, seconds=SCRAPE_SECONDS, most_bytes=_LARGEST_SAMPLE
            )
        if status != 200:
            raise SourceError(f"answers with HTTP {status} in place of its metrics")
        try:
            return parse_sample(body)
        except SampleError as error:
            raise SourceError(f"is not believed: {error}") from error

    async def probe(self, url: URL, *, requests: int, version: str, seconds: float) -> ProbeAnswers:
        """Make so many requests within so many seconds, each over a connection of its own.

        They are no evidence where a page of another version answers than is to be probed.
        """
        statuses: Counter[str] = Counter()
        others: set[str] = set()
        unanswered = 0
        left = iter(range(requests))

        async def ask() -> None:
            nonlocal unanswered
            for _ in left:
                try:
                    status, found = await self._page(url)
                except SourceError:
                    unanswered += 1
                else:
                    statuses[f"{status // 100}xx"] += 1
                    if found and version and found != version:
                        others.add(found)

        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for _ in range(_PROBES_AT_ONCE):
                    group.create_task(ask())
        except TimeoutError:
            # What was under way or had no turn is as good as not answered.
            unanswered = requests - statuses.total()
        problem = ""
        if others:
            problem = f"version {min(others)} answers where {version} is to be probed"
        return ProbeAnswers(statuses=dict(statuses), unanswered=unanswered, problem=problem)

    async def query(self, query: str) -> QueryAnswer:
        """Return the one number that a query gives, or why there is none."""
        server = self._prometheus
        if server is None:
            return QueryAnswer(problem="the operator knows no Prometheus: set PROMETHEUS_URL")
        try:
            headers = await asyncio.to_thread(_authorization, server)
            context = await asyncio.to_thread(_context, server)
            async with self._queries:
                status, body = await read(
                    self._session,
                    "POST",
                    URL(server.url.rstrip("/") + "/api/v1/query"),
                    seconds=QUERY_SECONDS,
                    most_bytes=_LARGEST_RESULT,
                    headers=headers,
                    form={"query": query, "timeout": f"{QUERY_SECONDS:g}s"},
                    ssl=context,
                )
        except SourceError as error:
            return QueryAnswer(problem=f"Prometheus {error}")
        return parse_result(status, body)

    async def _page(self, url: URL) -> tuple[int, str]:
        """Return the status of a page and the version that it says. Raises SourceError."""
        versions: list[str] = []

        def keep(headers: Mapping[str, str]) -> None:
            versions.append(headers.get("X-App-Version", ""))

        async with self._pods:
            status, _ = await read(
                self._session,
                "GET",
                url,
                seconds=PROBE_SECONDS,
                most_bytes=_LARGEST_PAGE,
                # A new connection each time, so that each may come to another pod.
                headers={"Connection": "close", "User-Agent": "weather-operator"},
                keep_headers=keep,
            )
        return status, versions[0]


def parse_result(status: int, body: bytes) -> QueryAnswer:
    """Read the answer of Prometheus' HTTP API to an instant query.

    https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
    """
    try:
        answer: Any = json.loads(body)
        if answer["status"] != "success":
            text = f"{answer.get('errorType', 'error')}: {answer.get('error', '')}"
            return QueryAnswer(problem=f"Prometheus refuses the query: {_short(text)}")
        if gaps := [
            each for each in answer.get("warnings") or () if not each.startswith(_OF_QUERY)
        ]:
            problem = f"Prometheus does not vouch for the whole answer: {_short(gaps[0])}"
            return QueryAnswer(problem=problem)
        kind, result = answer["data"]["resultType"], answer["data"]["result"]
        if kind == "vector":
            if not result:
                return QueryAnswer(problem="the query gives no series: nothing matches it")
            if len(result) > 1:
                problem = f"the query gives {len(result)} series: aggregate them to one"
                return QueryAnswer(problem=problem)
            value = float(result[0]["value"][1])
        elif kind == "scalar":
            value = float(result[1])
        else:
            return QueryAnswer(problem=f"the query gives a {_short(kind)}, not one number")
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        problem = f"what answers at PROMETHEUS_URL with HTTP {status} is no Prometheus"
        if status in (401, 403):
            problem = f"HTTP {status}: see whether PROMETHEUS_TOKEN_FILE has a token that is let in"
        return QueryAnswer(problem=problem)
    return QueryAnswer(value=value)


def _authorization(server: PrometheusServer) -> dict[str, str]:
    if not server.token_file:
        return {}
    try:
        token = Path(server.token_file).read_text().strip()
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot be asked: PROMETHEUS_TOKEN_FILE: {error}") from error
    if not (token.isascii() and token.isprintable()):
        raise SourceError("cannot be asked: PROMETHEUS_TOKEN_FILE has more than a token")
    return {"Authorization": f"Bearer {token}"}


def _context(server: PrometheusServer) -> ssl.SSLContext | bool:
    if not server.ca_file:
        return True
    try:
        return ssl.create_default_context(cafile=server.ca_file)
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot be asked: PROMETHEUS_CA_FILE: {error}") from error


def _short(text: object) -> str:
    return "".join(c if c.isprintable() else " " for c in str(text))[:200]
