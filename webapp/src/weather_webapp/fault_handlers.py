"""Faults set at run time, for who has FAULT_TOKEN; without that setting there is nothing here.

A pod knows only itself: a change is this pod's, until it ends. Who wants all pods of a version
names it and repeats the request until each has answered; a pod of another version refuses.
"""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from functools import wraps
from http import HTTPStatus
from typing import TypeAlias

from aiohttp import web

from weather_webapp.errors import HttpError
from weather_webapp.fault_injection import MAX_LATENCY_MILLISECONDS, RequestFaults
from weather_webapp.handlers import (
    BUILD_INFO,
    FAULT_INJECTOR,
    RESPONSE_CACHE,
    SETTINGS,
    UNCACHEABLE,
)

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.Response]]
SCHEME = "Bearer "


def add_routes(router: web.UrlDispatcher, base: str) -> None:
    """Add the addresses, each for the token alone."""
    router.add_get(f"{base}/faults", _for_token(show_faults))
    router.add_post(f"{base}/faults", _for_token(set_faults))
    router.add_get(f"{base}/status/{{code:[2-5][0-9][0-9]}}", _for_token(answer_with_status))
    router.add_get(f"{base}/delay/{{seconds:[0-9]|[1-5][0-9]|60}}", _for_token(answer_after_delay))


async def show_faults(request: web.Request) -> web.Response:
    """The faults of this pod's requests."""
    build, faults = request.app[BUILD_INFO], request.app[FAULT_INJECTOR].requests
    body = {
        "pod": build.pod or build.container_short,
        "version": build.version,
        "errorRatePercent": faults.error_rate_percent,
        "latencyMilliseconds": faults.latency_milliseconds,
    }
    return _answer(web.json_response(body))


async def set_faults(request: web.Request) -> web.Response:
    """Give this pod's requests the faults that the body says. Raises HttpError."""
    app, own = request.app, request.app[BUILD_INFO].version
    faults, version = parse_faults(await request.read())
    if version not in (None, own):
        raise HttpError(409, "faults-version", version=own)
    app[FAULT_INJECTOR].change(faults)
    app[RESPONSE_CACHE].clear()  # its pages say which faults are on
    return await show_faults(request)


async def answer_with_status(request: web.Request) -> web.Response:
    """This status."""
    code = int(request.match_info["code"])
    phrase = HTTPStatus(code).phrase if code in set(HTTPStatus) else ""
    return _answer(web.Response(status=code, text=f"{code} {phrase}".rstrip() + "\n"))


async def answer_after_delay(request: web.Request) -> web.Response:
    """200, after so many seconds; NGINX waits no longer than for other answers."""
    seconds = int(request.match_info["seconds"])
    await asyncio.sleep(seconds)
    return _answer(web.json_response({"delaySeconds": seconds}))


def parse_faults(body: bytes) -> tuple[RequestFaults, str | None]:
    """Return the faults in this JSON, and for which version, if it names one. Raises HttpError."""
    try:
        given = json.loads(body)
        version = given.pop("version", None)
        faults = RequestFaults(
            error_rate_percent=_number(given.pop("errorRatePercent", 0), 100),
            latency_milliseconds=_number(
                given.pop("latencyMilliseconds", 0), MAX_LATENCY_MILLISECONDS
            ),
        )
        if given or not isinstance(version, str | None):
            raise ValueError
    except (ValueError, TypeError, AttributeError, RecursionError):
        longest = str(MAX_LATENCY_MILLISECONDS)
        raise HttpError(400, "faults-body", longest=longest) from None
    return faults, version


def _number(value: object, highest: float) -> float:
    """Return a JSON number from 0 to this one. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= highest:
        raise ValueError
    return value


def _for_token(handler: Handler) -> Handler:
    @wraps(handler)
    async def checked(request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        if given[: len(SCHEME)].casefold() != SCHEME.casefold():
            raise HttpError(401, "token-missing")
        token = given[len(SCHEME) :].encode(errors="surrogateescape")
        if not hmac.compare_digest(token, request.app[SETTINGS].fault_token.encode()):
            raise HttpError(403, "token-wrong")
        return await handler(request)

    return checked


def _answer(response: web.Response) -> web.Response:
    response.headers["Cache-Control"] = UNCACHEABLE
    return response
