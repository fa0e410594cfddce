"""All that an explanation of a WeatherApp is made from, read from the cluster."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from weather_operator.kube.resources import DEPLOYMENT, EVENT, POD, REPLICA_SET, Key, Manifest
from weather_operator.model import WEATHER_APP, WEATHER_RELEASE, Blocker
from weather_operator.model.parsing import parse_app
from weather_operator.releases.catalogue import CatalogueError, release_for
from weather_operator.releases.pinning import pinned
from weather_operator.render.load_balancers import progress_deadline_seconds
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.plan import plan
from weather_operator.rollout.state import later
from weather_operator.rollout.strategies import Action, Decision
from weather_operator.status.pods import of_pods, unexplained, with_events

from kubectl_weather.client import Client
from kubectl_weather.errors import ForbiddenError
from kubectl_weather.lease import LeaseState, read_lease_state
from kubectl_weather.model import Site
from kubectl_weather.snapshot import Snapshot, read_snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """A WeatherApp, what it is made of, and who looks after it.

    `pod_blockers` are why its pods are not ready; they are read where the status cannot be trusted.
    `at_deadline` is what the operator decides if the rollout gets no further until its deadline,
    None where there is no deadline or it cannot be known.
    """

    app: Manifest
    site: Site
    pod_blockers: tuple[Blocker, ...] = ()
    lease: LeaseState
    now: datetime
    at_deadline: Decision | None = None

    @property
    def is_status_trusted(self) -> bool:
        """Whether the status is of this spec, by an operator that runs."""
        return self.site.is_current and bool(self.site.reason) and self.lease.is_held is not False


def read_diagnostics(client: Client, name: str | None = None) -> Iterator[Diagnostics]:
    """Give the diagnostics of one app, or of each in the client's namespace."""
    snapshot = read_snapshot(client, name)
    lease = read_lease_state(client)
    catalogue = _read_catalogue(client)
    for site in snapshot.sites():
        key = Key(namespace=site.namespace, name=site.name)
        app = snapshot.bodies(WEATHER_APP, key)[0]
        found = Diagnostics(app=app, site=site, lease=lease, now=client.now)
        if found.is_status_trusted:
            deployments = snapshot.bodies(DEPLOYMENT, key)
            replica_sets = snapshot.bodies(REPLICA_SET, key)
            pods = snapshot.bodies(POD, key)
            decision = decision_at_deadline(app, deployments, replica_sets, pods, catalogue)
            yield replace(found, at_deadline=decision)
        else:
            yield replace(found, pod_blockers=_pod_blockers(client, snapshot, key))


def decision_at_deadline(
    app: Manifest,
    deployments: Sequence[Manifest],
    replica_sets: Sequence[Manifest],
    pods: Sequence[Manifest],
    catalogue: Sequence[Manifest],
) -> Decision | None:
    """Return what the operator decides at the deadline of the app's rollout, if it has one.

    It is the operator's own plan of what is there now, made at that time; a container that runs
    and is not ready now is taken never to get ready.
    """
    deadline = app.get("status", {}).get("rollout", {}).get("deadline")
    if deadline is None:
        return None
    parsed = parse_app(app)
    observed = Observed(
        app=parsed,
        now=deadline,
        children={(DEPLOYMENT, each["metadata"]["name"]): each for each in deployments},
        replica_sets=replica_sets,
    )
    end = later(deadline, progress_deadline_seconds(parsed))
    observed = replace(observed, pod_blockers=of_pods(pods, replace(observed, now=end)))
    try:
        release = release_for(parsed, catalogue)
    except CatalogueError:
        return None
    image = pinned(parsed, release, observed.child(DEPLOYMENT), awaited=False)
    planned = plan(replace(observed, release=image or release))
    if planned is None or planned.decision is None:
        return None
    is_over = planned.rollout is not None and planned.rollout.is_overdue(deadline)
    # It may have got further since the status was written, or not be to blame: it has longer.
    is_known = planned.decision.action is Action.MARK_FAILED or (is_over and observed.evidence)
    return planned.decision if is_known and observed.progress.observed else None


def _read_catalogue(client: Client) -> list[Manifest]:
    """Return the releases, none where the user may not read them."""
    try:
        return client.list(WEATHER_RELEASE)
    except ForbiddenError:
        return []


def _pod_blockers(client: Client, snapshot: Snapshot, key: Key) -> tuple[Blocker, ...]:
    """Return why pods are not ready: by their own status, else by an event about one of them."""
    pods = snapshot.bodies(POD, key)
    found, pod = of_pods(pods), unexplained(pods)
    if pod is None:
        return found
    fields = f"involvedObject.uid={pod['metadata']['uid']},type=Warning"
    try:
        events = client.list(EVENT, namespace=key.namespace, fields=fields)
    except ForbiddenError:
        return found
    return with_events(found, pod, events)
