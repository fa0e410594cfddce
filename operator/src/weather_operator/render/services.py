"""The Service: how the pods are reached."""

from dataclasses import replace

from weather_operator.kube.resources import SERVICE, Manifest
from weather_operator.model import WeatherApp
from weather_operator.render.labels import Track, object_meta, selector


def service(app: WeatherApp, pods: dict[str, str] | None = None) -> Manifest:
    """Return the Service. It does not know the version, so an upgrade leaves it alone.

    It leads to other pods than the stable ones where their labels are given.
    """
    port: Manifest = {
        "name": "http",
        "port": app.service.port,
        "targetPort": "http",
        "protocol": "TCP",
    }
    if app.service.node_port is not None:
        port["nodePort"] = app.service.node_port
    spec: Manifest = {"type": app.service.type, "selector": pods or selector(app), "ports": [port]}
    if app.service.external_traffic_policy is not None:
        spec["externalTrafficPolicy"] = app.service.external_traffic_policy
    if app.service.load_balancer_class is not None:
        spec["loadBalancerClass"] = app.service.load_balancer_class
    return {**object_meta(app, SERVICE, annotations=dict(app.service.annotations)), "spec": spec}


def canary_service(app: WeatherApp) -> Manifest:
    """Return the Service of the canary, which is for routes and probes in the cluster."""
    track = Track.CANARY
    port = {"name": "http", "port": app.service.port, "targetPort": "http", "protocol": "TCP"}
    spec = {"type": "ClusterIP", "selector": selector(app, track), "ports": [port]}
    return {**object_meta(app, SERVICE, track=track), "spec": spec}


def service_without_load_balancer(app: WeatherApp) -> Manifest:
    """Return the Service without a load balancer, whose class can change only in between."""
    plain = replace(
        app.service,
        type="ClusterIP",
        node_port=None,
        external_traffic_policy=None,
        load_balancer_class=None,
    )
    return service(replace(app, service=plain))
