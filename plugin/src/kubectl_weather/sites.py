"""A WeatherApp with all that it is made of: Deployment, ReplicaSets, pods, and where they run."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from weather_operator.kube.resources import Kind, controller_of
from weather_operator.render.labels import (
    COLOUR_LABEL,
    INSTANCE_LABEL,
    MANAGED_BY,
    NAME_LABEL,
    VERSION_LABEL,
)
from weather_operator.status import blockers

Body = dict[str, Any]

REPLICA_SET = Kind(api_version="apps/v1", name="ReplicaSet", plural="replicasets")
EVERY_CHILD = ",".join(
    f"{name}={value}" for name, value in {NAME_LABEL: "weather", **MANAGED_BY}.items()
)
"""The labels by which the children of every WeatherApp are found."""

_NUMBER = "deployment.kubernetes.io/revision"

READY, STARTING, FAILING, ENDING = "ready", "starting", "failing", "ending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod. `state` is ready, starting, failing or ending; `reason` says more in a word."""

    name: str
    uid: str
    version: str
    colour: str
    node: str
    state: str
    reason: str
    restarts: int
    created: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSet:
    """A ReplicaSet and its pods; `number` counts the Deployment's revisions."""

    name: str
    uid: str
    number: int
    version: str
    colour: str
    wanted: int
    ready: int
    created: str
    pods: tuple[Pod, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A Deployment and its ReplicaSets, the newest first."""

    name: str
    wanted: int
    updated: int
    available: int
    created: str
    replica_sets: tuple[ReplicaSet, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A WeatherApp: what its status says, and what it is made of.

    `current` is false while the status speaks of an older spec than the one that is there.
    """

    namespace: str
    name: str
    uid: str
    city: str
    version: str
    colour: str
    wanted_version: str
    ready: str
    reason: str
    message: str
    stalled: bool
    current: bool
    url: str
    created: str
    deployment: Deployment | None

    def json(self) -> Body:
        """Return everything as plain values."""
        return asdict(self)


def labels_of(name: str) -> str:
    """Return the label selector of one app's children."""
    return f"{NAME_LABEL}=weather,{INSTANCE_LABEL}={name}"


def condition(app: Body, type_: str) -> Body:
    """Return a condition of an app's status, empty when it has none of this type."""
    conditions = app.get("status", {}).get("conditions", ())
    return next((each for each in conditions if each["type"] == type_), {})


def is_current(app: Body) -> bool:
    """Tell whether the status speaks of the spec that is there."""
    seen: int = app.get("status", {}).get("observedGeneration", 0)
    generation: int = app["metadata"]["generation"]
    return seen >= generation


def site(
    app: Body, deployments: Iterable[Body], replica_sets: Sequence[Body], pods: Sequence[Body]
) -> Site:
    """Put a WeatherApp together; what does not belong to it, by its owners, is left out."""
    metadata, status = app["metadata"], app.get("status", {})
    ready = condition(app, "Ready")
    own = next(iter(_owned(deployments, metadata["uid"])), None)
    return Site(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        city=app["spec"]["city"],
        version=status.get("version", ""),
        colour=status.get("colour", ""),
        wanted_version=status.get("desiredVersion", ""),
        ready=status.get("ready", ""),
        reason=ready.get("reason", ""),
        message=ready.get("message", ""),
        stalled=condition(app, "Stalled").get("status") == "True",
        current=is_current(app),
        url=status.get("url", ""),
        created=metadata["creationTimestamp"],
        deployment=_deployment(own, replica_sets, pods) if own else None,
    )


def _deployment(body: Body, replica_sets: Sequence[Body], pods: Sequence[Body]) -> Deployment:
    metadata, status = body["metadata"], body.get("status", {})
    sets = [_replica_set(each, pods) for each in _owned(replica_sets, metadata["uid"])]
    return Deployment(
        name=metadata["name"],
        wanted=body["spec"].get("replicas", 1),
        updated=status.get("updatedReplicas", 0),
        available=status.get("availableReplicas", 0),
        created=metadata["creationTimestamp"],
        replica_sets=tuple(sorted(sets, key=lambda each: -each.number)),
    )


def _replica_set(body: Body, pods: Sequence[Body]) -> ReplicaSet:
    metadata = body["metadata"]
    own = [_pod(each) for each in _owned(pods, metadata["uid"])]
    return ReplicaSet(
        name=metadata["name"],
        uid=metadata["uid"],
        number=int(metadata.get("annotations", {}).get(_NUMBER, 0)),
        **_version(body),
        wanted=body["spec"].get("replicas", 1),
        ready=body.get("status", {}).get("readyReplicas", 0),
        created=metadata["creationTimestamp"],
        pods=tuple(sorted(own, key=lambda each: (each.created, each.name))),
    )


def _pod(body: Body) -> Pod:
    metadata, status = body["metadata"], body.get("status", {})
    state, reason = _state(body)
    return Pod(
        name=metadata["name"],
        uid=metadata["uid"],
        **_version(body),
        node=body["spec"].get("nodeName", ""),
        state=state,
        reason=reason,
        restarts=sum(each.get("restartCount", 0) for each in status.get("containerStatuses", ())),
        created=metadata["creationTimestamp"],
    )


def _state(pod: Body) -> tuple[str, str]:
    status = pod.get("status", {})
    if "deletionTimestamp" in pod["metadata"]:
        return ENDING, "Terminating"
    conditions = {each["type"]: each for each in status.get("conditions", ())}
    if conditions.get("Ready", {}).get("status") == "True":
        return READY, "Ready"
    if told := blockers.of_pods([pod]):
        return FAILING, told[0].reason
    if status.get("phase") in ("Failed", "Succeeded"):
        return FAILING, status.get("reason") or status["phase"]
    return STARTING, "NotReady" if status.get("phase") == "Running" else "Starting"


def _version(body: Body) -> dict[str, str]:
    labels = body["metadata"].get("labels", {})
    return {"version": labels.get(VERSION_LABEL, ""), "colour": labels.get(COLOUR_LABEL, "")}


def _owned(bodies: Iterable[Body], uid: str) -> list[Body]:
    return [body for body in bodies if (controller_of(body) or {}).get("uid") == uid]
