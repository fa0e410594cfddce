"""Names, labels and owner: what every child has in common, and by what the pods are found."""

from enum import StrEnum

from weather_operator.kube.apply import managed_fields
from weather_operator.kube.resources import Key, Kind, Manifest, controller_of
from weather_operator.model import FIELD_MANAGER, GROUP, Release, WeatherApp

NAME_LABEL = "app.kubernetes.io/name"
INSTANCE_LABEL = "app.kubernetes.io/instance"
MANAGED_BY = {"app.kubernetes.io/managed-by": "weather-operator"}
VERSION_LABEL = "app.kubernetes.io/version"
COLOUR_LABEL = f"{GROUP}/colour"
TRACK_LABEL = f"{GROUP}/track"


class Track(StrEnum):
    """Which of two sets of pods: the one that serves, or the one that is tried beside it."""

    STABLE = "stable"
    CANARY = "canary"


def child_name(app: WeatherApp, track: Track = Track.STABLE) -> str:
    """Return the name of the app's children on a track."""
    return app.key.name if track is Track.STABLE else f"{app.key.name}-{track}"


def app_of_canary(key: Key) -> Key | None:
    """Return whose canary's child has this name, if it is one's."""
    name = key.name.removesuffix(f"-{Track.CANARY}")
    return Key(namespace=key.namespace, name=name) if name != key.name else None


def selector(app: WeatherApp, track: Track = Track.STABLE) -> dict[str, str]:
    """Return the labels by which the pods of a track are found. A Deployment's can never change."""
    return {**app_labels(app), TRACK_LABEL: track.value}


def app_labels(app: WeatherApp) -> dict[str, str]:
    """Return the labels by which the pods of all tracks are found."""
    return {NAME_LABEL: "weather", INSTANCE_LABEL: app.key.name}


def common_labels(app: WeatherApp) -> dict[str, str]:
    """Return the labels that every child and every pod carries."""
    return {**app_labels(app), "app.kubernetes.io/component": "web", **MANAGED_BY}


def version_labels(release: Release) -> dict[str, str]:
    """Return the labels of what may change in an upgrade: the Deployment and its pods."""
    return {VERSION_LABEL: release.version, COLOUR_LABEL: release.colour}


def is_managed(body: Manifest) -> bool:
    """Tell whether an object carries the operator's label."""
    return bool(MANAGED_BY.items() <= body["metadata"].get("labels", {}).items())


def is_ours(live: Manifest, app: WeatherApp) -> bool:
    """Tell whether a child is this app's: controlled by it, or by nobody and yet made by us.

    What a backup brings back has neither owner nor managedFields: it is known by its labels, and a
    Deployment by the selector too, which can never be put right.
    """
    owner = controller_of(live)
    if owner:
        same: bool = owner["uid"] == app.uid
        return same
    if managed_fields(live, manager=FIELD_MANAGER) is not None:
        return True
    labels = live["metadata"].get("labels", {})
    if not common_labels(app).items() <= labels.items():
        return False
    is_workload = "template" in live["spec"]
    return not is_workload or live["spec"]["selector"].get("matchLabels") in _selectors(app)


def _selectors(app: WeatherApp) -> tuple[dict[str, str], ...]:
    return tuple(selector(app, track) for track in Track)


def object_meta(
    app: WeatherApp,
    kind: Kind,
    *,
    track: Track | None = Track.STABLE,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
) -> Manifest:
    """Return the beginning of a manifest: what it is, its name, and whose.

    A child without a track leads to the pods of all of them.
    """
    metadata: Manifest = {
        "name": child_name(app, track or Track.STABLE),
        "namespace": app.key.namespace,
        "labels": {
            **app.labels,
            **common_labels(app),
            **({TRACK_LABEL: track.value} if track else {}),
            **(labels or {}),
        },
        "ownerReferences": [app.owner_reference],
    }
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}
