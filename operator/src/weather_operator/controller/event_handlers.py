"""The event handlers: which apps an event concerns, and how soon each is to be looked at.

Every event of the informers comes through `EventHandlers.on_event`. The body goes into the cache,
and where anything of interest is new, keys of WeatherApps go into the work queue:

| Event of | Keys | Priority | When |
|---|---|---|---|
| a WeatherApp | its own | as `priority_of` says: what a user changed is the most urgent | at once |
| a status alone | its app's | RESYNC: it is the echo of our own, or to be put right | as progress |
| a WeatherRelease | every app's | RELEASE for those that name it, else RESYNC | at once |
| a child | its app's | CHILD | as `delay_of` says: the echo of our own write waits |
| somebody else's autoscaler or budget | those of the app's pods | CHILD | as a child's |
| a Node, a Gateway | those whose URL it is in | RESYNC | in a second |

No event carries a decision: a pass reads the cache and finds out by itself what is to be done. So
one event more, or many at once, change nothing but the time.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial

from weather_operator.controller.workqueue import SETTLE_SECONDS, Priority, WorkQueue
from weather_operator.kube.apply import is_applied_by
from weather_operator.kube.cache import Cache, Indexer
from weather_operator.kube.resources import (
    AUTOSCALER,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    GATEWAY,
    INGRESS,
    NODE,
    SERVICE,
    Key,
    Kind,
    Manifest,
    controller_of,
    key_of,
    scaled_deployment,
)
from weather_operator.metrics import ConvergenceTimer, Metrics
from weather_operator.model import (
    CHILDREN,
    FIELD_MANAGER,
    REPLICAS_MANAGER,
    WATCHED,
    WEATHER_APP,
    WEATHER_RELEASE,
    WeatherApp,
)
from weather_operator.model.parsing import UnreadableError, is_scaling, parse_app
from weather_operator.releases.catalogue import readable, selects
from weather_operator.render.labels import INSTANCE_LABEL, MANAGED_BY, app_of_canary, is_managed
from weather_operator.rollout.progress import progress_of
from weather_operator.status.url import reach_of_gateway, reach_of_node

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_COMPLETE_SECONDS = 0.02
"""How long a complete rollout waits for the events that come with the one that completes it."""

_PROGRESS_SECONDS = 1.0
_PROGRESS_PER_SECOND = 10


class EventHandlers:
    """Keeps the cache as the API has it, and enqueues every app that a change concerns.

    `rolling_out` returns how many apps are in a rollout. `catalogue_changed`, where somebody waits
    for one, is set with every change of a WeatherRelease.
    """

    def __init__(
        self,
        cache: Cache,
        queue: WorkQueue,
        metrics: Metrics,
        *,
        rolling_out: Callable[[], int],
        catalogue_changed: asyncio.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._rolling_out = rolling_out
        self._clock = clock
        self._convergence = ConvergenceTimer(metrics.converge_seconds.observe, clock=clock)
        self._touched_at = dict.fromkeys(WATCHED, self._clock())
        self._catalogue_changed = catalogue_changed
        for kind in WATCHED:
            metrics.watch_age.labels(kind.plural).set_function(partial(self._age, kind))

    def on_event(self, kind: Kind, type_: str | None, body: Manifest) -> None:
        """Take in an event of a watch; its type is None for an object of a list."""
        self.touch(kind)
        if kind is WEATHER_APP:
            self._convergence.on_event(type_, body)
        before = self._cache.get(kind, key_of(body))
        update = self._cache.remove if type_ == "DELETED" else self._cache.put
        if not update(kind, body):
            return
        if kind is WEATHER_APP:
            priority = priority_of(before, body)
            is_echo = before is not None and priority is Priority.RESYNC
            delay = _progress_delay(self._rolling_out()) if is_echo else 0.0
            self._queue.add(key_of(body), priority, delay=delay)
        elif kind is WEATHER_RELEASE:
            self.enqueue_for_release(body)
            if self._catalogue_changed:
                self._catalogue_changed.set()
        elif kind is NODE:
            self._enqueue_where(lambda app: app.service.type == "NodePort")
        elif kind is GATEWAY:
            self._enqueue_where(lambda app: key_of(body) in app.gateways)
        else:
            is_gone = type_ == "DELETED"
            rolling_out = self._rolling_out()
            delay = 0.0 if is_gone else delay_of(kind, before, body, rolling_out=rolling_out)
            for key in self._apps_of(kind, before, body):
                self._queue.add(key, Priority.CHILD, delay=delay)

    def touch(self, kind: Kind) -> None:
        """Note that what is known of a kind was up to date just now."""
        self._touched_at[kind] = self._clock()

    def enqueue_for_release(self, body: Manifest) -> None:
        """Enqueue every app: those that name this release first; others may have to list it.

        None of them is as urgent as what a user changed: there may be any number.
        """
        releases = [release for _, release in readable([body])]
        for app in self._cache.all(WEATHER_APP):
            concerned = any(_concerns(app, partial(selects, release=each)) for each in releases)
            self._queue.add(key_of(app), Priority.RELEASE if concerned else Priority.RESYNC)

    def enqueue_all(self) -> None:
        """Enqueue every app, for when nothing more urgent is due."""
        for key in self._cache.keys(WEATHER_APP):
            self._queue.add(key, Priority.RESYNC)

    def needs_optional_kinds(self) -> bool:
        """Tell whether any app has a route of the Gateway API."""
        return any("gateway" in body.get("spec", {}) for body in self._cache.all(WEATHER_APP))

    def _apps_of(self, kind: Kind, before: Manifest | None, body: Manifest) -> set[Key]:
        """Return the apps whose child this is, or was, or that it has to do with otherwise."""
        bodies = [each for each in (before, body) if each is not None]
        found = {key for key in map(owner_of, bodies) if key}
        if kind is AUTOSCALER:
            scaled = {key for key in map(scaled_deployment, bodies) if key}
            scaled |= {app for app in map(app_of_canary, scaled) if app}
            found |= {key for key in scaled if self._cache.get(WEATHER_APP, key)}
        elif kind is DISRUPTION_BUDGET and not is_managed(body):
            namespace = body["metadata"]["namespace"]
            keys = self._cache.keys(WEATHER_APP)
            found |= {key for key in keys if key.namespace == namespace}
        return found

    def _enqueue_where(self, concerns: Callable[[WeatherApp], bool]) -> None:
        for body in self._cache.all(WEATHER_APP):
            if _concerns(body, concerns):
                self._queue.add(key_of(body), Priority.RESYNC, delay=_PROGRESS_SECONDS)

    def _age(self, kind: Kind) -> float:
        return self._clock() - self._touched_at[kind]


def _concerns(body: Manifest, test: Callable[[WeatherApp], bool]) -> bool:
    """Tell whether an event concerns an app; what cannot be read is its own pass's to name."""
    try:
        return test(parse_app(body))
    except UnreadableError:
        return False


