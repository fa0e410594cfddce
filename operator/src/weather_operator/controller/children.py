"""The children of one app, brought to their manifests: nothing is written that is so already.

Each write ends in one of these ways, and none of them hinders the next child's:

| The live child | What follows |
|---|---|
| is as declared | nothing |
| differs | an apply, by force |
| differs, and an apply did not help, or others change it all the time | `Repairs` says when |
| is somebody else's | it is left alone, and said |
| is being deleted | it is waited for, and said |
| is ours, without a record of our fields (a backup was restored) | it is adopted |
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from weather_operator.controller.repairs import Repairs
from weather_operator.kube.apply import (
    Cause,
    Difference,
    Field,
    difference,
    managed_fields,
    manager_of,
)
from weather_operator.kube.cache import Cache
from weather_operator.kube.client import Client
from weather_operator.kube.errors import (
    NAMESPACE_TERMINATING,
    TIMED_OUT,
    ApiError,
    ConflictError,
    RefusedError,
    UnavailableError,
)
from weather_operator.kube.resources import (
    AUTOSCALER,
    DEPLOYMENT,
    HTTP_ROUTE,
    Key,
    Kind,
    Manifest,
    controller_of,
    key_of,
    scaled_deployment,
)
from weather_operator.model import (
    FIELD_MANAGER,
    REPLICAS_MANAGER,
    WEATHER_APP,
    Blocker,
    WeatherApp,
)
from weather_operator.render import is_ours
from weather_operator.rollout.observed import ChildKey
from weather_operator.rollout.plan import Write
from weather_operator.status.blockers import WAITING_FOR_DELETION, deletion

log = logging.getLogger(__name__)

_NO_GATEWAY_API = (
    "the cluster has no gateway.networking.k8s.io/v1: install the Gateway API, which is noticed "
    "within seconds, or take spec.gateway away"
)
_MOST_FIELDS = 3
_LONGEST_VALUE = 60


@dataclass(slots=True)
class Written:
    """What came of the writes.

    `anything` tells whether the API has something new, `apply_errors` what was refused, `drift`
    what was put back, `overridden` what is not as declared and stays so for now; `retry_after` is
    in how many seconds that is to be tried again. Where the app's spec has changed meanwhile the
    rest was left out: `is_outdated`.
    """

    anything: bool = False
    is_outdated: bool = False
    apply_errors: list[Blocker] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)
    overridden: list[Blocker] = field(default_factory=list)
    retry_after: float | None = None


class Children:
    """Carries out a plan's writes for one app in one pass.

    `after_child_event` says that the pass follows a change of a child: what is missing then was
    taken away.
    """

    def __init__(
        self,
        client: Client,
        cache: Cache,
        repairs: Repairs,
        app: WeatherApp,
        *,
        after_child_event: bool,
    ) -> None:
        self._client = client
        self._cache = cache
        self._repairs = repairs
        self._app = app
        self._after_child_event = after_child_event
        self._written = Written()
        self._just_written: set[tuple[Kind, Key]] = set()
        self._new: set[str] = set()

    async def apply_all(self, writes: Sequence[Write]) -> Written:
        """Carry out the writes in their order; what is so already is left alone.

        What the API refuses, or cannot do for this child, is noted, ends the writes of that child
        and hinders no other. Nothing more is written for a spec that is no longer the app's. Raises
        RefusedError when the namespace ends, ConflictError when the cache is behind,
        UnavailableError when the API server answers nobody.
        """
        refused: set[ChildKey] = set()
        for write in writes:
            if self._is_outdated():
                self._written.is_outdated = True
                break
            child = (write.kind, write.name)
            if child in refused or self._has_nothing_to_scale(write):
                continue
            try:
                await self._write(write)
            except (RefusedError, UnavailableError) as error:
                if error.reason == NAMESPACE_TERMINATING or not _is_about_one_object(error):
                    raise
                refused.add(child)
                self._written.apply_errors.append(apply_error(write.kind, write.name, error))
        return self._written

    def _is_outdated(self) -> bool:
        """Tell whether the app is gone, goes, or asks for something else by now."""
        body = self._cache.get(WEATHER_APP, self._app.key)
        if body is None or "deletionTimestamp" in body["metadata"]:
            return True
        metadata, app = body["metadata"], self._app
        return (metadata["uid"], metadata["generation"]) != (app.uid, app.generation)

    async def _write(self, write: Write) -> None:
        if write.manifest is None:
            await self._delete(write)
        else:
            await self._apply(write, write.manifest)

    def _has_nothing_to_scale(self, write: Write) -> bool:
        """Tell whether a write sets, or has others set, the number of pods of no Deployment.

        That one could not be made, or is not made for now; of a number alone none can be made.
        """
        is_of_number = write.kind is AUTOSCALER or write.manager == REPLICAS_MANAGER
        if not is_of_number or write.manifest is None:
            return False
        return not self._cache.get(DEPLOYMENT, self._key(write))

    async def _may_set_replicas(self, write: Write) -> bool:
        """Look whether an autoscaler of any name is there that our cache has yet to hear of."""
        if write.name in self._new and self._app.autoscaling is None:
            return True
        key = self._key(write)
        found, _ = await self._client.list(AUTOSCALER, namespace=key.namespace)
        return not any(scaled_deployment(each) == key for each in found)

    async def _apply(self, write: Write, manifest: Manifest) -> None:
        """Apply the manifest unless the live object is as declared already."""
        kind, key = write.kind, self._key(write)
        live = await self._live(kind, key)
        if live is None:
            found = Difference(fields=(Field(cause=Cause.MISSING, keys=()),))
        else:
            found = difference(manifest, live, manager=write.manager)
        if not found or self._waits(write, found, live):
            return
        if write.manager == REPLICAS_MANAGER and not await self._may_set_replicas(write):
            return
        if live:
            manifest = {**manifest, "metadata": {**manifest["metadata"], **self._seen(kind, live)}}
        try:
            answer = await self._client.apply(
                kind, manifest, manager=write.manager, force=live is not None
            )
            if live and managed_fields(live, manager=FIELD_MANAGER) is None:
                answer = await self._take_over(kind, answer)
        except ConflictError:
            await refresh(self._client, self._cache, self._app, kind, key)
            raise
        self._cache.put(kind, answer)
        self._just_written.add((kind, key))
        if kind is DEPLOYMENT and live is None:
            self._new.add(write.name)
        self._conclude(write, found, live, answer)

    def _waits(self, write: Write, found: Difference, live: Manifest | None) -> bool:
        """Tell whether the child stays as it is for now, and note until when and what differs."""
        if live is None and not self._is_repair():
            return False
        if write.manager == REPLICAS_MANAGER and write.name in self._new:
            return False  # a Deployment begins with the number that is the API server's own
        wait = self._repairs.wait(self._app.key, _attempted(write), found)
        if not wait:
            return False
        self._written.retry_after = min(self._written.retry_after or wait, wait)
        self._note_overridden(write, found.fields, live)
        return True

    def _conclude(
        self, write: Write, found: Difference, live: Manifest | None, answer: Manifest
    ) -> None:
        """Note what an apply has done: one that changed nothing was no write."""
        remaining = difference(write.manifest or {}, answer, manager=write.manager)
        repaired = found if self._is_repair() else Difference()
        self._repairs.record(self._app.key, _attempted(write), repaired, remaining)
        self._note_overridden(write, remaining.fields, answer)
        if live and answer["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]:
            return
        self._written.anything = True
        about = {"app": str(self._app.key), "kind": write.kind.name, "manager": write.manager}
        log.info("applied", extra={**about, "is_new": live is None, **_fields(found)})
        if drift := self._drift(write.kind, found, is_new=live is None):
            self._written.drift.append(drift)

    def _note_overridden(
        self, write: Write, fields: Iterable[Field], live: Manifest | None
    ) -> None:
        """Note which fields are not as declared; what was only added to them harms nobody."""
        about = f"{write.kind.name}/{write.name}"
        if live is None:
            message = "it is deleted again and again, and made again ever later"
            self._written.overridden.append(_overridden(about, message))
            return
        differing = [each for each in fields if not each.only_adds]
        if differing:
            said = "; ".join(_describe(each, live) for each in differing[:_MOST_FIELDS])
            more = len(differing) - _MOST_FIELDS
            also = f"; and {more} more" if more > 0 else ""
            self._written.overridden.append(_overridden(about, said + also))

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
        """Return the live object, None where there is none. Raises where it is not for us."""
        live = self._cache.get(kind, key)
        if live is None or not _is_settled(live, self._app):
            # Only what carries our label is watched; whatever else has the name is found here.
            live = await refresh(self._client, self._cache, self._app, kind, key)
        if live is None:
            return None
        if "deletionTimestamp" in live["metadata"]:
            _wait_for_deletion(kind, live)
        if not is_ours(live, self._app):
            _refuse_foreign(kind, live, self._app)
        return live

    async def _take_over(self, kind: Kind, live: Manifest) -> Manifest:
        """Leave the fields of an adopted object to us alone.

        Whoever restored it would go on owning them, so that none could be taken away later.
        """
        entries = live["metadata"]["managedFields"]
        ours = (FIELD_MANAGER, REPLICAS_MANAGER)
        kept = [each for each in entries if each.get("manager") in ours or each.get("subresource")]
        return await self._client.set_managed_fields(kind, live, kept)

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

    def _is_repair(self) -> bool:
        """Tell whether the spec is not new: what differs then was somebody else's doing."""
        return bool(self._app.status.get("observedGeneration") == self._app.generation)

    def _drift(self, kind: Kind, found: Difference, *, is_new: bool) -> str | None:
        """Return what a person reads about a repair; None where the spec itself was new.

        What is missing may also be new in this release of the operator: it counts as taken away
        only where something happened to a child just now.
        """
        if not self._is_repair():
            return None
        if is_new:
            return f"{kind.name} was deleted and is made again" if self._after_child_event else None
        fields = found.paths(Cause.EDITED)
        if self._after_child_event:
            fields += found.paths(Cause.MISSING)
        return f"{kind.name}: {', '.join(fields)} put back" if fields else None


