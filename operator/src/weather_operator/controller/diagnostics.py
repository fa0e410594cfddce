"""Why pods or an address do not come: what is not watched is read here, only when it is needed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from weather_operator.kube.client import Client
from weather_operator.kube.errors import RefusedError
from weather_operator.kube.resources import (
    DEPLOYMENT,
    EVENT,
    NAMESPACE,
    POD,
    REPLICA_SET,
    Key,
    Kind,
    Manifest,
)
from weather_operator.model import Blocker, WeatherApp
from weather_operator.render import Track, app_labels, child_name
from weather_operator.render.load_balancers import GATES_LABEL, GATES_PROMISED, sends_to_pods
from weather_operator.rollout.observed import Gates, Observed
from weather_operator.rollout.progress import Progress, reached_before
from weather_operator.rollout.state import seconds_between
from weather_operator.status import blockers, pods, url

DIAGNOSTICS_DELAY_SECONDS = 3.0
"""How long a change may get no further before its pods are read."""

_SECONDS_PER_CHANGE = 0.1

_NAMESPACE_SECONDS = 10.0
"""How long what a namespace says is believed: every pass of all its apps behind one asks for it."""


def diagnostics_delay(rolling_out: int) -> float:
    """Return that time while so many apps change: all of them read ten times a second at most."""
    return max(DIAGNOSTICS_DELAY_SECONDS, rolling_out * _SECONDS_PER_CHANGE)


class Diagnostics:
    """Reads ReplicaSets, pods and their events of one app at a time."""

    def __init__(self, client: Client, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._namespaces: dict[str, tuple[float, Manifest]] = {}

    async def complete(self, observed: Observed) -> Observed:
        """Read what a plan still lacks: the ReplicaSets, then what is wrong with the pods."""
        if observed.replica_sets is None:
            replica_sets = await self._list(REPLICA_SET, observed.app)
            return replace(observed, replica_sets=replica_sets)
        return replace(observed, pod_blockers=await self._read(observed))

    async def pod_blockers(self, observed: Observed, *, delay: float) -> tuple[Blocker, ...]:
        """Find out why pods are missing: from the Deployment, the pods, at last their events.

        While a change gets further nothing is read: pods are many where many apps change.
        """
        deployment, progress = _unfinished(observed)
        if deployment is None or progress.complete:
            return ()
        if observed.gates and observed.gates.missing:
            return (*blockers.of_gates(observed.gates.missing), *await self._read(observed))
        if _may_still_progress(observed, delay):
            return blockers.of_deployment(deployment, progress.failure)
        return await self._read(observed)

    async def address_blockers(self, observed: Observed) -> tuple[Blocker, ...]:
        """Find out why the site has no address: the newest warning about what leads to it."""
        kind = url.way_in(observed.app)
        leading = observed.child(kind)
        if leading is None or url.url(observed):
            return ()
        about = f"{kind.name}/{leading['metadata']['name']}"
        return blockers.of_warnings(about, await self._warnings(leading))

    async def gates(self, observed: Observed) -> Gates | None:
        """Find out whether a load balancer's readiness gates are promised, and which pods lack one.

        Pods are read in a rollout alone, and judged if they were made when the load balancer's
        controller had made everything for them, and the label was there.
        """
        app, live = observed.app, observed.live
        if not sends_to_pods(app):
            return None
        try:
            metadata = await self._namespace_metadata(app.key.namespace)
            promised = metadata.get("labels", {}).get(GATES_LABEL) == GATES_PROMISED
            since = (url.address_since(observed), _labelled_since(metadata))
            if not promised or not all(since) or live is None or observed.progress.complete:
                return Gates(promised=promised)
            listed = await self._list(POD, app)
        except RefusedError:
            return None
        missing = pods.without_gates(listed, live, since=max(filter(None, since)))
        return Gates(promised=promised, missing=missing)

    async def _namespace_metadata(self, name: str) -> Manifest:
        """Return a namespace's metadata as they were a moment ago, none where it is gone."""
        now = self._clock()
        self._namespaces = {
            each: (read_at, metadata)
            for each, (read_at, metadata) in self._namespaces.items()
            if now - read_at < _NAMESPACE_SECONDS
        }
        if name not in self._namespaces:
            found = await self._client.get(NAMESPACE, Key(name=name)) or {"metadata": {}}
            self._namespaces[name] = (now, found["metadata"])
        return self._namespaces[name][1]

    async def _read(self, observed: Observed) -> tuple[Blocker, ...]:
        deployment, progress = _unfinished(observed)
        if deployment is None:
            return ()
        refused = blockers.of_deployment(deployment, progress.failure)
        listed = await self._list(POD, observed.app)
        found = pods.of_pods(listed, observed)
        if pod := pods.unexplained(listed):
            found = pods.with_events(found, pod, await self._warnings(pod), observed)
        if found or refused:
            return tuple(sorted((*refused, *found), key=lambda each: not each.condemns))
        if not _is_overdue(observed):
            return ()
        seen = progress.observed
        return (pods.late(listed) or blockers.no_pods(deployment, observed=seen),)

    async def _list(self, kind: Kind, app: WeatherApp) -> Sequence[Manifest]:
        labels = ",".join(f"{name}={value}" for name, value in app_labels(app).items())
        found, _ = await self._client.list(kind, namespace=app.key.namespace, labels=labels)
        return found

    async def _warnings(self, body: Manifest) -> Sequence[Manifest]:
        metadata = body["metadata"]
        fields = f"involvedObject.uid={metadata['uid']},type=Warning"
        events, _ = await self._client.list(EVENT, namespace=metadata["namespace"], fields=fields)
        return events


def _labelled_since(metadata: Manifest) -> str | None:
    """Return by when a namespace surely promised readiness gates, in RFC 3339, if that is known."""
    entries = metadata.get("managedFields", ())
    times = (
        each.get("time")
        for each in entries
        if f"f:{GATES_LABEL}" in each.get("fieldsV1", {}).get("f:metadata", {}).get("f:labels", {})
    )
    return max(filter(None, times), default=None)


def _unfinished(observed: Observed) -> tuple[Manifest | None, Progress]:
    """Return the Deployment that is late, the canary's where that is, and how far it is."""
    if observed.awaits_tried:
        name = child_name(observed.app, Track.CANARY)
        return observed.child(DEPLOYMENT, name), observed.canary_progress
    return observed.child(DEPLOYMENT), observed.progress


def _is_overdue(observed: Observed) -> bool:
    """Tell whether the change in the status should have got further by now."""
    deadline: str | None = observed.app.status.get("rollout", {}).get("deadline")
    return deadline is not None and deadline <= observed.now


def _may_still_progress(observed: Observed, delay: float) -> bool:
    """Tell whether a change got further just now, or its controller has yet to see it.

    Where something was in the way already, it is read whether it still is.
    """
    status, now = observed.app.status, observed.now
    change = status.get("rollout")
    if change is None:
        return True
    if status.get("blockers"):
        return False
    if _is_overdue(observed):
        return False
    (_, progress), before = _unfinished(observed), reached_before(change)
    if not progress.observed or before is None:
        return True
    progressed_at = change.get("progressedAt", change["startedAt"])
    is_young = seconds_between(progressed_at, now) < delay
    return is_young or before.after(progress).is_further_than(before)
