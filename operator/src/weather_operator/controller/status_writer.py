"""What became of an app, written where people look: its status, the log, metrics and Events."""

import logging
import re
from collections.abc import Iterable
from typing import Any

from weather_operator.kube.apply import difference
from weather_operator.kube.cache import Cache
from weather_operator.kube.client import Client
from weather_operator.kube.errors import ConflictError, NotFoundError, RefusedError
from weather_operator.kube.events import Recorder
from weather_operator.kube.resources import Manifest
from weather_operator.metrics import Metrics
from weather_operator.model import FIELD_MANAGER, WEATHER_APP, WeatherApp
from weather_operator.rollout.state import ROLLING_BACK, ROLLING_OUT, SCALING
from weather_operator.rollout.trial import DRAINING, SHIFTING
from weather_operator.status.conditions import condition
from weather_operator.status.ready import WAITING

log = logging.getLogger(__name__)

_UNDECLARED = re.compile(r"[.]status((?:[.]\w+|\[[^]]*\])+): field not declared in schema")
_SELECTOR = re.compile(r"\[[^]]*\]")

_WHERE = {"manager": FIELD_MANAGER, "subresource": "status"}

_SOON_OVER = (ROLLING_OUT, SCALING, WAITING, SHIFTING, DRAINING)
"""Reasons without an event: somebody has just asked for it, and what comes of it has its own."""


class StatusWriter:
    """Writes a status and only then records what is new in it: at most once, whatever happens."""

    def __init__(self, client: Client, cache: Cache, recorder: Recorder, metrics: Metrics) -> None:
        self._client = client
        self._cache = cache
        self._recorder = recorder
        self._metrics = metrics
        self._undeclared: set[str] = set()

    async def write_status(self, app: WeatherApp, status: Manifest) -> None:
        """Apply the status unless it is there already, and record a transition that matters.

        What an older definition does not declare is left out, since the API server would refuse
        the whole. Raises ConflictError where the app changed meanwhile or is gone, which no watch
        has told.
        """
        body = self._cache.get(WEATHER_APP, app.key)
        manifest = {
            "apiVersion": WEATHER_APP.api_version,
            "kind": WEATHER_APP.name,
            # A uid is ignored here: the version is what keeps it off a newer or another object.
            "metadata": {
                "name": app.key.name,
                "namespace": app.key.namespace,
                "resourceVersion": app.resource_version,
            },
            "status": status,
        }
        if body is not None and not difference(self._declared(manifest), body, **_WHERE):
            return
        answer = await self._apply(app, manifest)
        self._cache.put(WEATHER_APP, answer)
        for outcome in _ended(app.status, answer.get("status", {})):
            self._metrics.rollouts.labels(outcome).inc()
        await self._record_transition(app, status)
        await self._record_ignored_scale(app, status)

    async def record_drift(self, app: WeatherApp, corrections: Iterable[str]) -> None:
        """Tell what of the children others had changed and was put back."""
        for correction in corrections:
            await self._recorder.record(app.reference, "DriftCorrected", correction, warning=False)

    async def _apply(self, app: WeatherApp, manifest: Manifest) -> Manifest:
        """Apply the whole status; what the definition does not declare is left out, if it must be.

        The whole is tried each time: there may be a newer definition by now.
        """
        try:
            answer = await self._client.apply(WEATHER_APP, manifest, force=True, **_WHERE)
        except RefusedError as error:
            # A definition without a status is answered with the same words.
            is_gone = isinstance(error, NotFoundError)
            if is_gone and await self._client.get(WEATHER_APP, app.key) is None:
                # Kept, it would have its children made again for ever.
                self._cache.forget(WEATHER_APP, app.key)
                raise ConflictError(error.status, error.reason, error.message) from error
            # Where the status cannot say it, an event may.
            await self._recorder.record(app.reference, "StatusRefused", error.message, warning=True)
            undeclared = _UNDECLARED.findall(error.message)
            if not undeclared:
                raise
            self._undeclared.update(_SELECTOR.sub("", path) for path in undeclared)
            declared = self._declared(manifest)
            return await self._client.apply(WEATHER_APP, declared, force=True, **_WHERE)
        if manifest != self._declared(manifest):
            self._undeclared.clear()
        return answer

    def _declared(self, manifest: Manifest) -> Manifest:
        status = manifest["status"]
        for path in self._undeclared:
            status = _without(status, path.split(".")[1:])
        return {**manifest, "status": status}

    async def _record_transition(self, app: WeatherApp, status: Manifest) -> None:
        before, after = condition(app.status, "Ready"), condition(status, "Ready")
        if (before.get("status"), before.get("reason")) == (after["status"], after["reason"]):
            return
        log.info(
            "status",
            extra={"app": str(app.key), "ready": after["status"], "reason": after["reason"]},
        )
        if after["reason"] in _SOON_OVER:
            return
        stalled = condition(status, "Stalled")["status"] == "True"
        warning = stalled or after["reason"] in ("Blocked", ROLLING_BACK)
        await self._recorder.record(
            app.reference, after["reason"], after["message"], warning=warning
        )

    async def _record_ignored_scale(self, app: WeatherApp, status: Manifest) -> None:
        """Tell of a `kubectl scale` that came while autoscaling was on already."""
        ignored = status.get("ignoredReplicas")
        news = ignored not in (None, app.status.get("ignoredReplicas"))
        if news and "autoscaling" in app.status:
            message = (
                f"kubectl scale to {ignored} is not used while autoscaling is set: "
                f"change spec.autoscaling ({status['autoscaling']}), or take it away"
            )
            await self._recorder.record(app.reference, "ScaleIgnored", message, warning=True)


def _without(value: Any, path: list[str]) -> Any:
    """Return the value without the field at this path, which leads through each item of lists."""
    if isinstance(value, list):
        return [_without(item, path) for item in value]
    if not isinstance(value, dict):
        return value
    name, *rest = path
    kept = {key: each for key, each in value.items() if rest or key != name}
    return {**kept, name: _without(kept[name], rest)} if name in kept else kept


def _ended(before: Manifest, after: Manifest) -> list[str]:
    """Return the outcomes of the rollouts that have ended between two statuses."""
    known = before.get("history", ())
    return [each["outcome"] for each in after.get("history", ()) if each not in known]
