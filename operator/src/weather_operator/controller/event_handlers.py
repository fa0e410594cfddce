"""What the API tells becomes keys in the queue: whom it concerns, and how soon."""

import asyncio
import time
from collections.abc import Callable
from functools import partial

from weather_operator.controller.reconciler import SETTLE_SECONDS
from weather_operator.controller.workqueue import Priority, WorkQueue
from weather_operator.kube.apply import is_applied_by
from weather_operator.kube.cache import Cache
from weather_operator.kube.resources import (
    DEPLOYMENT,
    GATEWAY,
    NODE,
    Key,
    Kind,
    Manifest,
    controller_of,
    key_of,
)
from weather_operator.metrics import Convergence, Metrics
from weather_operator.model import (
    FIELD_MANAGER,
    REPLICAS_MANAGER,
    WATCHED,
    WEATHER_APP,
    WEATHER_RELEASE,
    WeatherApp,
    is_scaling,
    parse_app,
    parse_release,
)
from weather_operator.releases.catalogue import asks_for
from weather_operator.rollout.state import progress_of
from weather_operator.status.url import reach_of_gateway, reach_of_node

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_BURST_SECONDS = 0.02
_PROGRESS_SECONDS = 1.0
_PROGRESS_PER_SECOND = 10


class Controller:
    """Keeps the cache as the API has it, and makes every app due that a change concerns.

    `changing` tells how many apps are in a change.
    """

    def __init__(
        self,
        cache: Cache,
        queue: WorkQueue,
        metrics: Metrics,
        *,
        changing: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._changing = changing
        self._clock = clock
        self._convergence = Convergence(metrics.converge_seconds.observe, clock=clock)
        self._heard = dict.fromkeys(WATCHED, self._clock())
        self.catalogue_changed = asyncio.Event()
        for kind in WATCHED:
            metrics.watch_age.labels(kind.plural).set_function(partial(self._silence, kind))

    def see(self, kind: Kind, event: str | None, body: Manifest) -> None:
        """Take a watch event in; its type is None for what a (re-)list tells."""
        self.heard(kind)
        if kind is WEATHER_APP:
            self._convergence.see(event, body)
        before = self._cache.get(kind, key_of(body))
        take_in = self._cache.remove if event == "DELETED" else self._cache.put
        if not take_in(kind, body):
            return
        if kind is WEATHER_APP:
            asked = event or not is_told(body)
            self._queue.add(key_of(body), Priority.USER if asked else Priority.RESYNC)
        elif kind is WEATHER_RELEASE:
            self.release_changed(body)
            self.catalogue_changed.set()
        elif kind is NODE:
            self._enqueue_where(lambda app: app.service.type == "NodePort")
        elif kind is GATEWAY:
            self._enqueue_where(lambda app: key_of(body) in app.gateways)
        elif owner := controller_of(body):
            key = Key(namespace=body["metadata"]["namespace"], name=owner["name"])
            changing = self._changing()
            delay = 0 if event == "DELETED" else delay_of(kind, before, body, changing=changing)
            self._queue.add(key, Priority.CHILD, delay=delay)

    def heard(self, kind: Kind) -> None:
        """Note that the API has just told of a kind, if only that there is nothing new."""
        self._heard[kind] = self._clock()

    def release_changed(self, body: Manifest) -> None:
        """Look at every app: those that ask for this release first; others may have to name it."""
        release = parse_release(body)
        for app in map(parse_app, self._cache.all(WEATHER_APP)):
            urgent = asks_for(app, release)
            self._queue.add(app.key, Priority.USER if urgent else Priority.RESYNC)

    def enqueue_all(self) -> None:
        """Look at every app, once nothing more urgent is due."""
        for key in self._cache.keys(WEATHER_APP):
            self._queue.add(key, Priority.RESYNC)

    def asks_for_gateways(self) -> bool:
        """Tell whether any app wants a route of the Gateway API."""
        return any("gateway" in body["spec"] for body in self._cache.all(WEATHER_APP))

    def _silence(self, kind: Kind) -> float:
        return self._clock() - self._heard[kind]

    def _enqueue_where(self, concerned: Callable[[WeatherApp], bool]) -> None:
        for app in map(parse_app, self._cache.all(WEATHER_APP)):
            if concerned(app):
                self._queue.add(app.key, Priority.CHILD, delay=_PROGRESS_SECONDS)


def new_cache() -> Cache:
    """Return an empty cache of all that is watched, which keeps of an object what is read later.

    Memory is by far the most of what thousands of apps cost.
    """
    return Cache(WATCHED, project=_project)


def delay_of(kind: Kind, before: Manifest | None, body: Manifest, *, changing: int) -> float:
    """Return how long a change of a child may wait, in seconds, while so many apps change.

    A rollout that is complete goes at once, progress is told once a second, and more seldom while
    many apps change. What may need a repair may also be the echo of our own write: it waits just
    until that write's own sequel.
    """
    if kind is DEPLOYMENT and progress_of(body, desired=0).complete:
        return _BURST_SECONDS
    if before is None or _generation(before) != _generation(body):
        return SETTLE_SECONDS
    return max(_PROGRESS_SECONDS, changing / _PROGRESS_PER_SECOND)


def is_told(body: Manifest) -> bool:
    """Tell whether the status of a WeatherApp is about what its spec says now."""
    told: int | None = body.get("status", {}).get("observedGeneration")
    return told == _generation(body)


def _generation(body: Manifest) -> int | None:
    generation: int | None = body["metadata"].get("generation")
    return generation


def _project(kind: Kind, body: Manifest) -> Manifest:
    metadata = dict(body["metadata"])
    if kind in _PROJECTIONS:
        # What many share changes often, and little of it is of interest.
        names = ("namespace", "name", "uid", "resourceVersion")
        kept = {name: metadata[name] for name in names if name in metadata}
        return {"metadata": kept, "status": _PROJECTIONS[kind](body)}
    metadata["managedFields"] = [
        entry
        for entry in metadata.get("managedFields", ())
        if is_applied_by(entry, FIELD_MANAGER)
        or is_applied_by(entry, REPLICAS_MANAGER)
        or (kind is WEATHER_APP and is_scaling(entry))
    ]
    if _LAST_APPLIED in metadata.get("annotations", {}):
        annotations = dict(metadata["annotations"])
        del annotations[_LAST_APPLIED]
        metadata["annotations"] = annotations
    return {**body, "metadata": metadata}


_PROJECTIONS = {NODE: reach_of_node, GATEWAY: reach_of_gateway}
