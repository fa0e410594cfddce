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
    """Return the object in an HTTP response. Raises the PluginError that it stands for."""
    response = _object_in(body)
    if response is None or status >= 300:
        raise error_of(status, body)
    return response


def error_of(status: int, body: bytes) -> PluginError:
    """Return the error that an HTTP response with this status and body stands for."""
    response = _object_in(body)
    if response is None:
        return _error_of_another(status, body.decode(errors="replace").strip())
    message = response.get("message") or f"HTTP {status}"
    details = response.get("details") or {}
    if status == 401:
        return PluginError("the cluster does not know you: log in again, or check the kubeconfig")
    if status == 403:
        return ForbiddenError(f"you lack a right: {message}")
    if status == 404 and not details.get("name"):
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


def _error_of_another(status: int, text: str) -> PluginError:
    """Return the error of what is no API server: kubectl, which did not get through, or a page."""
    if status == 404:
        return NotServedError(_NOT_INSTALLED)
    if status < 300:
        return PluginError(
            "what answers is not Kubernetes: check the server's address in the kubeconfig, "
            f"and any proxy before it: {text[:100]}"
        )
    return unanswered(
        text.removeprefix("Error trying to reach service: ")[:500] or f"HTTP {status}"
    )
