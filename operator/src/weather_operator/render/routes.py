"""The ways to the Service from outside: an Ingress, and a route of the Gateway API."""

import json

from weather_operator.kube.resources import GATEWAY, HTTP_ROUTE, INGRESS, SERVICE, Manifest
from weather_operator.model import GatewaySpec, IngressSpec, WeatherApp
from weather_operator.render.labels import Track, child_name, object_meta
from weather_operator.render.load_balancers import ALB, ALB_DELAYS
from weather_operator.render.pods import READINESS_PATH

_HIGHEST_ORDER = 1000

_ALB = "alb.ingress.kubernetes.io"


def ingress(app: WeatherApp, spec: IngressSpec, canary: int | None = None) -> Manifest:
    """Return the Ingress. The user's annotations win over those of its class.

    `canary` is the share of the visitors for that track in percent, for a class that can divide.
    """
    annotations = alb_annotations(spec) if spec.class_name == ALB else {}
    port: Manifest = {"number": app.service.port}
    if canary is not None and spec.class_name == ALB:
        annotations[forward_action(app)] = json.dumps(_forward(app, canary))
        port = {"name": "use-annotation"}
    manifest = {
        **object_meta(app, INGRESS, track=None, annotations={**annotations, **spec.annotations}),
        "spec": {"ingressClassName": spec.class_name, "rules": [_rule(app, spec, port)]},
    }
    if spec.secret:
        hosts = {"hosts": [spec.host]} if spec.host else {}
        manifest["spec"]["tls"] = [{**hosts, "secretName": spec.secret}]
    return manifest


def alb_annotations(spec: IngressSpec) -> dict[str, str]:
    """Return the annotations by which the AWS Load Balancer Controller is configured.

    https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/
    """
    drain = ALB_DELAYS.drain_seconds
    parameters = {
        "scheme": "internet-facing",
        "target-type": "ip",
        # The load balancer asks the pods themselves, below no path.
        "healthcheck-path": READINESS_PATH,
        "target-group-attributes": f"deregistration_delay.timeout_seconds={drain}",
    }
    if f"{_ALB}/group.name" in spec.annotations:
        # In a group the rules of the lowest number come first: longer paths before shorter ones.
        parameters["group.order"] = str(_HIGHEST_ORDER - min(len(spec.path), _HIGHEST_ORDER - 1))
    if spec.certificate:
        parameters["certificate-arn"] = spec.certificate
        parameters["listen-ports"] = json.dumps([{"HTTP": 80}, {"HTTPS": 443}])
        if spec.ssl_redirect:
            parameters["ssl-redirect"] = "443"
    return {f"{_ALB}/{name}": value for name, value in parameters.items()}


def forward_action(app: WeatherApp) -> str:
    """Return the annotation with the weights of an Application Load Balancer's rule.

    It is called after the Service whose place it takes.
    """
    return f"{_ALB}/actions.{app.key.name}"


def _forward(app: WeatherApp, canary: int) -> Manifest:
    groups = [
        {
            "serviceName": child_name(app, track),
            "servicePort": app.service.port,
            "weight": weight,
        }
        for track, weight in _weights(canary).items()
    ]
    return {"type": "forward", "forwardConfig": {"targetGroups": groups}}


def http_route(app: WeatherApp, spec: GatewaySpec, canary: int | None = None) -> Manifest:
    """Return the HTTPRoute. `canary` is the share of the visitors for that track, in percent.

    Its lists are replaced whole, so what the API server would fill in is written out.
    """
    group = GATEWAY.api_version.partition("/")[0]
    manifest = {
        **object_meta(app, HTTP_ROUTE, track=None),
        "spec": {
            "parentRefs": [{"group": group, "kind": GATEWAY.name, **each} for each in spec.parents],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": spec.path}}],
                    "backendRefs": _backends(app, canary),
                }
            ],
        },
    }
    if spec.hostnames:
        manifest["spec"]["hostnames"] = list(spec.hostnames)
    return manifest


def ingress_spec(live: Manifest, path: str) -> IngressSpec:
    """Return what would ask for a live Ingress of ours, to this path."""
    spec, annotations = live["spec"], live["metadata"].get("annotations", {})
    actions = f"{_ALB}/actions."
    return IngressSpec(
        class_name=spec["ingressClassName"],
        host=spec["rules"][0].get("host"),
        path=path,
        annotations={k: v for k, v in annotations.items() if not k.startswith(actions)},
        secret=next((each["secretName"] for each in spec.get("tls", ())), None),
        certificate=None,  # the annotations have it
        ssl_redirect=False,
    )


def gateway_spec(live: Manifest, path: str) -> GatewaySpec:
    """Return what would ask for a live HTTPRoute of ours, to this path."""
    spec = live["spec"]
    parents, hostnames = tuple(spec["parentRefs"]), tuple(spec.get("hostnames", ()))
    return GatewaySpec(parents=parents, hostnames=hostnames, path=path)


def _backends(app: WeatherApp, canary: int | None) -> list[Manifest]:
    weights = {Track.STABLE: 1} if canary is None else _weights(canary)
    return [
        {
            "group": "",
            "kind": SERVICE.name,
            "name": child_name(app, track),
            "port": app.service.port,
            "weight": weight,
        }
        for track, weight in weights.items()
    ]


def _weights(canary: int) -> dict[Track, int]:
    return {Track.STABLE: 100 - canary, Track.CANARY: canary}


def _rule(app: WeatherApp, spec: IngressSpec, port: Manifest) -> Manifest:
    service = {"name": app.key.name, "port": port}
    path = {"path": spec.path, "pathType": "Prefix", "backend": {"service": service}}
    rule: Manifest = {"http": {"paths": [path]}}
    return {"host": spec.host, **rule} if spec.host else rule
