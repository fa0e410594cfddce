"""The pod template: what a revision is the hash of."""

import hashlib
import json

from weather_operator.kube.resources import Manifest
from weather_operator.model import GROUP, Release, WeatherApp
from weather_operator.render.labels import (
    TRACK_LABEL,
    Track,
    common_labels,
    selector,
    version_labels,
)
from weather_operator.render.load_balancers import drain_seconds, grace_seconds

REVISION_ANNOTATION = f"{GROUP}/revision"

CONTAINER = "web"
PORT = 8080
METRICS_PORT = 9090
"""Where metrics are, and probes too: a port 8080 that visitors have filled fails none of them."""

READINESS_PATH = "/readyz"
API_KEY_DIRECTORY = "/var/run/secrets/weather"
_PATH_VARIABLE = "BASE_PATH"
_DRAIN_VARIABLE = "DRAIN_SECONDS"


def pod_template(app: WeatherApp, release: Release, track: Track = Track.STABLE) -> Manifest:
    """Return the pod template, which carries its own revision as an annotation."""
    template = {
        "metadata": {
            "labels": {
                **app.pod.get("labels", {}),
                **common_labels(app),
                TRACK_LABEL: track.value,
                **version_labels(release),
            },
            "annotations": dict(app.pod.get("annotations", {})),
        },
        "spec": _pod_spec(app, release, track),
    }
    # A revision has the same name on every track.
    name = _revision(template) if track is Track.STABLE else revision(app, release)
    template["metadata"]["annotations"][REVISION_ANNOTATION] = name
    return template


def path_in(template: Manifest) -> str:
    """Return the path at which pods of a template answer."""
    environment = (
        variable
        for container in template["spec"]["containers"]
        if container["name"] == CONTAINER
        for variable in container.get("env", ())
    )
    paths = (each.get("value", "/") for each in environment if each["name"] == _PATH_VARIABLE)
    return next(paths, "/")


def revision(app: WeatherApp, release: Release) -> str:
    """Return the revision that the pod template of this app and release has."""
    annotations = pod_template(app, release)["metadata"]["annotations"]
    return str(annotations[REVISION_ANNOTATION])


def revision_of(deployment: Manifest) -> str | None:
    """Return the revision of a Deployment's template, rendered or live."""
    metadata: Manifest = deployment["spec"]["template"].get("metadata", {})
    revision: str | None = metadata.get("annotations", {}).get(REVISION_ANNOTATION)
    return revision


def _revision(template: Manifest) -> str:
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _pod_spec(app: WeatherApp, release: Release, track: Track) -> Manifest:
    spec: Manifest = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_seconds(app),
        # Left out it could not be taken back: the field's old alias would restore it.
        "serviceAccountName": app.pod.get("serviceAccountName") or "default",
        "securityContext": {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            _spread(app, track, "kubernetes.io/hostname"),
            _spread(app, track, "topology.kubernetes.io/zone"),
        ],
        "containers": [_container(app, release)],
        "volumes": _volumes(app),
    }
    for field in ("nodeSelector", "tolerations", "imagePullSecrets", "priorityClassName"):
        if given := app.pod.get(field):
            spec[field] = given
    return spec


def _spread(app: WeatherApp, track: Track, topology: str) -> Manifest:
    return {
        "maxSkew": 1,
        "topologyKey": topology,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(app, track)},
        "matchLabelKeys": ["pod-template-hash"],
    }


def _container(app: WeatherApp, release: Release) -> Manifest:
    return {
        "name": CONTAINER,
        "image": release.image,
        "ports": [
            {"name": "http", "containerPort": PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        "env": _environment(app),
        "resources": app.resources,
        "startupProbe": _probe("/healthz", period=1, failures=60),
        "readinessProbe": _probe(READINESS_PATH, period=2, failures=2),
        "livenessProbe": _probe("/healthz", period=10, failures=3),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": _mounts(app),
    }


def _probe(path: str, *, period: int, failures: int) -> Manifest:
    return {
        "httpGet": {"path": path, "port": "metrics"},
        "periodSeconds": period,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }


def _environment(app: WeatherApp) -> list[Manifest]:
    values = {
        "WEATHER_CITY": app.city,
        "WEATHER_PROVIDER": app.weather.provider,
        "WEATHER_UNITS": app.weather.units,
        "WEATHER_LANG": app.weather.language,
    }
    if app.weather.api_key:
        values["OPENWEATHER_API_KEY_FILE"] = f"{API_KEY_DIRECTORY}/api-key"
    if app.path != "/":
        values[_PATH_VARIABLE] = app.path
    given = {each["name"] for each in app.pod.get("env", ())}
    if (drain := drain_seconds(app)) and _DRAIN_VARIABLE not in given:
        values[_DRAIN_VARIABLE] = str(drain)
    return [
        *({"name": name, "value": value} for name, value in values.items()),
        _field("POD_NAME", "metadata.name"),
        _field("POD_NAMESPACE", "metadata.namespace"),
        _field("NODE_NAME", "spec.nodeName"),
        *app.pod.get("env", ()),
    ]


def _field(name: str, path: str) -> Manifest:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def _volumes(app: WeatherApp) -> list[Manifest]:
    volumes: list[Manifest] = [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}]
    if secret := app.weather.api_key:
        items = [{"key": secret.key, "path": "api-key"}]
        volumes.append({"name": "api-key", "secret": {"secretName": secret.name, "items": items}})
    return volumes


def _mounts(app: WeatherApp) -> list[Manifest]:
    mounts: list[Manifest] = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 (in the pod)
    if app.weather.api_key:
        # A whole directory, not a subPath: only then does a changed key arrive in a running pod.
        mounts.append({"name": "api-key", "mountPath": API_KEY_DIRECTORY, "readOnly": True})
    return mounts
