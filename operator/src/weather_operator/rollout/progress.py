"""How far a Deployment is, how far it has been at most, and how few of its pods may serve."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Self

from weather_operator.kube.resources import Manifest
from weather_operator.model import RolloutSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a Deployment is, in pods. `failure` is in its controller's own words.

    While its controller has not `observed` a change, the numbers are those of before it.
    """

    desired: int
    replicas: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    observed: bool = False
    failure: str = ""

    @property
    def complete(self) -> bool:
        """Whether every desired pod is of the newest revision and available, and no other left."""
        return self.observed and (self.desired == self.replicas == self.updated == self.available)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """The furthest that a rollout has been: most pods updated and available, fewest old ones.

    Pods that come and go again and again reach nothing new, nor do those beyond the smallest number
    `desired` since it began: they come of scaling.
    """

    desired: int
    updated: int
    available: int
    old: int

    @classmethod
    def of(cls, progress: Progress) -> Self:
        """Return what is reached where nothing was before."""
        return cls(
            desired=progress.desired,
            updated=min(progress.updated, progress.desired),
            available=min(progress.available, progress.desired),
            old=progress.replicas - progress.updated,
        )

    def after(self, progress: Progress) -> Self:
        """Return what is reached by now."""
        desired = min(self.desired, progress.desired)
        return type(self)(
            desired=desired,
            updated=max(self.updated, min(progress.updated, desired)),
            available=max(self.available, min(progress.available, desired)),
            old=min(self.old, progress.replicas - progress.updated),
        )

    def is_further_than(self, other: Self) -> bool:
        """Tell whether a rollout got further in between; fewer pods desired are no progress."""
        return (
            self.updated > other.updated or self.available > other.available or self.old < other.old
        )

    def manifest(self) -> Manifest:
        """Return it as the status keeps it."""
        return asdict(self)


def reached_before(change: Manifest) -> Reached | None:
    """Return what a change in a status had reached, None while nobody had seen it begin.

    One that lacks a part of it counts as not seen yet.
    """
    reached = change.get("reached", {})
    names = [each.name for each in fields(Reached)]
    if not reached.keys() >= set(names):
        return None
    return Reached(**{name: reached[name] for name in names})


def progress_of(deployment: Manifest | None, *, desired: int) -> Progress:
    """Read a live Deployment; without one, nothing of the desired number is there."""
    if deployment is None:
        return Progress(desired=desired)
    status: Manifest = deployment.get("status", {})
    conditions = {each["type"]: each for each in status.get("conditions", ())}
    failed = conditions.get("ReplicaFailure", {})
    return Progress(
        desired=deployment["spec"].get("replicas", desired),
        replicas=status.get("replicas", 0),
        updated=status.get("updatedReplicas", 0),
        ready=status.get("readyReplicas", 0),
        available=status.get("availableReplicas", 0),
        observed=status.get("observedGeneration", 0) >= deployment["metadata"]["generation"],
        failure=failed.get("message", "") if failed.get("status") == "True" else "",
    )


def min_available(desired: int, rollout: RolloutSpec) -> int:
    """Return how many of the desired pods the Deployment's controller keeps available.

    Of any there are that is at least one, but for a single pod beside which no other may come: it
    goes before its successor is there.
    """
    limit = rollout.max_unavailable
    if isinstance(limit, str):
        limit = math.floor(desired * int(limit.removesuffix("%")) / 100)
    if rollout.surges:
        return max(desired - limit, min(desired, 1))
    # One of the two has to give: the controller takes one pod where both come to none.
    return max(desired - max(limit, 1), min(desired - 1, 1), 0)
