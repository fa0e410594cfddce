"""Passes a request's `traceparent` header on to the calls that are made on its behalf.

https://www.w3.org/TR/trace-context/
"""

import re
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from aiohttp import web

HEADER = "traceparent"
_FORMAT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_traceparent: ContextVar[str] = ContextVar(HEADER, default="")


@web.middleware
async def propagate_traceparent(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Remember the request's header for `outgoing_headers`; a malformed one is ignored."""
    value = request.headers.get(HEADER, "")
    _traceparent.set(value if _FORMAT.fullmatch(value) else "")
    return await handler(request)


def outgoing_headers() -> dict[str, str]:
    """Return the header to send upstream; nothing when the request has none."""
    value = _traceparent.get()
    return {HEADER: value} if value else {}
