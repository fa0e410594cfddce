"""Names, labels and owner: what every child has in common, and by what the pods are found."""

from weather_operator.kube.resources import Kind, Manifest
from weather_operator.model import GROUP, WEATHER_APP, Release, WeatherApp

NAME_LABEL = "app.kubernetes.io/name"
INSTANCE_LABEL = "app.kubernetes.io/instance"
MANAGED_BY = {"app.kubernetes.io/managed-by": "weather-operator"}
VERSION_LABEL = "app.kubernetes.io/version"
COLOUR_LABEL = f"{GROUP}/colour"


def selector(app: WeatherApp) -> dict[str, str]:
    """Return the labels by which the pods are found. They can never change."""
    return {NAME_LABEL: "weather", INSTANCE_LABEL: app.key.name}


def common_labels(app: WeatherApp) -> dict[str, str]:
    """Return the labels that every child and every pod carries."""
    return {**selector(app), "app.kubernetes.io/component": "web", **MANAGED_BY}


def version_labels(release: Release) -> dict[str, str]:
    """Return the labels of what may change in an upgrade: the Deployment and its pods."""
    return {VERSION_LABEL: release.version, COLOUR_LABEL: release.colour}


def object_meta(
    app: WeatherApp,
    kind: Kind,
    *,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
) -> Manifest:
    """Return the beginning of a manifest: what it is, its name, and whose."""
    metadata: Manifest = {
        "name": app.key.name,
        "namespace": app.key.namespace,
        "labels": {**common_labels(app), **(labels or {})},
        "ownerReferences": [
            {
                "apiVersion": WEATHER_APP.api_version,
                "kind": WEATHER_APP.name,
                "name": app.key.name,
                "uid": app.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}
