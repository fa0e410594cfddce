"""What can go wrong, each as one sentence for the person at the terminal."""

import json

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


class ConflictError(PluginError):
    """The object changed after it was read: read it again."""


def error_of(status: int, body: bytes) -> PluginError:
    """Return the error that an HTTP response with this status and body stands for."""
    try:
        response = json.loads(body)
    except ValueError:
        if status == 404:
            return NotServedError(_NOT_INSTALLED)
        # Not the API server: kubectl did not get through to it.
        text = body.decode(errors="replace").strip()
        reason = text.removeprefix("Error trying to reach service: ")[:500]
        return PluginError(f"the cluster does not answer: {reason}")
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
    return PluginError(message)