async def refresh(
    client: Client, cache: Cache, app: WeatherApp, kind: Kind, key: Key
) -> Manifest | None:
    """Return the live object of this name, and let the cache have it as it is if it is the app's.

    For what the cache does not know, or was contradicted about: a child that has lost our label is
    watched no longer, and serves all the same.
    """
    before = cache.moment()
    live = await client.get(kind, key)
    if live is None:
        cache.forget(kind, key)
    elif is_ours(live, app):
        cache.retract(kind, live, before=before)
        cache.put(kind, live)
    return live


def apply_error(kind: Kind, name: str, error: ApiError) -> Blocker:
    """Return what the API refused, or could not do, as a blocker in the API's own words."""
    about = f"{kind.name}/{name}"
    if kind is HTTP_ROUTE and error.status == 404:
        return Blocker(reason="GatewayAPINotInstalled", message=_NO_GATEWAY_API, object=about)
    transient = isinstance(error, UnavailableError) or error.reason == WAITING_FOR_DELETION
    reason = _reason(error)
    return Blocker(reason=reason, message=error.message, object=about, transient=transient)


def _reason(error: ApiError) -> str:
    if "failed calling webhook" in error.message:
        return "WebhookUnavailable"
    if isinstance(error, UnavailableError):
        return "Unavailable"
    if "exceeded quota" in error.message:
        return "QuotaExceeded"
    if "denied the request" in error.message or "ValidatingAdmissionPolicy" in error.message:
        return "AdmissionDenied"
    known = ("NameConflict", "Forbidden", WAITING_FOR_DELETION)
    return error.reason if error.reason in known else "Blocked"


