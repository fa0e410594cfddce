"""A WeatherApp with its Deployment, ReplicaSets and pods, as the API server would give them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from support.manifests import COLOURS, Manifest, app_body

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def ago(seconds: float) -> str:
    """A time as the API writes it."""
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def app(name: str = "london", *, status: Manifest | None = None, **spec: Any) -> Manifest:
    """A WeatherApp that is five minutes old."""
    body = app_body(status=status, **spec)
    body["metadata"] |= {"name": name, "uid": f"{name}-uid", "creationTimestamp": ago(300)}
    return body


def status(
    reason: str, message: str, *, ready: bool = False, stalled: bool = False, **more: Any
) -> Manifest:
    """The status of an app that serves 1.0.0, of its first generation."""
    conditions = {
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
            for type_, holds in conditions.items()
        ],
        **more,
    }


def ended(version: str, outcome: str = "Succeeded") -> Manifest:
    """A rollout in a status's history, one minute old."""
    return {
        "revision": f"r{version[0]}",
        "version": version,
        "colour": COLOURS[version],
        "image": f"weather:{version}",
        "outcome": outcome,
        "at": ago(60),
        "seconds": 12,
    }


def failure(version: str, attempt: int = 0) -> Manifest:
    """A failed revision in a status, one minute old."""
    return {
        "revision": f"r{version[0]}",
        "version": version,
        "at": ago(60),
        "reason": "its pods crash",
        "attempt": attempt,
    }


def app_with_history(
    *history: Manifest, failed: tuple[Manifest, ...] = (), **spec: Any
) -> Manifest:
    """An app with this history, RolledBack where something failed and else Serving."""
    reason = "RolledBack" if failed else "Serving"
    ended_so = status(
        reason, "", history=list(history), failedRevisions=list(failed), desiredVersion="2.0.0"
    )
    return app(status=ended_so, **spec)


def deployment(owner: Manifest, *, updated: int = 2, available: int = 2) -> Manifest:
    """The app's Deployment of two pods."""
    name = owner["metadata"]["name"]
    return {
        "metadata": _metadata(name, owner, name),
        "spec": {"replicas": 2},
        "status": {"updatedReplicas": updated, "availableReplicas": available},
    }


def replica_set(
    owner: Manifest, number: int, version: str, *, desired: int = 2, ready: int = 2
) -> Manifest:
    """A ReplicaSet of the Deployment."""
    app_name = owner["metadata"]["name"]
    metadata = _metadata(f"{app_name}-{number}", owner, app_name, version)
    metadata["annotations"] = {"deployment.kubernetes.io/revision": str(number)}
    return {"metadata": metadata, "spec": {"replicas": desired}, "status": {"readyReplicas": ready}}


def pod(
    owner: Manifest,
    letter: str,
    *,
    ready: bool = True,
    waiting: str = "",
    terminating: bool = False,
) -> Manifest:
    """A pod of the ReplicaSet, on node-1."""
    labels = owner["metadata"]["labels"]
    app_name, version = labels["app.kubernetes.io/instance"], labels["app.kubernetes.io/version"]
    metadata = _metadata(f"{owner['metadata']['name']}-{letter}", owner, app_name, version)
    if terminating:
        metadata["deletionTimestamp"] = ago(0)
    state = {"waiting": {"reason": waiting, "message": "back-off"}} if waiting else {"running": {}}
    return {
        "metadata": metadata,
        "spec": {"nodeName": "node-1"},
        "status": {
            "phase": "Running" if ready else "Pending",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [
                {"name": "web", "restartCount": 2 if waiting else 0, "state": state}
            ],
        },
    }


def _metadata(name: str, owner: Manifest, app_name: str, version: str = "") -> Manifest:
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