def priority_of(before: Manifest | None, body: Manifest) -> Priority:
    """Return how urgent an event of a WeatherApp is, given the body that was known before.

    The echo of a status that we wrote ourselves is nobody's change.
    """
    if not is_status_current(body):
        is_known = body.get("status", {}).get("observedGeneration", -1) > 0
        return Priority.USER if is_known else Priority.NEW
    if before is None or _users_metadata(before) == _users_metadata(body):
        return Priority.RESYNC
    return Priority.USER


def _users_metadata(body: Manifest) -> Manifest:
    written_by_all = ("resourceVersion", "managedFields")
    metadata = _project(WEATHER_APP, body)["metadata"]
    return {k: v for k, v in metadata.items() if k not in written_by_all}


def delay_of(kind: Kind, before: Manifest | None, body: Manifest, *, rolling_out: int) -> float:
    """Return how long a change of a child may wait, in seconds, while so many apps roll out.

    A complete rollout goes at once; progress is written once a second, and more seldom while many
    apps roll out. What may need a repair may also be the echo of our own write: it waits just until
    the pass that follows on that write.
    """
    if kind is DEPLOYMENT and progress_of(body, desired=0).complete:
        return _COMPLETE_SECONDS
    if before is None or _generation(before) != _generation(body):
        # A new generation of the same spec is an annotation, which a Deployment's controller has to
        # take note of: until it has, the rollout looks as if it went on.
        is_same = before is not None and kind is DEPLOYMENT and before["spec"] == body["spec"]
        return _PROGRESS_SECONDS if is_same else SETTLE_SECONDS
    return _progress_delay(rolling_out)


