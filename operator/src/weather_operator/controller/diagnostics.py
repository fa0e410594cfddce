"""What is not watched and read only when needed: ReplicaSets, pods and their events."""

from collections.abc import Sequence

from weather_operator.kube.client import Client
from weather_operator.kube.resources import EVENT, POD, REPLICA_SET, Kind, Manifest
from weather_operator.model import WeatherApp
from weather_operator.render import selector
from weather_operator.rollout.revisions import ReplicaSetRevision, held
from weather_operator.rollout.state import Progress, later, progress, seconds_between
from weather_operator.status import blockers
from weather_operator.status.blockers import Blocker

DIAGNOSTICS_DELAY_SECONDS = 3.0
"""How long a change may get no further before it is asked what keeps its pods."""

_SECONDS_PER_CHANGE = 0.1


def diagnostics_delay(changing: int) -> float:
    """Return that time while so many apps change: together they ask ten times a second at most."""
    return max(DIAGNOSTICS_DELAY_SECONDS, changing * _SECONDS_PER_CHANGE)


class Diagnostics:
    """Asks the API what became of an app's revisions, and why its pods are missing."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def held(
        self, app: WeatherApp, deployment: Manifest | None
    ) -> tuple[ReplicaSetRevision, ...]:
        """Return the revisions that the Deployment's ReplicaSets hold."""
        return held(await self._list(REPLICA_SET, app), deployment) if deployment else ()

    async def pod_blockers(
        self, app: WeatherApp, deployment: Manifest | None, now: str, *, diagnostics_delay: float
    ) -> tuple[Blocker, ...]:
        """Find out why pods are missing: from the Deployment, the pods, at last their events.

        While a change gets further nothing is asked: reading pods is dear where there are many.
        """
        far = progress(deployment, wanted=app.first_replicas)
        if deployment is None or far.complete:
            return ()
        if far.failure:
            return (blockers.of_deployment(deployment, far.failure),)
        if _may_still_move(app, far, now, diagnostics_delay):
            return ()
        pods = await self._list(POD, app)
        if told := blockers.of_pods(pods):
            return told
        pod = blockers.silent(pods)
        return await self._warnings(pod) if pod else ()

    async def _list(self, kind: Kind, app: WeatherApp) -> Sequence[Manifest]:
        labels = ",".join(f"{name}={value}" for name, value in selector(app).items())
        found, _ = await self._client.list(kind, namespace=app.key.namespace, labels=labels)
        return found

    async def _warnings(self, pod: Manifest) -> tuple[Blocker, ...]:
        metadata = pod["metadata"]
        fields = f"involvedObject.uid={metadata['uid']},type=Warning"
        events, _ = await self._client.list(EVENT, namespace=metadata["namespace"], fields=fields)
        return blockers.of_events(pod, events)


def _may_still_move(app: WeatherApp, far: Progress, now: str, diagnostics_delay: float) -> bool:
    """Tell whether a change got further just now, or its controller has yet to see it.

    Where something was in the way already, it is asked whether it still is.
    """
    change = app.status.get("rollout")
    if change is None:
        return True
    if app.status.get("blockers"):
        return False
    deadline, moved = change.get("deadline"), change["startedAt"]
    if deadline:
        if deadline <= now:
            return False
        moved = later(deadline, -app.rollout.progress_deadline_seconds)
    return (
        seconds_between(moved, now) < diagnostics_delay
        or not far.observed
        or far.has_progressed_since(app.status)
    )
