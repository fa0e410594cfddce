"""Events about WeatherApps, counted up rather than repeated."""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable

from weather_operator.kube.client import Client
from weather_operator.kube.errors import ApiError
from weather_operator.kube.resources import EVENT, Manifest
from weather_operator.model import FIELD_MANAGER

log = logging.getLogger(__name__)

_REMEMBERED = 1024


class Recorder:
    """Writes Events. One of the same words about the same object is one Event with a count.

    `now` gives the time in RFC 3339.
    """

    def __init__(self, client: Client, *, now: Callable[[], str]) -> None:
        self._client = client
        self._now = now
        self._seen: OrderedDict[str, tuple[str, int]] = OrderedDict()

    async def record(self, regarding: Manifest, reason: str, message: str, *, warning: bool) -> None:
        """Tell what happened. An Event that cannot be written is only logged: the status has it."""
        event = self._event(regarding, reason, message, warning=warning)
        try:
            await self._client.apply(EVENT, event, manager=FIELD_MANAGER, force=True)
        except ApiError as error:
            log.warning(
                "an event was not written",
                extra={"app": f"{regarding['namespace']}/{regarding['name']}", "event": reason, "error": error.message},
            )

    def _event(self, regarding: Manifest, reason: str, message: str, *, warning: bool) -> Manifest:
        type_ = "Warning" if warning else "Normal"
        words = "\0".join((regarding["uid"], type_, reason, message))
        # The name follows from the words, so that a second one counts up and needs no look-up.
        name = f"{regarding['name']}.{hashlib.sha256(words.encode()).hexdigest()[:16]}"
        now = self._now()
        first, count = self._count(name, now)
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {"name": name, "namespace": regarding["namespace"]},
            "involvedObject": regarding,
            "type": type_,
            "reason": reason,
            "message": message[:1024],
            "source": {"component": FIELD_MANAGER},
            "reportingComponent": FIELD_MANAGER,
            "firstTimestamp": first,
            "lastTimestamp": now,
            "count": count,
        }

    def _count(self, name: str, now: str) -> tuple[str, int]:
        first, count = self._seen.pop(name, (now, 0))
        self._seen[name] = (first, count + 1)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return first, count + 1
