"""The trace that a request belongs to, for the calls that are made on its behalf.

https://www.w3.org/TR/trace-context/
"""

import re
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from aiohttp import web

HEADER = "traceparent"
_FORM = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_parent: ContextVar[str] = ContextVar(HEADER, default="")


@web.middleware
async def follow(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Remember the request's trace; what is not of the standard's form is nobody's."""
    given = request.headers.get(HEADER, "")
    _parent.set(given if _FORM.fullmatch(given) else "")
    return await handler(request)


def headers() -> dict[str, str]:
    """Return what passes the trace on, nothing where there is none."""
    parent = _parent.get()
    return {HEADER: parent} if parent else {}
