"""A WeatherApp with its Deployment, ReplicaSets and pods, as the API server would give them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from support.manifests import app_body

Body = dict[str, Any]

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
COLOURS = {"1.0.0": "yellow", "2.0.0": "green", "3.0.0": "red"}


def ago(seconds: float) -> str:
    """A time as the API writes it."""
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def app(name: str = "london", *, status: Body | None = None, **spec: Any) -> Body:
    """A WeatherApp that is five minutes old."""
    body = app_body(status=status, **spec)
    body["metadata"] |= {"name": name, "uid": f"{name}-uid", "creationTimestamp": ago(300)}
    return body


def status(
    reason: str, message: str, *, ready: bool = False, stalled: bool = False, **more: Any
) -> Body:
    """The status of an app that has 1.0.0 and speaks of the first generation."""
    said = {
        "Ready": ready,
        "Available": True,
        "Reconciling": not (ready or stalled),
        "Stalled": stalled,
    }
    return {
        "observedGeneration": 1,
        "version": "1.0.0",
        "colour": "yellow",
        "ready": "2/2",
        "conditions": [
            {
                "type": type_,
                "status": str(holds),
                "reason": "EnoughPods" if type_ == "Available" else reason,
                "message": "2 pods available, at least 2 wanted"
                if type_ == "Available"
                else message,
                "lastTransitionTime": ago(60),
            }
            for type_, holds in said.items()
        ],
        **more,
    }


def deployment(owner: Body, *, updated: int = 2, available: int = 2) -> Body:
    """The app's Deployment of two pods."""
    name = owner["metadata"]["name"]
    return {
        "metadata": _metadata(name, owner, name),
        "spec": {"replicas": 2},
        "status": {"updatedReplicas": updated, "availableReplicas": available},
    }


def replica_set(owner: Body, number: int, version: str, *, wanted: int = 2, ready: int = 2) -> Body:
    """A ReplicaSet of the Deployment."""
    app_name = owner["metadata"]["name"]
    metadata = _metadata(f"{app_name}-{number}", owner, app_name, version)
    metadata["annotations"] = {"deployment.kubernetes.io/revision": str(number)}
    return {"metadata": metadata, "spec": {"replicas": wanted}, "status": {"readyReplicas": ready}}


def pod(
    owner: Body, letter: str, *, ready: bool = True, waiting: str = "", going: bool = False
) -> Body:
    """A pod of the ReplicaSet, on node-1."""
    labels = owner["metadata"]["labels"]
    app_name, version = labels["app.kubernetes.io/instance"], labels["app.kubernetes.io/version"]
    metadata = _metadata(f"{owner['metadata']['name']}-{letter}", owner, app_name, version)
    if going:
        metadata["deletionTimestamp"] = ago(0)
    state = {"waiting": {"reason": waiting, "message": "back-off"}} if waiting else {"running": {}}
    return {
        "metadata": metadata,
        "spec": {"nodeName": "node-1"},
        "status": {
            "phase": "Running" if ready else "Pending",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"restartCount": 2 if waiting else 0, "state": state}],
        },
    }


def _metadata(name: str, owner: Body, app_name: str, version: str = "") -> Body:
    labels = {"app.kubernetes.io/name": "weather", "app.kubernetes.io/instance": app_name}
    if version:
        labels["app.kubernetes.io/version"] = version
        labels["weather.quantspark.io/colour"] = COLOURS[version]
    return {
        "name": name,
        "namespace": "default",
        "uid": f"{owner['metadata']['uid']}/{name}",
        "labels": labels,
        "creationTimestamp": ago(60),
        "ownerReferences": [{"controller": True, "uid": owner["metadata"]["uid"]}],
    }
