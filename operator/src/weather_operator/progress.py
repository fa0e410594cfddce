"""How far a Deployment is, and from which number of pods on its app counts as available."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from weather_operator.kinds import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a Deployment is, in pods. `failure` is in its controller's own words."""

    wanted: int
    replicas: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    observed: bool = False
    failure: str = ""

    @property
    def complete(self) -> bool:
        """Whether every wanted pod is of the newest revision and available, and no other left."""
        return self.observed and (self.wanted == self.replicas == self.updated == self.available)

    def is_beyond(self, status: Mapping[str, Any]) -> bool:
        """Tell whether a rollout got further since a status was written.

        A pod that turns ready and crashes again and again is no progress: it neither lets another
        one be updated nor an old one go.
        """
        updated: int = status.get("updatedReplicas", 0)
        available: int = status.get("availableReplicas", 0)
        outdated: int = status.get("replicas", 0) - updated
        return (
            self.updated > updated
            or self.available > available
            or self.replicas - self.updated < outdated
        )


def progress(deployment: Manifest | None, *, wanted: int) -> Progress:
    """Read a live Deployment; without one, nothing of the wanted number is there."""
    if deployment is None:
        return Progress(wanted=wanted)
    status: Manifest = deployment.get("status", {})
    conditions = {each["type"]: each for each in status.get("conditions", ())}
    failed = conditions.get("ReplicaFailure", {})
    return Progress(
        wanted=deployment["spec"].get("replicas", wanted),
        replicas=status.get("replicas", 0),
        updated=status.get("updatedReplicas", 0),
        ready=status.get("readyReplicas", 0),
        available=status.get("availableReplicas", 0),
        observed=status.get("observedGeneration", 0) >= deployment["metadata"]["generation"],
        failure=failed.get("message", "") if failed.get("status") == "True" else "",
    )


def floor(wanted: int, max_unavailable: int | str) -> int:
    """Return how many of the wanted pods may not be missing; of any there are, at least one.

    `max_unavailable` is a number or a percentage, which the Deployment's controller rounds down.
    """
    if isinstance(max_unavailable, str):
        max_unavailable = math.floor(wanted * int(max_unavailable.removesuffix("%")) / 100)
    return max(wanted - max_unavailable, min(wanted, 1))


def seconds_between(start: str, end: str) -> float:
    """Return how long it is from one time in RFC 3339 to another."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def later(time: str, seconds: int) -> str:
    """Return the time in RFC 3339 so many seconds after another."""
    moment = datetime.fromisoformat(time) + timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
