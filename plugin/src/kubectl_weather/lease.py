"""Whether an operator runs in the cluster, by its leader election's Lease."""

from dataclasses import dataclass
from datetime import datetime

from weather_operator.kube.resources import LEASE, Manifest

from kubectl_weather.client import Client
from kubectl_weather.durations import short
from kubectl_weather.errors import ForbiddenError

LEASE_NAME = "weather-operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseState:
    """Whether an operator holds the Lease, None where that cannot be seen; `message` says why."""

    is_held: bool | None
    message: str = ""


def read_lease_state(client: Client) -> LeaseState:
    """Return the state of the operator's Lease, in whatever namespace it is."""
    try:
        leases = client.list(LEASE, fields=f"metadata.name={LEASE_NAME}")
    except ForbiddenError:
        return LeaseState(is_held=None)
    return lease_state(leases, client.now)


def lease_state(leases: list[Manifest], now: datetime) -> LeaseState:
    """Return the state of the Lease that was renewed last: it is held while that was in time.

    One that was never renewed is no operator's: anybody may make a Lease in a namespace of theirs.
    """
    specs = [(each, each.get("spec", {})) for each in leases]
    renewed = [(each, spec) for each, spec in specs if spec.get("renewTime")]
    if not renewed:
        # One may run under a Lease of another name.
        return LeaseState(is_held=None, message=f"no operator holds a Lease called {LEASE_NAME}")
    newest, spec = max(renewed, key=lambda found: str(found[1]["renewTime"]))
    seconds = (now - datetime.fromisoformat(spec["renewTime"])).total_seconds()
    if spec.get("holderIdentity") and seconds <= spec.get("leaseDurationSeconds", 0):
        return LeaseState(is_held=True)
    namespace = newest["metadata"]["namespace"]
    return LeaseState(
        is_held=False,
        message=(
            f"the operator does not run: its Lease in namespace {namespace} is {short(seconds)} old"
        ),
    )
