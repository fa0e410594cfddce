"""Kubernetes Events about one object, counted up rather than repeated.

An Event's name is a hash of what it says about which object. So the same one again is an apply of
the same name with a higher count, which needs no look-up and cannot make two.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable

from weather_operator.kube.client import Client
from weather_operator.kube.errors import ApiError
from weather_operator.kube.resources import EVENT, Manifest

log = logging.getLogger(__name__)

_REMEMBERED = 1024
_LONGEST_MESSAGE = 1024


class Recorder:
    """Writes Events as one component, whose name is also their field manager.

    `now` returns the time in RFC 3339.
    """

    def __init__(self, client: Client, *, component: str, now: Callable[[], str]) -> None:
        self._client = client
        self._component = component
        self._now = now
        self._counts: OrderedDict[str, tuple[str, int]] = OrderedDict()

    async def record(
        self, regarding: Manifest, reason: str, message: str, *, warning: bool
    ) -> None:
        """Write an Event about the object with this apiVersion, kind, name, namespace and uid.

        One that cannot be written is only logged: nothing may depend on an Event.
        """
        event = self._event(regarding, reason, message, warning=warning)
        try:
            await self._client.apply(EVENT, event, manager=self._component, force=True)
        except ApiError as error:
            about = {"kind": regarding["kind"], "object": _name(regarding), "event": reason}
            log.warning("an event was not written", extra={**about, "error": error.message})

    def _event(self, regarding: Manifest, reason: str, message: str, *, warning: bool) -> Manifest:
        type_ = "Warning" if warning else "Normal"
        said = "\0".join((regarding["uid"], type_, reason, message))
        name = f"{regarding['name']}.{hashlib.sha256(said.encode()).hexdigest()[:16]}"
        now = self._now()
        first, count = self._count(name, now)
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {"name": name, "namespace": regarding["namespace"]},
            "involvedObject": regarding,
            "type": type_,
            "reason": reason,
            "message": message[:_LONGEST_MESSAGE],
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "firstTimestamp": first,
            "lastTimestamp": now,
            "count": count,
        }

    def _count(self, name: str, now: str) -> tuple[str, int]:
        """Return when this Event was first recorded and how often it has been, with this time."""
        first, count = self._counts.pop(name, (now, 0))
        self._counts[name] = (first, count + 1)
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
        return first, count + 1


def _name(regarding: Manifest) -> str:
    return f"{regarding['namespace']}/{regarding['name']}"
