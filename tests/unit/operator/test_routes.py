"""What leads to the Service: every field of the Ingress, the HTTPRoute and the Service itself."""

import json
from typing import Any

import pytest
from support.manifests import app_body
from weather_operator import render
from weather_operator.kube.resources import HTTP_ROUTE, INGRESS, Kind
from weather_operator.model import Release
from weather_operator.model.parsing import parse_app

YELLOW = Release(version="1.0.0", colour="yellow", image="weather:1.0.0")
ARN = "arn:aws:acm:eu-west-2:123456789012:certificate/1"


def rendered(kind: Kind, **spec: Any) -> dict[str, Any]:
    return dict(render.children(parse_app(app_body(**spec)), YELLOW))[kind]


def ingress(**spec: Any) -> dict[str, Any]:
    return rendered(INGRESS, ingress={"className": "alb", "path": "/", **spec})


def alb(ingress: dict[str, Any]) -> dict[str, str]:
    prefix = "alb.ingress.kubernetes.io/"
    annotations = ingress["metadata"].get("annotations", {})
    return {
        name.removeprefix(prefix): value
        for name, value in annotations.items()
        if name.startswith(prefix)
    }


PLAIN = {
    "scheme": "internet-facing",
    "target-type": "ip",
    "healthcheck-path": "/readyz",
    "target-group-attributes": "deregistration_delay.timeout_seconds=30",
}
CERTIFICATE = {"certificate-arn": ARN, "listen-ports": '[{"HTTP": 80}, {"HTTPS": 443}]'}


def test_an_alb_takes_plain_http_until_there_is_a_certificate() -> None:
    assert alb(ingress()) == PLAIN


@pytest.mark.parametrize(
    ("redirect", "told"),
    [({}, {"ssl-redirect": "443"}), ({"sslRedirect": False}, {}),
     ({"sslRedirect": True}, {"ssl-redirect": "443"})],
)  # fmt: skip
def test_an_alb_with_a_certificate_listens_on_both_ports_and_redirects(
    redirect: dict[str, bool], told: dict[str, str]
) -> None:
    made = ingress(tls={"certificateArn": ARN}, **redirect)
    assert alb(made) == {**PLAIN, **CERTIFICATE, **told}
    assert "tls" not in made["spec"]


def test_the_users_annotations_win() -> None:
    mine = {
        "alb.ingress.kubernetes.io/scheme": "internal",
        "alb.ingress.kubernetes.io/group.name": "shared",
        "example.com/x": "y",
    }
    made = ingress(annotations=mine)
    order = {"group.name": "shared", "group.order": "999"}
    assert alb(made) == {**PLAIN, "scheme": "internal", **order}
    assert made["metadata"]["annotations"]["example.com/x"] == "y"


def test_in_a_group_longer_paths_come_first_unless_the_user_says_otherwise() -> None:
    group = {"alb.ingress.kubernetes.io/group.name": "shared"}
    paths = ["/", "/london", "/london/east", "/" + 2000 * "a"]
    orders = [int(alb(ingress(path=path, annotations=group))["group.order"]) for path in paths]
    assert orders == sorted(orders, reverse=True)
    assert all(-1000 <= each <= 1000 for each in orders)
    mine = {**group, "alb.ingress.kubernetes.io/group.order": "5"}
    assert alb(ingress(annotations=mine))["group.order"] == "5"
    assert "group.order" not in alb(ingress())


def test_another_class_is_told_nothing_of_an_alb() -> None:
    made = ingress(className="nginx", tls={"secretName": "cert"}, host="w.example.com")
    assert "annotations" not in made["metadata"]
    assert made["spec"]["ingressClassName"] == "nginx"
    assert made["spec"]["tls"] == [{"hosts": ["w.example.com"], "secretName": "cert"}]
    anywhere = ingress(className="nginx", tls={"secretName": "cert"})
    assert anywhere["spec"]["tls"] == [{"secretName": "cert"}]


def test_the_rule_leads_from_host_and_path_to_the_services_port() -> None:
    (rule,) = ingress(host="w.example.com", path="/london")["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert rule["host"] == "w.example.com"
    assert (path["path"], path["pathType"]) == ("/london", "Prefix")
    assert path["backend"] == {"service": {"name": "london", "port": {"number": 80}}}
    (everywhere,) = ingress()["spec"]["rules"]
    assert "host" not in everywhere


def test_a_route_leads_from_its_gateways_to_the_services_port() -> None:
    parents = [{"name": "public", "namespace": "infra", "sectionName": "https", "port": 443}]
    gateway = {"parentRefs": parents, "hostnames": ["w.example.com"], "path": "/london"}
    service = {"type": "ClusterIP", "port": 8080}
    spec = rendered(HTTP_ROUTE, gateway=gateway, service=service)["spec"]
    whole = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}
    assert spec["parentRefs"] == [{**whole, **parents[0]}]
    assert spec["hostnames"] == ["w.example.com"]
    (rule,) = spec["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/london"}}]
    (backend,) = rule["backendRefs"]
    assert (backend["kind"], backend["name"], backend["port"]) == ("Service", "london", 8080)


@pytest.mark.parametrize("way", ["ingress", "gateway"])
@pytest.mark.parametrize(("path", "told"), [("/", []), ("/london", ["/london"])])
def test_the_app_is_told_its_path_unless_it_is_the_root(
    way: str, path: str, told: list[str]
) -> None:
    spec = {"className": "nginx", "parentRefs": [{"name": "public"}], "path": path}
    routes: dict[str, Any] = {way: spec}
    template = render.pod_template(parse_app(app_body(**routes)), YELLOW)
    environment = template["spec"]["containers"][0]["env"]
    assert [each["value"] for each in environment if each["name"] == "BASE_PATH"] == told


def test_the_service_says_only_what_the_user_says() -> None:
    plain = {"type": "LoadBalancer", "port": 80}
    given = {"externalTrafficPolicy": "Local", "loadBalancerClass": "example.com/lb"}
    assert not given.keys() & render.service(parse_app(app_body(service=plain)))["spec"].keys()
    spec = render.service(parse_app(app_body(service={**plain, **given})))["spec"]
    assert spec.items() >= given.items()


def test_the_autoscaler_takes_its_four_numbers() -> None:
    numbers = {
        "minReplicas": 3,
        "maxReplicas": 12,
        "targetCPUUtilizationPercentage": 55,
        "scaleDownStabilizationSeconds": 15,
    }
    app = parse_app(app_body(autoscaling=numbers, replicas=7))
    assert app.autoscaling
    spec = render.autoscaler(app, app.autoscaling)["spec"]
    (metric,) = spec["metrics"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 12)
    assert metric["resource"]["target"] == {"type": "Utilization", "averageUtilization": 55}
    assert spec["behavior"] == {"scaleDown": {"stabilizationWindowSeconds": 15}}
    assert spec["scaleTargetRef"]["name"] == "london"
    assert render.replicas(app)["spec"] == {"replicas": 3}
    assert json.dumps(spec)
