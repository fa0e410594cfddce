"""A WeatherApp with its Deployment, ReplicaSets and pods, as values and as JSON."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from weather_operator.kube.resources import Manifest, controller_of
from weather_operator.render.labels import (
    COLOUR_LABEL,
    INSTANCE_LABEL,
    MANAGED_BY,
    NAME_LABEL,
    VERSION_LABEL,
)
from weather_operator.status.pods import of_pods

from kubectl_weather.trial import Trial, trial_of

ALL_CHILDREN = ",".join(
    f"{name}={value}" for name, value in {NAME_LABEL: "weather", **MANAGED_BY}.items()
)
"""The label selector of the children of all WeatherApps."""

_NUMBER_ANNOTATION = "deployment.kubernetes.io/revision"

READY, STARTING, FAILING, ENDING = "ready", "starting", "failing", "ending"
"""The states of a pod."""

SETTLED_REASONS = ("Serving", "ScaledToZero")
"""Ready's reasons while nothing is to be done."""
TERMINATING = "Terminating"
"""Ready's reason, as said here, of an app that is being deleted."""


def json_name(name: str) -> dict[str, str]:
    """Return a field's metadata that gives it another name in the JSON that commands print."""
    return {"json": name}


def to_json(value: Any) -> Any:
    """Return a value and all in it as JSON's types: an object of each dataclass."""
    if is_dataclass(value):
        parts = ((each.metadata.get("json", each.name), each.name) for each in fields(value))
        return {key: to_json(getattr(value, name)) for key, name in parts}
    if isinstance(value, (tuple, list)):
        return [to_json(each) for each in value]
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod. `state` is one of the above; `reason` says more in a word."""

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
    desired: int = field(metadata=json_name("wanted"))
    ready: int
    created: str
    pods: tuple[Pod, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A Deployment and its ReplicaSets, the newest first."""

    name: str
    desired: int = field(metadata=json_name("wanted"))
    updated: int
    available: int
    created: str
    replica_sets: tuple[ReplicaSet, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What leads to the pods, or sets their number: a Service, an autoscaler or a route.

    `summary` says of it what there is to know, in kubectl's own terms.
    """

    kind: str
    name: str
    summary: str
    created: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A WeatherApp: what its status says, and what it is made of.

    `is_current` is false while the status is of an older spec than the one that is there.
    """

    namespace: str
    name: str
    uid: str
    city: str
    version: str
    colour: str
    desired_version: str = field(metadata=json_name("wanted_version"))
    ready: str
    reason: str
    message: str
    stalled: bool
    is_current: bool = field(metadata=json_name("current"))
    url: str
    created: str
    deployment: Deployment | None
    canary: Deployment | None
    trial: Trial | None
    access: tuple[Access, ...]


def children_labels(name: str) -> str:
    """Return the label selector of one WeatherApp's children."""
    return f"{NAME_LABEL}=weather,{INSTANCE_LABEL}={name}"


def condition(app: Manifest, type_: str) -> Manifest:
    """Return a condition of an app's status, empty when it has none of this type.

    An app that is being deleted is not ready, Terminating: the operator says nothing more of it.
    """
    if since := app["metadata"].get("deletionTimestamp"):
        return _terminating(app["metadata"], since) if type_ == "Ready" else {}
    conditions = app.get("status", {}).get("conditions", ())
    return next((each for each in conditions if each["type"] == type_), {})


def is_current(app: Manifest) -> bool:
    """Tell whether what `condition` says is of the spec that is there."""
    if "deletionTimestamp" in app["metadata"]:
        return True
    observed: int = app.get("status", {}).get("observedGeneration", 0)
    generation: int = app["metadata"]["generation"]
    return observed >= generation


def _terminating(metadata: Manifest, since: str) -> Manifest:
    finalizers = ", ".join(metadata.get("finalizers", ()))
    held = f" and waits for the finalizer {finalizers}" if finalizers else ""
    return {
        "type": "Ready",
        "status": "False",
        "reason": TERMINATING,
        "message": f"it is being deleted{held}",
        "lastTransitionTime": since,
    }


def site(
    app: Manifest,
    deployments: Iterable[Manifest],
    replica_sets: Sequence[Manifest],
    pods: Sequence[Manifest],
    *,
    access: Iterable[Manifest] = (),
) -> Site:
    """Return a WeatherApp with those of the objects that belong to it, by their owners.

    `access` are Services, autoscalers and routes; each says its kind.
    """
    metadata, status = app["metadata"], app.get("status", {})
    ready = condition(app, "Ready")
    tracks = {each["metadata"]["name"]: each for each in _owned(deployments, metadata["uid"])}
    own, canary = tracks.get(metadata["name"]), tracks.get(f"{metadata['name']}-canary")
    return Site(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        city=app["spec"]["city"],
        version=status.get("version", ""),
        colour=status.get("colour", ""),
        desired_version=status.get("desiredVersion", ""),
        ready=status.get("ready", ""),
        reason=ready.get("reason", ""),
        message=ready.get("message", ""),
        stalled=condition(app, "Stalled").get("status") == "True",
        is_current=is_current(app),
        url=status.get("url", ""),
        created=metadata["creationTimestamp"],
        deployment=_deployment(own, replica_sets, pods) if own else None,
        canary=_deployment(canary, replica_sets, pods) if canary else None,
        trial=trial_of(app),
        access=tuple(_access(each) for each in _owned(access, metadata["uid"])),
    )


def _deployment(
    body: Manifest, replica_sets: Sequence[Manifest], pods: Sequence[Manifest]
) -> Deployment:
    metadata, status = body["metadata"], body.get("status", {})
    sets = [_replica_set(each, pods) for each in _owned(replica_sets, metadata["uid"])]
    return Deployment(
        name=metadata["name"],
        desired=body["spec"].get("replicas", 1),
        updated=status.get("updatedReplicas", 0),
        available=status.get("availableReplicas", 0),
        created=metadata["creationTimestamp"],
        replica_sets=tuple(sorted(sets, key=lambda each: -each.number)),
    )


def _replica_set(body: Manifest, pods: Sequence[Manifest]) -> ReplicaSet:
    metadata = body["metadata"]
    own = [_pod(each) for each in _owned(pods, metadata["uid"])]
    return ReplicaSet(
        name=metadata["name"],
        uid=metadata["uid"],
        number=_number(metadata),
        **_version(body),
        desired=body["spec"].get("replicas", 1),
        ready=body.get("status", {}).get("readyReplicas", 0),
        created=metadata["creationTimestamp"],
        pods=tuple(sorted(own, key=lambda each: (each.created, each.name))),
    )


def _number(metadata: Manifest) -> int:
    """Return which revision of its Deployment it is, 0 where somebody has overwritten that."""
    text = metadata.get("annotations", {}).get(_NUMBER_ANNOTATION, "")
    return int(text) if text.isdecimal() else 0


def _access(body: Manifest) -> Access:
    kind, metadata = body["kind"], body["metadata"]
    summary = _SUMMARIES[kind](body["spec"], body.get("status", {}))
    return Access(
        kind=kind, name=metadata["name"], summary=summary, created=metadata["creationTimestamp"]
    )


def _service(spec: Manifest, status: Manifest) -> str:
    ports = ", ".join(
        f"{port['port']}:{port['nodePort']}" if "nodePort" in port else str(port["port"])
        for port in spec.get("ports", ())
    )
    return f"{spec['type']} {ports}"


def _autoscaler(spec: Manifest, status: Manifest) -> str:
    wanted = status.get("desiredReplicas")
    now = "" if wanted is None else f", now {wanted}"
    return f"{spec.get('minReplicas', 1)} to {spec['maxReplicas']} pods{now}"


def _ingress(spec: Manifest, status: Manifest) -> str:
    hosts = [rule.get("host", "*") for rule in spec.get("rules", ())]
    return ", ".join(hosts) + (", TLS" if spec.get("tls") else "")


def _http_route(spec: Manifest, status: Manifest) -> str:
    gateways = [parent["name"] for parent in spec.get("parentRefs", ())]
    return f"{', '.join(spec.get('hostnames', ['*']))} at Gateway {', '.join(gateways)}"


_SUMMARIES: dict[str, Callable[[Manifest, Manifest], str]] = {
    "Service": _service,
    "HorizontalPodAutoscaler": _autoscaler,
    "Ingress": _ingress,
    "HTTPRoute": _http_route,
}


def _pod(body: Manifest) -> Pod:
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


def _state(pod: Manifest) -> tuple[str, str]:
    status = pod.get("status", {})
    if "deletionTimestamp" in pod["metadata"]:
        return ENDING, "Terminating"
    conditions = {each["type"]: each for each in status.get("conditions", ())}
    if conditions.get("Ready", {}).get("status") == "True":
        return READY, "Ready"
    if found := of_pods([pod]):
        return FAILING, found[0].reason
    if status.get("phase") in ("Failed", "Succeeded"):
        return FAILING, status.get("reason") or status["phase"]
    return STARTING, "NotReady" if status.get("phase") == "Running" else "Starting"


def _version(body: Manifest) -> dict[str, str]:
    labels = body["metadata"].get("labels", {})
    return {"version": labels.get(VERSION_LABEL, ""), "colour": labels.get(COLOUR_LABEL, "")}


def _owned(bodies: Iterable[Manifest], uid: str) -> list[Manifest]:
    return [body for body in bodies if (controller_of(body) or {}).get("uid") == uid]
