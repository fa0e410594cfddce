"""Ingress and Gateway API: what is made, where the status says that the site answers, what goes."""

import json
from collections.abc import Iterator

import pytest
from support.deadlines import eventually
from support.gateway_api import HTTP, accept, install, make_gateway, remove
from support.kubectl import Shell
from support.operator import Operator, Site

ARN = "arn:aws:acm:eu-west-2:123456789012:certificate/1"
ALB = {"className": "alb", "host": "w.example.com", "path": "/london"}


def play_the_cloud(site: Site, kind: str, *addresses: dict[str, str]) -> None:
    """Write the addresses as the load balancer's controller does."""
    patch = json.dumps({"status": {"loadBalancer": {"ingress": list(addresses)}}})
    site.kubectl("patch", kind, "london", "--subresource=status", "--type=merge", "-p", patch)


def environment(site: Site) -> dict[str, str]:
    (container,) = site.get("deployment")["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each.get("value", "") for each in container["env"]}


def test_an_ingress_is_made_and_the_status_says_where_it_answers(site: Site) -> None:
    site.apply(ingress=ALB)
    status = site.wait_for("AddressPending")
    assert "class alb" in site.condition("Ready")["message"]
    assert site.condition("Available")["status"] == "True"
    assert "url" not in status
    ingress = site.get("ingress")
    assert ingress["metadata"]["ownerReferences"][0]["uid"] == site.get()["metadata"]["uid"]
    assert ingress["spec"]["ingressClassName"] == "alb"
    assert environment(site)["BASE_PATH"] == "/london"
    play_the_cloud(site, "ingress", {"hostname": "k8s-1.elb.amazonaws.com"})
    assert site.wait_for("Serving")["url"] == "http://w.example.com/london/"
    site.apply(ingress={**ALB, "tls": {"certificateArn": ARN}})
    eventually(lambda: site.status().get("url") == "https://w.example.com/london/")
    annotations = site.get("ingress")["metadata"]["annotations"]
    assert annotations["alb.ingress.kubernetes.io/ssl-redirect"] == "443"
    site.apply(ingress={**ALB, "host": "x.example.com"})
    eventually(lambda: site.status().get("url") == "http://x.example.com/london/")
    annotations = site.get("ingress")["metadata"]["annotations"]
    assert "alb.ingress.kubernetes.io/ssl-redirect" not in annotations


def test_a_class_change_and_the_end_of_an_ingress(site: Site) -> None:
    site.apply(ingress={"className": "alb"})
    site.wait_for("AddressPending")
    play_the_cloud(site, "ingress", {"hostname": "lb.example.com"})
    assert site.wait_for("Serving")["url"] == "http://lb.example.com/"
    uid = site.get("ingress")["metadata"]["uid"]
    site.apply(ingress={"className": "nginx", "tls": {"secretName": "cert"}})
    assert "url" not in site.wait_for("AddressPending")
    play_the_cloud(site, "ingress", {"hostname": "nginx.example.com"})
    assert site.wait_for("Serving")["url"] == "https://nginx.example.com/"
    ingress = site.get("ingress")
    assert ingress["metadata"]["uid"] == uid
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert "annotations" not in ingress["metadata"]
    site.apply()
    eventually(lambda: site.find("ingress") is None)
    eventually(lambda: site.status().get("url") == f"http://london.{site.namespace}.svc/")
    assert "BASE_PATH" not in environment(site)


def test_what_others_do_to_an_ingress_is_put_right_and_what_they_add_stays(site: Site) -> None:
    site.apply(ingress=ALB)
    site.wait_for("AddressPending")
    site.kubectl("annotate", "ingress/london", "example.com/x=y")
    scheme = "alb.ingress.kubernetes.io/scheme"
    site.kubectl("annotate", "--overwrite", "ingress/london", f"{scheme}=internal")

    def repaired() -> bool:
        annotations = site.get("ingress")["metadata"]["annotations"]
        return bool(annotations[scheme] == "internet-facing" and "example.com/x" in annotations)

    eventually(repaired)
    site.kubectl("delete", "ingress/london")
    eventually(lambda: site.find("ingress"))


def test_an_ingress_of_somebody_else_is_a_conflict_and_outlives_the_wish(site: Site) -> None:
    site.kubectl("create", "ingress", "london", "--class=mine", "--rule=a.example.com/=mine:80")
    # Even with our label on it, it is not ours.
    site.kubectl("label", "ingress/london", "app.kubernetes.io/managed-by=weather-operator")
    site.apply(ingress=ALB)
    status = site.wait_for("NameConflict")
    assert "there is a Ingress london that the operator did not make" in str(status["blockers"])
    site.apply()
    site.wait_for("Serving")
    assert site.get("ingress")["spec"]["ingressClassName"] == "mine"


@pytest.fixture
def without_gateways(shell: Shell) -> Iterator[None]:
    """A cluster that lacks the Gateway API, before and after."""
    remove(shell)
    yield
    remove(shell)


HTTPS = {
    "name": "https",
    "port": 443,
    "protocol": "HTTPS",
    "tls": {"certificateRefs": [{"name": "cert"}]},
}
GATEWAY = {"parentRefs": [{"name": "public"}]}


@pytest.mark.usefixtures("without_gateways")
def test_the_gateway_api_may_come_later_and_go_again(
    site: Site, operator: Operator, shell: Shell
) -> None:
    assert operator.process
    process = operator.process.pid
    site.apply(gateway=GATEWAY)
    status = site.wait_for("GatewayAPINotInstalled")
    assert "install the Gateway API" in status["blockers"][0]["message"]
    eventually(lambda: site.status().get("ready") == "2/2")
    eventually(lambda: site.condition("Available")["status"] == "True")
    assert site.reason() == "GatewayAPINotInstalled"
    other = Site(shell=shell, namespace=site.namespace, name="paris")
    other.apply()
    other.wait_for("Serving")

    install(shell)
    make_gateway(site, HTTP)
    assert "blockers" not in site.wait_for("AddressPending")
    # What others do to it is noticed, since it is watched from now on.
    patch = json.dumps({"spec": {"hostnames": ["evil.example.com"]}})
    site.kubectl("patch", "httproute/london", "--type=merge", "-p", patch)
    site.kubectl("delete", "httproute/london")
    eventually(lambda: site.find("httproute"))
    rules = [{"matches": [{"path": {"type": "PathPrefix", "value": "/x"}}]}]
    patch = json.dumps({"spec": {"rules": rules}})
    site.kubectl("patch", "httproute/london", "--type=merge", "-p", patch)
    eventually(lambda: "/x" not in json.dumps(site.get("httproute")["spec"]))
    accept(site, "True", "taken")
    assert site.wait_for("Serving")["url"] == "http://203.0.113.5/"

    remove(shell)
    site.wait_for("GatewayAPINotInstalled")
    site.apply()
    site.wait_for("Serving")
    install(shell)
    site.apply(gateway=GATEWAY)
    site.wait_for("AddressPending")
    assert operator.process.pid == process
    assert operator.process.poll() is None


@pytest.mark.usefixtures("without_gateways")
def test_a_route_answers_where_its_gateway_does_and_goes_when_it_is_not_wanted(
    site: Site, shell: Shell
) -> None:
    install(shell)
    site.apply(gateway={**GATEWAY, "hostnames": ["w.example.com"], "path": "/london"})
    site.wait_for("AddressPending")
    assert environment(site)["BASE_PATH"] == "/london"
    make_gateway(site, HTTP)
    accept(site, "False", "no listener allows it")

    def refused() -> bool:
        words = "Gateway public does not take the HTTPRoute, NotAllowedByListeners: no listener"
        return words in site.condition("Ready")["message"]

    eventually(refused)
    accept(site, "True", "taken")
    assert site.wait_for("Serving")["url"] == "http://w.example.com/london/"
    make_gateway(site, HTTP, HTTPS)
    eventually(lambda: site.status().get("url") == "https://w.example.com/london/")
    site.apply(ingress={"className": "nginx"})
    site.wait_for("AddressPending")
    assert site.find("httproute"), "the old way in is gone before the new one leads anywhere"
    address = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}})
    patch = ("--subresource=status", "--type=merge", "-p", address)
    site.kubectl("patch", "ingress", "london", *patch)
    site.wait_for("Serving")
    eventually(lambda: site.find("httproute") is None)


def test_the_same_name_in_two_namespaces_is_two_sites(site: Site, shell: Shell) -> None:
    there = f"{site.namespace}-b"
    shell.kubectl("create", "namespace", there)
    try:
        other = Site(shell=shell, namespace=there)
        scaling = {"minReplicas": 3, "maxReplicas": 4}
        site.apply(colour="yellow", ingress={"className": "alb"})
        other.apply(colour="green", autoscaling=scaling)
        site.wait_for("AddressPending")
        assert other.wait_for("Serving")["ready"] == "3/3"
        assert (site.status()["version"], other.status()["version"]) == ("1.0.0", "2.0.0")
        assert other.find("ingress") is None
        assert site.find("horizontalpodautoscaler") is None
        site.kubectl("delete", "wa/london", "--wait=true")
        eventually(lambda: site.find("deployment") is None)
        other.apply(colour="red", autoscaling=scaling)
        eventually(lambda: other.status().get("version") == "3.0.0")
    finally:
        shell.kubectl("delete", "namespace", there, "--wait=false")
