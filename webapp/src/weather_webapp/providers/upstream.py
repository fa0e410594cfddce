"""One JSON answer from an upstream, or the kind of failure."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, StreamReader, TCPConnector

from weather_webapp.errors import Failure, ProviderError, Quota
from weather_webapp.metrics import NO_METRICS, UpstreamMetrics
from weather_webapp.propagation import outgoing_headers
from weather_webapp.weather import ProviderName

MAX_BODY_BYTES = 256 * 1024
TIMEOUT = ClientTimeout(total=5, connect=2, sock_read=3)
FAILURES = {
    401: Failure.KEY_REFUSED,
    403: Failure.KEY_REFUSED,
    429: Failure.QUOTA_EXCEEDED,
}


def make_session() -> ClientSession:
    """Return the session for all upstream calls: few connections, short waits, HTTPS_PROXY."""
    connector = TCPConnector(limit=4, ttl_dns_cache=300)
    return ClientSession(timeout=TIMEOUT, connector=connector, trust_env=True)


class Upstream:
    """Calls one provider's addresses; errors and metrics never carry the query."""

    def __init__(
        self,
        session: ClientSession,
        provider: ProviderName,
        metrics: UpstreamMetrics = NO_METRICS,
    ) -> None:
        self._session = session
        self._provider = provider
        self._metrics = metrics

    async def find(self, url: str, query: Mapping[str, str]) -> Any:
        """Return the JSON of a search; that nothing fits the query is CITY_UNKNOWN.

        Raises ProviderError.
        """
        try:
            return await self.get(url, query)
        except ProviderError as error:
            if error.status in (400, 404):
                raise ProviderError(Failure.CITY_UNKNOWN, error.status) from None
            raise

    async def get(self, url: str, query: Mapping[str, str]) -> Any:
        """Return the answer's JSON. Raises ProviderError."""
        loop = asyncio.get_running_loop()
        start, outcome = loop.time(), "cancelled"
        try:
            answer = await self._get(url, query)
            outcome = "ok"
            return answer
        except ProviderError as error:
            outcome = error.failure.value
            raise
        finally:
            self._metrics.count_call(self._provider, outcome, loop.time() - start)

    async def _get(self, url: str, query: Mapping[str, str]) -> Any:
        try:
            call = self._session.get(
                url, params=query, headers=outgoing_headers(), allow_redirects=False
            )
            async with call as answer:
                status, body = answer.status, await _read(answer.content)
        except (TimeoutError, ClientError, OSError, ValueError):
            # The library's errors carry the address, and the address carries the key.
            raise ProviderError(Failure.UNAVAILABLE) from None
        if status != 200:
            raise _error_from(status, body)
        try:
            return json.loads(body, parse_constant=_reject_constant)
        except (ValueError, RecursionError):
            raise ProviderError(Failure.UNREADABLE) from None


async def _read(content: StreamReader) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise ProviderError(Failure.UNREADABLE)
    return bytes(body)


def _error_from(status: int, body: bytes) -> ProviderError:
    reason = body[:1000].lower()
    if status == 429 and b"concurrent" in reason:
        return ProviderError(Failure.UNAVAILABLE, status)
    quota: Quota = "day" if b"daily" in reason else "hour" if b"hourly" in reason else "minute"
    return ProviderError(FAILURES.get(status, Failure.UNAVAILABLE), status, quota=quota)


def _reject_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
