"""The children of one app, brought to their manifests: nothing is written that is so already."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from weather_operator.kube.apply import Difference, difference
from weather_operator.kube.cache import Cache
from weather_operator.kube.client import Client
from weather_operator.kube.errors import NAMESPACE_TERMINATING, ConflictError, RefusedError
from weather_operator.kube.resources import (
    AUTOSCALER,
    HTTP_ROUTE,
    Key,
    Kind,
    Manifest,
    controller_of,
    key_of,
)
from weather_operator.model import (
    REPLICAS_MANAGER,
    WEATHER_APP,
    Blocker,
    WeatherApp,
    is_ours,
)
from weather_operator.rollout.observed import ChildKey
from weather_operator.rollout.plan import Write

log = logging.getLogger(__name__)

_NO_GATEWAY_API = (
    "the cluster has no gateway.networking.k8s.io/v1: install the Gateway API, which is noticed "
    "within seconds, or take spec.gateway away"
)


@dataclass(slots=True)
class Written:
    """What came of the writes: whether anything changed, what was refused, what was repaired."""

    anything: bool = False
    apply_errors: list[Blocker] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)


class Children:
    """Carries out a plan's writes for one app in one pass.

    `after_child_event` says that the pass follows a change of a child: what is missing then was
    taken away.
    """

    def __init__(
        self, client: Client, cache: Cache, app: WeatherApp, *, after_child_event: bool
    ) -> None:
        self._client = client
        self._cache = cache
        self._app = app
        self._after_child_event = after_child_event
        self._written = Written()
        self._just_written: set[tuple[Kind, Key]] = set()

    async def apply_all(self, writes: Sequence[Write]) -> Written:
        """Carry out the writes in their order; what is so already is left alone.

        What the API refuses is noted, ends the writes of that child and hinders no other. Raises
        RefusedError when the namespace ends, ConflictError when the cache is behind.
        """
        refused: set[ChildKey] = set()
        for write in writes:
            child = (write.kind, write.name)
            if child in refused:
                continue
            try:
                await self._write(write)
            except RefusedError as error:
                if error.reason == NAMESPACE_TERMINATING:
                    raise
                refused.add(child)
                self._written.apply_errors.append(apply_error(write.kind, write.name, error))
        return self._written

    async def _write(self, write: Write) -> None:
        if write.manifest is None:
            await self._delete(write)
        elif write.manager != REPLICAS_MANAGER or not await self._is_autoscaled():
            await self._apply(write, write.manifest)

    async def _is_autoscaled(self) -> bool:
        """Look whether an autoscaler is there that our cache has yet to hear of."""
        app = self._app
        return app.autoscaling is not None and bool(await self._client.get(AUTOSCALER, app.key))

    async def _apply(self, write: Write, manifest: Manifest) -> None:
        """Apply the manifest unless the live object is as declared already."""
        kind, key = write.kind, self._key(write)
        live = await self._live(kind, key)
        found = difference(manifest, live, manager=write.manager) if live else Difference()
        if live and not found:
            return
        if live:
            manifest = {**manifest, "metadata": {**manifest["metadata"], **self._seen(kind, live)}}
        try:
            answer = await self._client.apply(
                kind, manifest, manager=write.manager, force=live is not None
            )
        except ConflictError:
            self._cache.forget(kind, key)
            raise
        self._cache.put(kind, answer)
        self._just_written.add((kind, key))
        self._written.anything = True
        self._log(write, found, is_new=live is None)

    def _seen(self, kind: Kind, live: Manifest) -> Manifest:
        """Return what an apply must find as it was, else it is refused.

        The uid, so that an object which was replaced is not adopted; the version, so that a write
        which is late on its way does not undo what the next leader did. Just after a write of ours
        the controllers of the cluster answer it: there the version would only get in our own way.
        """
        metadata = live["metadata"]
        if (kind, key_of(live)) in self._just_written:
            return {"uid": metadata["uid"]}
        return {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}

    async def _live(self, kind: Kind, key: Key) -> Manifest | None:
        """Return the live object, None where there is none. Raises where it is somebody else's."""
        live = self._cache.get(kind, key)
        if live is None:
            # Only what carries our label is watched; whatever else has the name is found here.
            live = await self._client.get(kind, key)
        if live is None:
            return None
        if not is_ours(live, self._app):
            _refuse_foreign(kind, live, self._app)
        self._cache.put(kind, live)
        return live

    async def _delete(self, write: Write) -> None:
        kind, key = write.kind, self._key(write)
        live = self._cache.get(kind, key)
        if live is None or not is_ours(live, self._app):
            return
        await self._client.delete(kind, key, uid=live["metadata"]["uid"])
        self._cache.forget(kind, key)
        self._written.anything = True
        log.info("deleted", extra={"app": str(self._app.key), "kind": kind.name})

    def _key(self, write: Write) -> Key:
        return Key(namespace=self._app.key.namespace, name=write.name)

    def _log(self, write: Write, found: Difference, *, is_new: bool) -> None:
        about = {"app": str(self._app.key), "kind": write.kind.name, "manager": write.manager}
        log.info("applied", extra={**about, "is_new": is_new, **_fields(found)})
        if drift := self._drift(write.kind, found, is_new=is_new):
            self._written.drift.append(drift)

    def _drift(self, kind: Kind, found: Difference, *, is_new: bool) -> str | None:
        """Return what a person reads about a repair; None where the spec itself was new.

        What is missing may also be new in this release of the operator: it counts as taken away
        only where something happened to a child just now.
        """
        if self._app.status.get("observedGeneration") != self._app.generation:
            return None
        if is_new:
            return f"{kind.name} was deleted and is made again" if self._after_child_event else None
        fields = found.edited + (found.missing if self._after_child_event else ())
        return f"{kind.name}: {', '.join(fields)} put back" if fields else None


def apply_error(kind: Kind, name: str, error: RefusedError) -> Blocker:
    """Return what the API refused as a blocker, in the API's own words."""
    about = f"{kind.name}/{name}"
    if kind is HTTP_ROUTE and error.status == 404:
        return Blocker(reason="GatewayAPINotInstalled", message=_NO_GATEWAY_API, object=about)
    known = error.reason in ("NameConflict", "Forbidden")
    reason = error.reason if known else "Blocked"
    return Blocker(reason=reason, message=error.message, object=about)


def _refuse_foreign(kind: Kind, live: Manifest, app: WeatherApp) -> NoReturn:
    owner, name = controller_of(live), live["metadata"]["name"]
    if owner and (owner["kind"], owner["name"]) == (WEATHER_APP.name, app.key.name):
        # Of an app of this name that was deleted, or that we have yet to hear of: it will clear up.
        raise ConflictError(409, "Predecessor", f"the {kind.name} belongs to uid {owner['uid']}")
    whose = f"of {owner['kind']} {owner['name']}" if owner else "that the operator did not make"
    message = f"there is a {kind.name} {name} {whose}: delete it or rename the WeatherApp"
    raise RefusedError(409, "NameConflict", message)


def _fields(found: Difference) -> dict[str, list[str]]:
    names = ("edited", "missing", "outdated", "leftover", "unowned")
    return {name: list(getattr(found, name)) for name in names if getattr(found, name)}
