"""All that an explanation of a WeatherApp is made from, read from the cluster."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from weather_operator.kube.resources import EVENT, POD, Key, Manifest
from weather_operator.model import WEATHER_APP
from weather_operator.status import blockers
from weather_operator.status.blockers import Blocker

from kubectl_weather.client import Client
from kubectl_weather.lease import LeaseState, read_lease_state
from kubectl_weather.model import Site
from kubectl_weather.snapshot import Snapshot, read_snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """A WeatherApp, what it is made of, and who looks after it.

    `pod_blockers` are why its pods are not ready; they are read where the status cannot be trusted.
    """

    app: Manifest
    site: Site
    pod_blockers: tuple[Blocker, ...] = ()
    lease: LeaseState
    now: datetime

    @property
    def is_status_trusted(self) -> bool:
        """Whether the status is of this spec, by an operator that runs."""
        return self.site.is_current and bool(self.site.reason) and self.lease.is_held is not False


def read_diagnostics(client: Client, name: str | None = None) -> Iterator[Diagnostics]:
    """Give the diagnostics of one app, or of each in the client's namespace."""
    snapshot = read_snapshot(client, name)
    lease = read_lease_state(client)
    for site in snapshot.sites():
        key = Key(namespace=site.namespace, name=site.name)
        app = snapshot.bodies(WEATHER_APP, key)[0]
        found = Diagnostics(app=app, site=site, lease=lease, now=client.now)
        if not found.is_status_trusted:
            found = replace(found, pod_blockers=_pod_blockers(client, snapshot, key))
        yield found


def _pod_blockers(client: Client, snapshot: Snapshot, key: Key) -> tuple[Blocker, ...]:
    """Return why pods are not ready: by their own status, else by an event about one of them."""
    pods = snapshot.bodies(POD, key)
    if found := blockers.of_pods(pods):
        return found
    pod = blockers.silent(pods)
    if pod is None:
        return ()
    fields = f"involvedObject.uid={pod['metadata']['uid']},type=Warning"
    return blockers.of_events(pod, client.list(EVENT, namespace=key.namespace, fields=fields))
