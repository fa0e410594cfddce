"""Objects as the API server would give them, for tests of the logic alone."""

from typing import Any

Manifest = dict[str, Any]

ROLLOUT = {
    "progressDeadlineSeconds": 120,
    "minReadySeconds": 5,
    "maxSurge": 1,
    "maxUnavailable": 0,
    "autoRollback": True,
    "paused": False,
    "attempt": 0,
    "historyLimit": 10,
}


def app_body(
    *,
    status: Manifest | None = None,
    generation: int = 1,
    rollout: Manifest | None = None,
    **spec: Any,
) -> Manifest:
    """A WeatherApp with the schema's defaults."""
    return {
        "metadata": {
            "name": "london",
            "namespace": "default",
            "uid": "app-1",
            "generation": generation,
            "resourceVersion": "10",
        },
        "spec": {
            "city": "London",
            "colour": "yellow",
            "replicas": 2,
            "suspend": False,
            "service": {"type": "ClusterIP", "port": 80},
            "weather": {"provider": "auto", "units": "metric", "language": "en"},
            "rollout": {**ROLLOUT, **(rollout or {})},
            "resources": {
                "requests": {"cpu": "50m", "memory": "64Mi"},
                "limits": {"memory": "192Mi"},
            },
            **spec,
        },
        "status": status or {},
    }


def owned(**metadata: Any) -> Manifest:
    """The metadata of a child of that WeatherApp."""
    owner = {"kind": "WeatherApp", "name": "london", "uid": "app-1", "controller": True}
    return {"name": "london", "namespace": "default", "ownerReferences": [owner], **metadata}


COLOURS = {"1.0.0": "yellow", "2.0.0": "green", "3.0.0": "red"}
VERSIONS = {colour: version for version, colour in COLOURS.items()}


def template(version: str = "2.0.0", image: str = "") -> Manifest:
    """A pod template of this version; its revision is called after it."""
    return {
        "metadata": {
            "annotations": {"weather.quantspark.io/revision": f"r{version[0]}"},
            "labels": {
                "app.kubernetes.io/version": version,
                "weather.quantspark.io/colour": COLOURS[version],
            },
        },
        "spec": {"containers": [{"name": "web", "image": image or f"weather:{version}"}]},
    }


def deployment(
    *,
    desired: int = 2,
    replicas: int = 2,
    updated: int = 2,
    available: int = 2,
    observed: bool = True,
    version: str = "2.0.0",
) -> Manifest:
    """A live Deployment that is so far."""
    return {
        "metadata": owned(uid="deployment-1", generation=3),
        "spec": {"replicas": desired, "template": template(version)},
        "status": {
            "observedGeneration": 3 if observed else 2,
            "replicas": replicas,
            "updatedReplicas": updated,
            "readyReplicas": available,
            "availableReplicas": available,
        },
    }


def replica_set(version: str, *, desired: int, available: int, image: str = "") -> Manifest:
    """A ReplicaSet of the Deployment."""
    made = template(version, image)
    made["metadata"]["labels"]["pod-template-hash"] = "abc"
    owner = {"kind": "Deployment", "name": "london", "uid": "deployment-1", "controller": True}
    return {
        "metadata": {"name": f"london-{version}", "ownerReferences": [owner]},
        "spec": {"replicas": desired, "template": made},
        "status": {"availableReplicas": available},
    }


def disruptions_allowed(budget: Manifest, live: Manifest) -> int:
    """How many of a Deployment's ready pods may be evicted, as the disruption controller has it.

    A number that may be missing is counted from what the Deployment asks for: pods that come on top
    in a rollout are to spare.
    """
    spec, ready = budget["spec"], live["status"].get("readyReplicas", 0)
    least = spec.get("minAvailable")
    if least is None:
        least = live["spec"]["replicas"] - spec["maxUnavailable"]
    return int(max(0, ready - least))