def _progress_delay(rolling_out: int) -> float:
    return max(_PROGRESS_SECONDS, rolling_out / _PROGRESS_PER_SECOND)


def is_status_current(body: Manifest) -> bool:
    """Tell whether the status of a WeatherApp is about what its spec says now."""
    observed: int | None = body.get("status", {}).get("observedGeneration")
    return observed == _generation(body)


def _generation(body: Manifest) -> int | None:
    generation: int | None = body["metadata"].get("generation")
    return generation


def owner_of(body: Manifest) -> Key | None:
    """Return the app whose child an object is: by its controller or, where it has none, its labels.

    An owner that somebody took off is missed by nobody else.
    """
    metadata = body["metadata"]
    name = metadata.get("labels", {}).get(INSTANCE_LABEL) if is_managed(body) else None
    if owner := controller_of(body):
        name = owner["name"] if owner["kind"] == WEATHER_APP.name else None
    return Key(namespace=metadata["namespace"], name=name) if name else None


def _namespace_of_foreign(budget: Manifest) -> Key | None:
    if is_managed(budget):
        return None
    return Key(namespace=budget["metadata"]["namespace"], name="")


def new_cache() -> Cache:
    """Return an empty cache of all that is watched, which keeps of an object what is read later."""
    return Cache(WATCHED, project=_project, indexers=_INDEXERS)


def _project(kind: Kind, body: Manifest) -> Manifest:
    metadata = dict(body["metadata"])
    if kind in _PROJECTIONS:
        # What many share changes often, and little of it is of interest.
        names = ("namespace", "name", "uid", "resourceVersion")
        kept = {name: metadata[name] for name in names if name in metadata}
        return {"metadata": kept, "status": _PROJECTIONS[kind](body)}
    if kind in _FOREIGN and not is_managed(body):
        said = ("namespace", "name", "uid", "resourceVersion", "labels", "ownerReferences")
        kept = {name: metadata[name] for name in said if name in metadata}
        field = _FOREIGN[kind]
        return {"metadata": kept, "spec": {field: body["spec"].get(field)}}
    metadata["managedFields"] = [
        entry for entry in metadata.get("managedFields", ()) if _is_read(kind, entry)
    ]
    if _LAST_APPLIED in metadata.get("annotations", {}):
        annotations = dict(metadata["annotations"])
        del annotations[_LAST_APPLIED]
        metadata["annotations"] = annotations
    return {**body, "metadata": metadata}


def _is_read(kind: Kind, entry: Manifest) -> bool:
    """Tell whether a record of fields is read: ours, and of a child also who else changed it.

    Of a way in it is read too since when it has had its address.
    """
    if is_applied_by(entry, FIELD_MANAGER) or is_applied_by(entry, REPLICAS_MANAGER):
        return True
    if kind is WEATHER_APP:
        return is_scaling(entry)
    return "subresource" not in entry or kind in (INGRESS, SERVICE)


_PROJECTIONS = {NODE: reach_of_node, GATEWAY: reach_of_gateway}

_FOREIGN = {AUTOSCALER: "scaleTargetRef", DISRUPTION_BUDGET: "selector"}
"""Of what kinds others' objects are followed too, and what is read of those."""

LABEL_SELECTORS = {
    kind: ",".join(f"{name}={value}" for name, value in MANAGED_BY.items())
    for kind in CHILDREN
    if kind not in _FOREIGN
}
"""By which labels children are followed."""

_INDEXERS: Mapping[Kind, Indexer] = {
    AUTOSCALER: scaled_deployment,
    DISRUPTION_BUDGET: _namespace_of_foreign,
}
