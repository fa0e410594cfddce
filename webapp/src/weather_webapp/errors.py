"""Everything that can go wrong while weather is fetched or a page is requested.

Providers raise ProviderError, what protects them adds when to try again (UpstreamError), and the
handlers turn what a client must know into an HttpError, which `error_middleware` answers.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from aiohttp import web
from aiohttp.typedefs import Middleware

from weather_webapp.weather import ProviderName

log = logging.getLogger(__name__)

Quota = Literal["minute", "hour", "day"]
MESSAGE_KEYS = {404: "not-found", 405: "method"}


class Failure(StrEnum):
    """Why a provider gave no weather; how long to back off depends on this."""

    NO_KEY = "no-key"
    KEY_REFUSED = "key-refused"
    CITY_UNKNOWN = "city-unknown"
    QUOTA_EXCEEDED = "quota-exceeded"
    BUDGET_SPENT = "budget-spent"
    UNAVAILABLE = "unavailable"
    UNREADABLE = "unreadable"


class ProviderError(Exception):
    """A provider gave no weather.

    Carries the kind, the HTTP status, which quota is used up, and names similar to that of an
    unknown city. It never carries addresses or bodies, which may hold the API key.
    """

    def __init__(
        self,
        failure: Failure,
        status: int | None = None,
        *,
        quota: Quota = "minute",
        suggestions: tuple[str, ...] = (),
    ) -> None:
        super().__init__(failure.value if status is None else f"{failure.value} (HTTP {status})")
        self.failure = failure
        self.status = status
        self.quota = quota
        self.suggestions = suggestions


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamFailure:
    """Which provider failed and why; it is not worth trying before `retry_at`."""

    provider: ProviderName
    reason: Failure
    retry_at: datetime
    suggestions: tuple[str, ...] = ()


class UpstreamError(Exception):
    """No provider can answer now; `failure` says why."""

    def __init__(self, failure: UpstreamFailure) -> None:
        super().__init__(f"{failure.provider}: {failure.reason}")
        self.failure = failure


class CityUnknownError(Exception):
    """No provider knows a city of this name; `suggestions` are names to search for instead."""

    def __init__(self, city: str, suggestions: tuple[str, ...] = ()) -> None:
        super().__init__("no city has this name")
        self.city = city
        self.suggestions = suggestions


class CityLookupError(Exception):
    """The city cannot be looked up now; `retry_at` is when it is worth trying again."""

    def __init__(self, city: str, retry_at: datetime) -> None:
        super().__init__("cities cannot be looked up now")
        self.city = city
        self.retry_at = retry_at


class FaultInjectedError(Exception):
    """This request was chosen to fail."""


class HttpError(Exception):
    """A response with this status, in the words `problem.<key>` of the translations.

    A client is asked to wait `retry_after` seconds if that is not None.
    """

    retry_after: int | None = None

    def __init__(
        self, status: int, key: str, suggestions: tuple[str, ...] = (), **values: str
    ) -> None:
        super().__init__(key)
        self.status = status
        self.key = key
        self.suggestions = suggestions
        self.values = values


def error_middleware(render: Callable[[web.Request, HttpError], web.Response]) -> Middleware:
    """Return the middleware that answers every error by `render`.

    The traceback of a bug goes to the log and never to the client.
    """

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        headers = {}
        try:
            return await handler(request)
        except HttpError as raised:
            error = raised
        except FaultInjectedError:
            error = HttpError(500, "fault-injected")
        except web.HTTPException as raised:
            if raised.status < 400:
                raise
            error = HttpError(raised.status, MESSAGE_KEYS.get(raised.status, "refused"))
            headers = {name: raised.headers[name] for name in ("Allow",) if name in raised.headers}
        except Exception:
            log.exception("request failed", extra={"path": request.path})
            error = HttpError(500, "failed")
        response = render(request, error)
        response.headers.update(headers)
        return response

    return middleware