def _is_about_one_object(error: ApiError) -> bool:
    """Tell whether another request may do better: the API server answered this one."""
    if not isinstance(error, UnavailableError):
        return True
    return error.reason == TIMED_OUT or error.status >= 500


def _is_settled(live: Manifest, app: WeatherApp) -> bool:
    return "deletionTimestamp" not in live["metadata"] and is_ours(live, app)


def _wait_for_deletion(kind: Kind, live: Manifest) -> NoReturn:
    message = f"{deletion(kind, live)}; then it is made anew"
    raise RefusedError(409, WAITING_FOR_DELETION, message)


def _refuse_foreign(kind: Kind, live: Manifest, app: WeatherApp) -> NoReturn:
    owner, name = controller_of(live), live["metadata"]["name"]
    if owner and (owner["kind"], owner["name"]) == (WEATHER_APP.name, app.key.name):
        message = f"the {kind.name} {name} of a WeatherApp {name} that was deleted is still there"
        raise RefusedError(409, WAITING_FOR_DELETION, message)
    whose = f"of {owner['kind']} {owner['name']}" if owner else "that the operator did not make"
    message = f"there is a {kind.name} {name} {whose}: delete it or rename the WeatherApp"
    raise RefusedError(409, "NameConflict", message)


def _attempted(write: Write) -> tuple[str, str]:
    return (f"{write.kind.name}/{write.name}", write.manager)


def _overridden(about: str, message: str) -> Blocker:
    return Blocker(reason="FieldOverridden", message=message, object=about)


def _describe(field: Field, live: Manifest) -> str:
    """Say what a field is, what it should be, and who did it where that is known."""
    if field.cause is Cause.OUTDATED:
        who = "a policy or webhook of the cluster"
    else:
        who = manager_of(live, field) or "others"
    if field.live is None:
        return f"{field.path} is taken away by {who}"
    return f"{field.path} is {_value(field.live)} instead of {_value(field.declared)}, by {who}"


def _value(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _fields(found: Difference) -> dict[str, list[str]]:
    return {cause: list(paths) for cause in Cause if (paths := found.paths(cause))}
