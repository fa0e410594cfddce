from typing import Any

import pytest
from support.manifests import app_body, owned
from weather_operator.kube.resources import HTTP_ROUTE, INGRESS, SERVICE
from weather_operator.model import WeatherApp
from weather_operator.model.parsing import parse_app
from weather_operator.render import routes_at
from weather_operator.rollout.observed import Observed
from weather_operator.status import url as address

ARN = "arn:aws:acm:eu-west-2:123456789012:certificate/1"


def app(**spec: Any) -> WeatherApp:
    return parse_app(app_body(**spec))


def url(
    app: WeatherApp,
    *,
    service: dict[str, Any] | None = None,
    ingress: dict[str, Any] | None = None,
    route: dict[str, Any] | None = None,
    **seen: Any,
) -> str | None:
    return address.url(observed(app, service=service, ingress=ingress, route=route, **seen))


def observed(
    app: WeatherApp, *, node: str | None = None, gateways: Any = (), **live: Any
) -> Observed:
    kinds = {"service": SERVICE, "ingress": INGRESS, "route": HTTP_ROUTE}
    rendered = routes_at(app, app.path)
    return Observed(
        app=app,
        now="2026-01-01T10:00:00Z",
        children={
            (kinds[name], "london"): {**rendered.get(kinds[name], {}), **body, "metadata": owned()}
            for name, body in live.items()
            if body
        },
        gateways=gateways,
        node_address=node,
    )


def given(*addresses: dict[str, str]) -> dict[str, Any]:
    return {"status": {"loadBalancer": {"ingress": list(addresses)}}}


@pytest.mark.parametrize(
    ("spec", "addresses", "expected"),
    [
        ({"type": "ClusterIP", "ports": [{"port": 80}]}, [], "http://london.default.svc/"),
        ({"type": "ClusterIP", "ports": [{"port": 81}]}, [], "http://london.default.svc:81/"),
        ({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}, [], "http://n1:30080/"),
        ({"type": "NodePort", "ports": [{"port": 80}]}, [], None),
        ({"type": "LoadBalancer", "ports": [{"port": 80}]}, [], None),
        ({"type": "LoadBalancer", "ports": [{"port": 80}]}, [{"hostname": "lb"}], "http://lb/"),
        ({"type": "LoadBalancer", "ports": [{"port": 90}]}, [{"ip": "::1"}], "http://[::1]:90/"),
    ],
)
def test_a_service_answers_where_its_type_says(
    spec: dict[str, Any], addresses: list[dict[str, str]], expected: str | None
) -> None:
    service = {"spec": spec, **given(*addresses)}
    assert url(app(), service=service, node="n1") == expected


def test_a_service_that_is_not_there_answers_nowhere() -> None:
    assert url(app(), node="n1") is None


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, "http://lb/"),
        ({"path": "/london"}, "http://lb/london/"),
        ({"host": "w.example.com", "path": "/a/b"}, "http://w.example.com/a/b/"),
        ({"host": "*.example.com"}, "http://london.example.com/"),
        ({"tls": {"secretName": "cert"}}, "https://lb/"),
        ({"className": "alb", "tls": {"certificateArn": ARN}}, "https://lb/"),
        (
            {"host": "w.example.com", "tls": {"certificateArn": ARN}, "sslRedirect": False},
            "https://w.example.com/",
        ),
    ],
)
def test_an_ingress_answers_once_its_load_balancer_has_an_address(
    spec: dict[str, Any], expected: str
) -> None:
    ingress = {"className": "nginx", "path": "/", **spec}
    london = app(ingress=ingress)
    assert url(london, ingress=given({"hostname": "lb"})) == expected
    for waiting in (observed(london), observed(london, ingress=given())):
        assert address.url(waiting) is None
        assert "has no address" in address.pending(waiting)


def gateway(name: str, *listeners: dict[str, Any], at: str | None = "10.9.9.9") -> dict[str, Any]:
    """A Gateway as the store keeps it."""
    return {"metadata": {"name": name}, "status": {"address": at, "listeners": list(listeners)}}


