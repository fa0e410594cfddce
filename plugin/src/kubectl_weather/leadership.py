"""Whether an operator is at work in the cluster, as far as the viewer may see."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from weather_operator.kube.resources import LEASE

from kubectl_weather.ages import length
from kubectl_weather.api import Api
from kubectl_weather.errors import ForbiddenError

Body = dict[str, Any]

LEASE_NAME = "weather-operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leadership:
    """Whether one leads, None where that cannot be seen; `said` tells it in words."""

    works: bool | None
    said: str = ""


def read(api: Api) -> Leadership:
    """Return who leads, by the operator's Lease in whatever namespace it lies."""
    try:
        leases = api.list(LEASE, fields=f"metadata.name={LEASE_NAME}")
    except ForbiddenError:
        return Leadership(works=None)
    return leadership(leases, api.now)


def leadership(leases: list[Body], now: datetime) -> Leadership:
    """Judge the Leases of this name: one that is held and was renewed in time is enough."""
    if not leases:
        # One may run under a Lease of another name.
        return Leadership(works=None, said=f"no operator holds a Lease called {LEASE_NAME}")
    newest = max(leases, key=lambda lease: lease["spec"].get("renewTime", ""))
    spec = newest["spec"]
    silent = (now - datetime.fromisoformat(spec["renewTime"])).total_seconds()
    if spec.get("holderIdentity") and silent <= spec["leaseDurationSeconds"]:
        return Leadership(works=True)
    where = newest["metadata"]["namespace"]
    said = f"the operator does not run: its Lease in namespace {where} is {length(silent)} old"
    return Leadership(works=False, said=said)
