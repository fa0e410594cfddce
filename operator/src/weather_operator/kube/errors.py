"""How a request to the API can fail: for good, because we were behind, or for now.

`error_of` sorts what an API server answers into these three, which is all that most callers tell
apart: a RefusedError is for people to read, after a ConflictError one looks again, and an
UnavailableError is worth the same request later. Of the refusals a NotFoundError alone says that
there is no such object.
"""

import json
import re
from typing import Any

NAMESPACE_TERMINATING = "NamespaceTerminating"
TIMED_OUT = "TimedOut"
"""The reason where the API server took a request, and did not answer it in time."""

# Under server-side apply an object that breaks the schema is answered with 500 and no reason.
_BREAKS_SCHEMA = ("failed to create typed patch object", "failed to convert new object")
# A webhook chooses the status of its refusal itself: 409 or 429 of it say nothing of the object.
_DENIED = re.compile(r'admission webhook "[^"]*" denied the request')
_LONGEST_QUOTE = 1000


class ApiError(Exception):
    """An error in the API's own words; `reason` is one word, `status` the HTTP status or 0."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


class RefusedError(ApiError):
    """The request cannot succeed as it is: only a person, or a change elsewhere, helps."""


class NotFoundError(RefusedError):
    """There is no object of this name.

    An API server names what it has not found. A 404 without a name is about the kind, which is not
    served just now, or comes from something in between: no object is gone for that.
    """


class ConflictError(ApiError):
    """The object is not what the request took it for: look again, then decide again."""


class UnavailableError(ApiError):
    """The API cannot answer now; the same request may succeed later."""

    def __init__(self, status: int, reason: str, message: str, *, retry_after: float = 0) -> None:
        super().__init__(status, reason, message)
        self.retry_after = retry_after


class NotLeadingError(UnavailableError):
    """A write was not sent, because another process may lead by now."""

    def __init__(self) -> None:
        super().__init__(0, "NotLeading", "not written: another process may lead by now")


class UnconfiguredError(Exception):
    """Neither a service account nor a kubeconfig leads to a cluster."""


def error_of(status: int, data: bytes, retry_after: float = 0) -> ApiError:
    """Return the error that an answer of the API server stands for, or of what is in between."""
    answer = _status_in(data)
    reason, message = answer.get("reason") or "", answer.get("message") or f"HTTP {status}"
    details = answer.get("details") or {}
    if _DENIED.match(message):
        return RefusedError(status, reason or "Refused", message)
    if status == 409:
        return ConflictError(status, reason or "Conflict", message)
    if status == 500 and message.startswith(_BREAKS_SCHEMA):
        return RefusedError(status, "Invalid", message)
    # 410: what a list or a watch went on from is too old; from the start it works.
    if status in (401, 408, 410, 429) or status >= 500:
        after = retry_after or details.get("retryAfterSeconds", 0)
        return UnavailableError(status, reason or "Unavailable", message, retry_after=after)
    if status == 404 and details.get("name"):
        return NotFoundError(status, reason or "NotFound", message)
    if any(cause.get("reason") == NAMESPACE_TERMINATING for cause in details.get("causes") or ()):
        reason = NAMESPACE_TERMINATING
    return RefusedError(status, reason or "Refused", message)


def object_in(data: bytes) -> dict[str, Any] | None:
    """Return the object in an answer; None where it has none, as a proxy's own page."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _status_in(data: bytes) -> dict[str, Any]:
    """Return the API's Status; of what is none, as a proxy's own answer, the text as a message."""
    if (answer := object_in(data)) is not None:
        message, details = answer.get("message"), answer.get("details")
        if isinstance(message, str | None) and isinstance(details, dict | None):
            return answer
    return {"message": data.decode(errors="replace")[:_LONGEST_QUOTE]}
