"""What can go wrong, each as one sentence for the person at the terminal."""

import json

from weather_operator.kube.resources import Manifest
from weather_operator.model import GROUP

_NOT_INSTALLED = f"this cluster does not know {GROUP}: install the operator first (make install)"


class PluginError(Exception):
    """One sentence: what is wrong, where, and what to do next."""


class NotFoundError(PluginError):
    """There is no such object."""


class NotServedError(PluginError):
    """The cluster does not know this kind."""


class ForbiddenError(PluginError):
    """The user lacks a right, which the API server's message names."""


UNSEEN = (NotFoundError, NotServedError, ForbiddenError)
"""Why a user cannot see a kind that others may."""


class UnansweredError(PluginError):
    """The cluster cannot answer now; it may later."""


class ConflictError(PluginError):
    """The object changed after it was read: read it again."""


def object_of(status: int, body: bytes) -> Manifest:
    """Return the object, or the list, in an HTTP response.

    Raises the PluginError that it stands for where it is none of Kubernetes.
    """
    response = _object_in(body)
    if response is None or status >= 300:
        raise error_of(status, body)
    if not _is_object(response):
        raise _not_kubernetes(body)
    return response


def items_of(status: int, body: bytes) -> tuple[list[Manifest], Manifest]:
    """Return the objects of a list in an HTTP response, and the list's metadata.

    Raises the PluginError that it stands for where it is none.
    """
    response = object_of(status, body)
    items = response.get("items")
    if not isinstance(items, list) or not all(map(_is_object, items)):
        raise _not_kubernetes(body)
    return items, response["metadata"]


def event_of(line: bytes) -> tuple[str, Manifest]:
    """Return what a line of a watch says has happened, and to which object, or what error it is.

    Raises PluginError where it is no such line.
    """
    event = _object_in(line) or {}
    type_, body = event.get("type"), event.get("object")
    if not isinstance(body, dict) or (type_ != "ERROR" and not _is_object(body)):
        raise _not_kubernetes(line)
    return str(type_), body


def error_of(status: int, body: bytes) -> PluginError:
    """Return the error that an HTTP response with this status and body stands for."""
    response = _object_in(body)
    if response is None:
        return _error_of_another(status, body.decode(errors="replace").strip())
    message = response.get("message") or f"HTTP {status}"
    details = response.get("details")
    if status == 401:
        return PluginError("the cluster does not know you: log in again, or check the kubeconfig")
    if status == 403:
        return ForbiddenError(f"you lack a right: {message}")
    if status == 404 and not (isinstance(details, dict) and details.get("name")):
        return NotServedError(_NOT_INSTALLED)
    if status == 404:
        return NotFoundError(message)
    if status == 409:
        return ConflictError(message)
    if status == 429 or status >= 500:
        return UnansweredError(message)
    return PluginError(message)


def unanswered(reason: str) -> UnansweredError:
    """Return the error of a request that got no answer, for this reason."""
    return UnansweredError(f"the cluster does not answer: {reason}")


def _object_in(body: bytes) -> Manifest | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _is_object(body: object) -> bool:
    """Tell whether this is an object of Kubernetes, or a list of them: each has metadata."""
    return isinstance(body, dict) and isinstance(body.get("metadata"), dict)


def _error_of_another(status: int, text: str) -> PluginError:
    """Return the error of what is no API server: kubectl, which did not get through, or a page."""
    if status == 404:
        return NotServedError(_NOT_INSTALLED)
    if status < 300:
        return _not_kubernetes(text.encode())
    return unanswered(
        text.removeprefix("Error trying to reach service: ")[:500] or f"HTTP {status}"
    )


def _not_kubernetes(body: bytes) -> PluginError:
    text = body.decode(errors="replace").strip()
    return PluginError(
        "what answers is not Kubernetes: check the server's address in the kubeconfig, "
        f"and any proxy before it: {text[:100]}"
    )