def route(accepted: str, message: str = "", **parent_ref: str) -> dict[str, Any]:
    condition = {"type": "Accepted", "status": accepted, "reason": "Because", "message": message}
    parent = {"parentRef": {"name": "public", **parent_ref}, "conditions": [condition]}
    return {"status": {"parents": [parent]}}


HTTP = {"name": "http", "port": 80, "protocol": "HTTP"}
HTTPS = {"name": "https", "port": 443, "protocol": "HTTPS"}
ODD = {"name": "odd", "port": 8443, "protocol": "HTTPS", "hostname": "*.example.com"}
TCP = {"name": "tcp", "port": 9, "protocol": "TCP"}


@pytest.mark.parametrize(
    ("spec", "listeners", "expected"),
    [
        ({}, [HTTP], "http://10.9.9.9/"),
        ({}, [TCP], None),
        ({}, [HTTP, HTTPS], "https://10.9.9.9/"),
        ({"path": "/london"}, [HTTPS], "https://10.9.9.9/london/"),
        ({"hostnames": ["w.example.com", "x.example.com"]}, [HTTP], "http://w.example.com/"),
        ({}, [ODD], "https://london.example.com:8443/"),
        ({"parentRefs": [{"name": "public", "sectionName": "http"}]}, [HTTPS, HTTP],
         "http://10.9.9.9/"),
        ({"parentRefs": [{"name": "public", "port": 8443}]}, [HTTPS, ODD],
         "https://london.example.com:8443/"),
        ({"parentRefs": [{"name": "public", "port": 8080}]}, [HTTPS], None),
    ],
)  # fmt: skip
def test_a_gateway_answers_where_its_listener_does(
    spec: dict[str, Any], listeners: list[dict[str, Any]], expected: str | None
) -> None:
    london = app(gateway={"parentRefs": [{"name": "public"}], "path": "/", **spec})
    gateways = (gateway("public", *listeners),)
    assert url(london, route=route("True"), gateways=gateways) == expected


@pytest.mark.parametrize(
    ("parent", "expected"),
    [({}, "http://w.example.com/london/"), ({"port": 443}, "https://w.example.com/london/")],
)
def test_a_gateway_that_may_not_be_read_is_believed_through_its_route(
    parent: dict[str, Any], expected: str
) -> None:
    parents = [{"name": "public", "namespace": "infra", **parent}]
    london = app(gateway={"parentRefs": parents, "hostnames": ["w.example.com"], "path": "/london"})
    live = route("True", namespace="infra")
    assert url(london, route=live, gateways=(None,)) == expected
    assert url(london, route=route("False"), gateways=(None,)) is None


def test_a_gateway_that_is_not_there_or_has_no_address_or_takes_no_route_answers_nowhere() -> None:
    london = app(gateway={"parentRefs": [{"name": "public"}], "path": "/"})
    public = gateway("public", HTTP)
    for waiting in (
        observed(london, gateways=(public,)),
        observed(london, route={}, gateways=(public,)),
        observed(london, route=route("True"), gateways=(None,)),
        observed(london, route=route("True"), gateways=(gateway("public", HTTP, at=None),)),
        observed(london, route=route("False"), gateways=(public,)),
    ):
        assert address.url(waiting) is None
        assert "the HTTPRoute" in address.pending(waiting)
    words = address.pending(observed(london, route=route("False", "no listener allows it")))
    assert words == "Gateway public does not take the HTTPRoute, Because: no listener allows it"


def test_a_gateway_may_have_no_listeners_of_its_own() -> None:
    """Those of a ListenerSet are not read, so only what the app says itself is known."""
    gateway = {"spec": {"gatewayClassName": "x"}, "status": {"addresses": [{"value": "192.0.2.1"}]}}
    reached = {"status": address.reach_of_gateway(gateway)}
    assert reached == {"status": {"address": "192.0.2.1", "listeners": []}}
    spec = {"parentRefs": [{"name": "public"}], "hostnames": ["w.example.com"], "path": "/"}
    live = route("True")
    assert url(app(gateway=spec), route=live, gateways=(reached,)) == "http://w.example.com/"
