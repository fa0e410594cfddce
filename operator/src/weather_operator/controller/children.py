"""The children of one app, brought to their manifests: nothing is written that is so already."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from weather_operator import render
from weather_operator.kube.apply import Difference, difference
from weather_operator.kube.cache import Cache
from weather_operator.kube.client import Client
from weather_operator.kube.errors import NAMESPACE_TERMINATING, ConflictError, RefusedError
from weather_operator.kube.resources import (
    AUTOSCALER,
    DEPLOYMENT,
    HTTP_ROUTE,
    SERVICE,
    Key,
    Kind,
    Manifest,
    controller_of,
)
from weather_operator.model import (
    CHILDREN,
    FIELD_MANAGER,
    REPLICAS_MANAGER,
    WEATHER_APP,
    WeatherApp,
    is_ours,
)
from weather_operator.status.blockers import Blocker

log = logging.getLogger(__name__)

_NO_GATEWAY_API = (
    "the cluster has no gateway.networking.k8s.io/v1: install the Gateway API, which is noticed "
    "within seconds, or take spec.gateway away"
)


@dataclass(slots=True)
class Written:
    """What came of writing: whether anything was, what the API refused, and what was put back."""

    anything: bool = False
    apply_errors: list[Blocker] = field(default_factory=list)
    corrections: list[str] = field(default_factory=list)


class Children:
    """Writes the children of one app in one pass.

    `after_child_event` says that the pass follows a change of a child: what is missing then was taken away.
    """

    def __init__(
        self, client: Client, cache: Cache, app: WeatherApp, *, after_child_event: bool
    ) -> None:
        self._client = client
        self._cache = cache
        self._app = app
        self._after_child_event = after_child_event
        self.written = Written()

    async def bring(self, wanted: Sequence[tuple[Kind, Manifest]]) -> None:
        """Delete the kinds that are wanted no longer and apply what differs from its manifest.

        What the API refuses is noted and hinders no other child. Raises RefusedError when the
        namespace ends, ConflictError when the cache is behind.
        """
        kinds = [kind for kind, _ in wanted]
        for kind in CHILDREN:
            if kind not in kinds or (kind is AUTOSCALER and self._recreate_autoscaler()):
                await self._attempt(kind, None)
        for kind, manifest in wanted:
            await self._attempt(kind, manifest)

    async def _attempt(self, kind: Kind, manifest: Manifest | None) -> None:
        try:
            if manifest:
                await self._write(kind, manifest)
            else:
                await self._prune(kind)
        except RefusedError as error:
            if error.reason == NAMESPACE_TERMINATING:
                raise
            self.written.apply_errors.append(refused(kind, self._app.key, error))

    def _recreate_autoscaler(self) -> bool:
        """Tell whether the pods begin at 0 or with a new Deployment: so must their autoscaler.

        It stops where somebody scaled to 0, and only before it is there is the first number ours.
        """
        live = self._owned(DEPLOYMENT)
        return live is None or live["spec"]["replicas"] == 0

    async def _write(self, kind: Kind, manifest: Manifest) -> None:
        live = self._cache.get(kind, self._app.key)
        if live is None:
            # Only what carries our label is watched; whatever else has the name is found here.
            live = await self._client.get(kind, self._app.key)
        if live and not is_ours(live, self._app):
            _refuse_foreign(kind, live, self._app)
        if live:
            self._cache.put(kind, live)
        if kind is SERVICE and live and _changes_class(manifest, live):
            await self._apply(
                kind, render.service_without_load_balancer(self._app), live, FIELD_MANAGER
            )
            live = self._cache.get(kind, self._app.key)
        await self._apply(kind, manifest, live, FIELD_MANAGER)
        if kind is DEPLOYMENT and await self._sets_replicas():
            live = self._cache.get(kind, self._app.key)
            await self._apply(kind, render.replicas(self._app), live, REPLICAS_MANAGER)

    async def _sets_replicas(self) -> bool:
        """Tell whether the number of pods is ours to set: never while an autoscaler is there."""
        app = self._app
        if self._owned(AUTOSCALER):
            return False
        if app.autoscaling is None:
            return True
        live = self._cache.get(DEPLOYMENT, app.key)
        if live and live["spec"]["replicas"] >= app.first_replicas:
            return False
        return await self._client.get(AUTOSCALER, app.key) is None

    async def _apply(
        self, kind: Kind, manifest: Manifest, live: Manifest | None, manager: str
    ) -> None:
        """Apply the manifest unless the live object is as declared already."""
        found = difference(manifest, live, manager=manager) if live else Difference()
        if live and not found:
            return
        if live:
            # An object that was replaced meanwhile is refused rather than adopted.
            uid = live["metadata"]["uid"]
            manifest = {**manifest, "metadata": {**manifest["metadata"], "uid": uid}}
        try:
            answer = await self._client.apply(
                kind, manifest, manager=manager, force=live is not None
            )
        except ConflictError:
            self._cache.forget(kind, self._app.key)
            raise
        self._cache.put(kind, answer)
        self.written.anything = True
        self._note(kind, found, manager, is_new=live is None)

    def _note(self, kind: Kind, found: Difference, manager: str, *, is_new: bool) -> None:
        named = {"app": str(self._app.key), "kind": kind.name, "manager": manager}
        log.info("applied", extra={**named, "is_new": is_new, **_shown(found)})
        if correction := self._correction(kind, found, is_new=is_new):
            self.written.corrections.append(correction)

    def _correction(self, kind: Kind, found: Difference, *, is_new: bool) -> str | None:
        """Return what a person is told about a repair; None where the wish itself was new.

        What is missing may also be new in this release of the operator: it counts as taken away
        only where something after_child_event to a child just now.
        """
        if self._app.status.get("observedGeneration") != self._app.generation:
            return None
        if is_new:
            return f"{kind.name} was deleted and is made again" if self._after_child_event else None
        fields = found.edited + (found.missing if self._after_child_event else ())
        return f"{kind.name}: {', '.join(fields)} put back" if fields else None

    async def _prune(self, kind: Kind) -> None:
        """Delete a child that the app wants no longer, if it is ours."""
        live = self._owned(kind)
        if live and "deletionTimestamp" not in live["metadata"]:
            await self._client.delete(kind, self._app.key, uid=live["metadata"]["uid"])
            self._cache.forget(kind, self._app.key)
            self.written.anything = True
            log.info("deleted", extra={"app": str(self._app.key), "kind": kind.name})

    def _owned(self, kind: Kind) -> Manifest | None:
        live = self._cache.get(kind, self._app.key)
        return live if live and is_ours(live, self._app) else None


def _changes_class(manifest: Manifest, live: Manifest) -> bool:
    """Tell whether a load balancer is to become one of another class, which the API refuses."""
    if not manifest["spec"]["type"] == live["spec"]["type"] == "LoadBalancer":
        return False
    found = difference(manifest, live, manager=FIELD_MANAGER)
    changed = (*found.edited, *found.missing, *found.outdated, *found.leftover)
    return "spec.loadBalancerClass" in changed


def _refuse_foreign(kind: Kind, live: Manifest, app: WeatherApp) -> NoReturn:
    owner = controller_of(live)
    if owner and (owner["kind"], owner["name"]) == (WEATHER_APP.name, app.key.name):
        # Of an app of this name that was deleted, or that we have yet to hear of: it will clear up.
        raise ConflictError(409, "Predecessor", f"the {kind.name} belongs to uid {owner['uid']}")
    whose = f"of {owner['kind']} {owner['name']}" if owner else "that the operator did not make"
    message = f"there is a {kind.name} {app.key.name} {whose}: delete it or rename the WeatherApp"
    raise RefusedError(409, "NameConflict", message)


def refused(kind: Kind, key: Key, error: RefusedError) -> Blocker:
    """Return what the API refused as a blocker, in the API's own words."""
    name = f"{kind.name}/{key.name}"
    if kind is HTTP_ROUTE and error.status == 404:
        return Blocker(reason="GatewayAPINotInstalled", message=_NO_GATEWAY_API, object=name)
    known = error.reason in ("NameConflict", "Forbidden")
    reason = error.reason if known else "Blocked"
    return Blocker(reason=reason, message=error.message, object=name)


def _shown(found: Difference) -> dict[str, list[str]]:
    names = ("edited", "missing", "outdated", "leftover", "unowned")
    return {name: list(getattr(found, name)) for name in names if getattr(found, name)}
