"""From a WeatherApp and a release to the manifests of its children, the same every time."""

from dataclasses import replace

from weather_operator.kube.resources import (
    AUTOSCALER,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    HTTP_ROUTE,
    INGRESS,
    SERVICE,
    Kind,
    Manifest,
)
from weather_operator.model import Release, WeatherApp
from weather_operator.render.labels import (
    MANAGED_BY,
    Track,
    app_labels,
    child_name,
    is_ours,
    selector,
)
from weather_operator.render.pods import (
    PORT,
    REVISION_ANNOTATION,
    pod_template,
    revision,
    revision_of,
)
from weather_operator.render.routes import gateway_spec, http_route, ingress, ingress_spec
from weather_operator.render.services import canary_service, service, service_without_load_balancer
from weather_operator.render.workload import autoscaler, deployment, disruption_budget, replicas

__all__ = [
    "MANAGED_BY",
    "PORT",
    "REVISION_ANNOTATION",
    "Track",
    "app_labels",
    "autoscaler",
    "canary_children",
    "child_name",
    "children",
    "deployment",
    "disruption_budget",
    "http_route",
    "ingress",
    "is_ours",
    "pod_template",
    "previous_route",
    "replicas",
    "revision",
    "revision_of",
    "routes_at",
    "selector",
    "service",
    "service_without_load_balancer",
]


def children(app: WeatherApp, release: Release) -> tuple[tuple[Kind, Manifest], ...]:
    """Return every child that the app asks for, in the order in which they are written."""
    manifests = [
        (DEPLOYMENT, deployment(app, release)),
        (SERVICE, service(app)),
        (DISRUPTION_BUDGET, disruption_budget(app)),
    ]
    if app.autoscaling:
        manifests.append((AUTOSCALER, autoscaler(app, app.autoscaling)))
    return (*manifests, *routes_at(app, app.path).items())


def canary_children(
    app: WeatherApp, release: Release, size: int
) -> tuple[tuple[Kind, Manifest], ...]:
    """Return the children of the canary's track, of which so many pods are wanted.

    The Service comes first: what it leads to is known before there are pods.
    """
    track = Track.CANARY
    manifests = [
        (SERVICE, canary_service(app)),
        (DEPLOYMENT, deployment(app, release, track)),
        (DISRUPTION_BUDGET, disruption_budget(app, track)),
    ]
    if app.autoscaling:
        manifests.append((AUTOSCALER, autoscaler(app, app.autoscaling, track, least=size)))
    return tuple(manifests)


def routes_at(app: WeatherApp, path: str, canary: int | None = None) -> dict[Kind, Manifest]:
    """Return the routes that the app asks for, to another path than its own.

    `canary` is the share of the visitors for that track in percent, None where there is none.
    """
    manifests = {}
    if app.ingress:
        manifests[INGRESS] = ingress(app, replace(app.ingress, path=path), canary)
    if app.gateway:
        manifests[HTTP_ROUTE] = http_route(app, replace(app.gateway, path=path), canary)
    return manifests


def previous_route(
    app: WeatherApp, kind: Kind, live: Manifest, path: str, canary: int | None
) -> Manifest:
    """Return a live route that the app asks for no longer, to this path and with this share."""
    if kind is INGRESS:
        return ingress(app, ingress_spec(live, path), canary)
    return http_route(app, gateway_spec(live, path), canary)
