"""The stand-in for the AWS Load Balancer Controller takes our Ingresses, refuses what it does."""

import json
from typing import Any

import pytest
from support.behind_load_balancer import CERTIFICATE, HOST, NLB
from support.load_balancer_model import (
    Group,
    ModelError,
    group_of,
    load_balancer,
    network_load_balancer,
)
from support.manifests import app_body
from weather_operator import render
from weather_operator.kube.resources import INGRESS, SERVICE
from weather_operator.model import Release
from weather_operator.model.parsing import parse_app

ALB = "alb.ingress.kubernetes.io"
RELEASE = Release(version="1.0.0", colour="yellow", image="weather:1.0.0")
GROUPED = {f"{ALB}/group.name": "shared"}


def rendered(**ingress: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The Ingress and the Service of London behind class alb."""
    app = parse_app(app_body(ingress={"className": "alb", **ingress}))
    children = dict(render.children(app, RELEASE))
    return children[INGRESS], children[SERVICE]


def made(**annotations: str) -> Any:
    """What is made of London's Ingress with these annotations."""
    given = {f"{ALB}/{name.replace('_', '-')}": value for name, value in annotations.items()}
    ingress, service = rendered(host=HOST, annotations=given)
    return load_balancer([ingress], {"london": service})


def test_an_ingress_of_ours_listens_redirects_checks_and_drains() -> None:
    ingress, service = rendered(host=HOST, path="/london", tls={"certificateArn": CERTIFICATE})
    balancer = load_balancer([ingress], {"london": service})
    assert balancer.listeners == {80: False, 443: True}
    assert balancer.redirect == 443
    (settings,) = balancer.settings.values()
    assert (settings.path, settings.drain) == ("/readyz", 30)
    (rule,) = balancer.rules
    assert rule.groups == ((Group(service="london", port=80), 1),)
    assert rule.matches(HOST, "/london")
    assert rule.matches(HOST.upper(), "/london/weather.json")
    assert not rule.matches(HOST, "/londonderry")
    assert not rule.matches("elsewhere.example.com", "/london")


@pytest.mark.parametrize(
    ("annotations", "why"),
    [
        ({"scheme": "public"}, "unknown scheme"),
        ({"target_type": "instance"}, "service must be either"),
        ({"listen_ports": "[80]x"}, "failed to parse json"),
        ({"listen_ports": '[{"TCP": 80}]'}, "must be HTTP or HTTPS"),
        ({"listen_ports": '[{"HTTPS": 443}]'}, "no certificate found"),
        ({"certificate_arn": "arn:aws:acm:eu-west-2:1:certificate/x"}, "is not valid"),
        ({"ssl_redirect": "443"}, "listener does not exist for SSL redirect port"),
        ({"group.order": "1001"}, "within range"),
        ({"healthcheck_path": "readyz"}, "must begin with"),
        ({"target_group_attributes": "deregistration_delay.timeout_seconds=4000"}, "3600"),
    ],
)
def test_what_aws_refuses_is_refused(annotations: dict[str, str], why: str) -> None:
    with pytest.raises(ModelError, match=why):
        made(**annotations)


def test_a_service_that_is_not_there_or_has_no_such_port_is_refused() -> None:
    ingress, service = rendered()
    with pytest.raises(ModelError, match='"london" not found'):
        load_balancer([ingress], {})
    service["spec"]["ports"][0]["port"] = 8080
    with pytest.raises(ModelError, match="unable to find port 80"):
        load_balancer([ingress], {"london": service})


def test_a_group_agrees_on_its_scheme_and_its_rules_go_by_order() -> None:
    root, service = rendered(annotations=GROUPED)
    london, _ = rendered(path="/london", annotations=GROUPED)
    assert group_of(root) == group_of(london) == "shared"
    balancer = load_balancer([root, london], {"london": service})
    assert [each.path for each in balancer.rules] == ["/london", "/"]
    london["metadata"]["annotations"][f"{ALB}/scheme"] = "internal"
    with pytest.raises(ModelError, match="conflicting scheme"):
        load_balancer([root, london], {"london": service})


def test_a_forward_action_takes_the_services_place() -> None:
    ingress, service = rendered()
    services = {"london": service, "london-canary": service}
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    path["backend"]["service"] = {"name": "split", "port": {"name": "use-annotation"}}
    with pytest.raises(ModelError, match=r"missing actions\.split"):
        load_balancer([ingress], services)
    weights = {"london": 90, "london-canary": 10}
    targets = [
        {"serviceName": name, "servicePort": 80, "weight": weight}
        for name, weight in weights.items()
    ]
    action = {"type": "forward", "forwardConfig": {"targetGroups": targets}}
    ingress["metadata"]["annotations"][f"{ALB}/actions.split"] = json.dumps(action)
    (rule,) = load_balancer([ingress], services).rules
    assert {group.service: weight for group, weight in rule.groups} == weights
    targets[0]["weight"] = 1000
    ingress["metadata"]["annotations"][f"{ALB}/actions.split"] = json.dumps(action)
    with pytest.raises(ModelError, match="weight 1000"):
        load_balancer([ingress], services)


def test_a_service_of_its_class_whose_targets_are_pods_is_passed_on_as_it_is() -> None:
    service = dict(render.children(parse_app(app_body(service=NLB)), RELEASE))[SERVICE]
    balancer = network_load_balancer(service)
    assert balancer
    (group,) = balancer.settings
    assert balancer.forwards == {80: group}
    assert group == Group(service="london", port=80)
    del service["metadata"]["annotations"]
    assert network_load_balancer(service) is None
