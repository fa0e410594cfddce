"""The three types of Service, the ways between them, and the address that the status shows."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.deadlines import eventually
from support.kubectl import Shell
from support.operator import Operator, Site
from support.watching import READY_ENDPOINTS, endpoints_of, wait_for_endpoints, watching

TYPES = ("ClusterIP", "NodePort", "LoadBalancer")


def give_addresses(shell: Shell, node: str, addresses: list[dict[str, str]]) -> None:
    patch = json.dumps({"status": {"addresses": addresses}})
    shell.kubectl("patch", "node", node, "--subresource=status", "--type=merge", "-p", patch)


@pytest.fixture
def addresses(shell: Shell) -> Iterator[None]:
    """Nodes with addresses, as a kubelet gives them."""
    for number in (1, 2, 3):
        internal = {"type": "InternalIP", "address": f"10.0.0.{number}"}
        give_addresses(shell, f"node-{number}", [internal])
    yield
    for number in (1, 2, 3):
        give_addresses(shell, f"node-{number}", [])


def play_the_cloud(site: Site, ingress: list[dict[str, str]]) -> None:
    patch = json.dumps({"status": {"loadBalancer": {"ingress": ingress}}})
    site.kubectl("patch", "svc/london", "--subresource=status", "--type=merge", "-p", patch)


def settled(site: Site, type_: str) -> dict[str, Any]:
    """The Service once it has the type and the status speaks of it."""

    def reached() -> bool:
        assert site.get("service")["spec"]["type"] == type_
        assert site.reason() in ("Serving", "AddressPending")
        return True

    eventually(reached)
    return site.get("service")


def test_a_cluster_ip_is_named_with_its_port(site: Site) -> None:
    site.apply(service={"port": 8080})
    assert site.wait_for("Serving")["url"] == f"http://london.{site.namespace}.svc:8080/"


@pytest.mark.usefixtures("addresses")
def test_a_node_port_answers_at_a_nodes_address(site: Site, shell: Shell) -> None:
    site.apply(service={"type": "NodePort", "nodePort": 30123})
    assert site.wait_for("Serving")["url"] == "http://10.0.0.1:30123/"
    external = {"type": "ExternalIP", "address": "203.0.113.7"}
    give_addresses(shell, "node-1", [{"type": "InternalIP", "address": "10.0.0.1"}, external])
    eventually(lambda: site.status().get("url") == "http://203.0.113.7:30123/")


def test_a_node_port_waits_until_a_node_has_an_address(site: Site, shell: Shell) -> None:
    site.apply(service={"type": "NodePort"})
    site.wait_for("AddressPending")
    assert site.condition("Available")["status"] == "True"
    assert site.condition("Ready")["status"] == "False"
    give_addresses(shell, "node-2", [{"type": "InternalIP", "address": "2001:db8::2"}])
    port = site.get("service")["spec"]["ports"][0]["nodePort"]
    assert site.wait_for("Serving")["url"] == f"http://[2001:db8::2]:{port}/"
    give_addresses(shell, "node-2", [])
    assert "url" not in site.wait_for("AddressPending")


def test_a_load_balancer_is_waited_for_and_then_named(site: Site) -> None:
    site.apply(service={"type": "LoadBalancer"})
    site.wait_for("AddressPending")
    assert site.condition("Reconciling")["status"] == "True"
    play_the_cloud(site, [{"hostname": "lb.example.com"}])
    assert site.wait_for("Serving")["url"] == "http://lb.example.com/"
    play_the_cloud(site, [{"ip": "203.0.113.9"}])
    eventually(lambda: site.status().get("url") == "http://203.0.113.9/")


@pytest.mark.usefixtures("addresses")
def test_every_change_of_type_keeps_the_service_its_address_and_its_endpoints(site: Site) -> None:
    site.apply()
    first = settled(site, "ClusterIP")
    wait_for_endpoints(site, 2)
    steps = [type_ for pair in itertools.permutations(TYPES, 2) for type_ in pair]
    with watching(site, *endpoints_of(site), show=READY_ENDPOINTS) as record:
        for step in steps:
            site.apply(service={"type": step})
            service = settled(site, step)
            assert service["metadata"]["uid"] == first["metadata"]["uid"]
            assert service["spec"]["clusterIP"] == first["spec"]["clusterIP"]
            assert ("nodePort" in service["spec"]["ports"][0]) == (step != "ClusterIP")
        assert set(record.lines()) == {"true true"}


@pytest.mark.usefixtures("addresses")
def test_a_node_port_that_was_chosen_stays_until_the_type_gives_it_back(site: Site) -> None:
    def port() -> int | None:
        number: int | None = site.get("service")["spec"]["ports"][0].get("nodePort")
        return number

    site.apply(service={"type": "NodePort", "nodePort": 30456})
    eventually(lambda: site.status().get("url") == "http://10.0.0.1:30456/")
    site.apply(service={"type": "LoadBalancer"})
    settled(site, "LoadBalancer")
    assert port() == 30456
    site.apply(service={"type": "NodePort", "nodePort": 30457})
    eventually(lambda: site.status().get("url") == "http://10.0.0.1:30457/")
    site.apply(service={"type": "ClusterIP"})
    settled(site, "ClusterIP")
    assert port() is None
    other = Site(shell=site.shell, namespace=site.namespace, name="paris")
    other.apply(service={"type": "NodePort", "nodePort": 30456})
    assert other.wait_for("Serving")["url"] == "http://10.0.0.1:30456/"


def test_what_the_user_says_of_a_load_balancer_comes_and_goes(site: Site) -> None:
    site.apply(
        service={
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "loadBalancerClass": "example.com/a",
            "annotations": {"example.com/x": "y"},
        }
    )
    service = settled(site, "LoadBalancer")
    assert service["spec"]["externalTrafficPolicy"] == "Local"
    assert service["spec"]["loadBalancerClass"] == "example.com/a"
    assert service["metadata"]["annotations"] == {"example.com/x": "y"}
    site.apply(service={"type": "LoadBalancer", "loadBalancerClass": "example.com/a"})
    eventually(lambda: site.get("service")["spec"]["externalTrafficPolicy"] == "Cluster")
    assert "annotations" not in site.get("service")["metadata"]
    site.apply(service={"type": "ClusterIP"})
    settled(site, "ClusterIP")
    site.apply(service={"type": "LoadBalancer", "loadBalancerClass": "example.com/b"})
    assert settled(site, "LoadBalancer")["spec"]["loadBalancerClass"] == "example.com/b"
    play_the_cloud(site, [{"ip": "203.0.113.9"}])
    assert site.wait_for("Serving")["url"] == "http://203.0.113.9/"


def test_a_new_class_goes_by_way_of_another_type_however_quickly_it_is_asked_for(
    site: Site, operator: Operator
) -> None:
    site.apply(service={"type": "LoadBalancer", "loadBalancerClass": "example.com/a"})
    uid = settled(site, "LoadBalancer")["metadata"]["uid"]
    operator.stop()
    site.apply(service={"type": "ClusterIP"})
    site.apply(service={"type": "LoadBalancer", "loadBalancerClass": "example.com/b"})
    operator.ensure_leading()
    eventually(lambda: site.get("service")["spec"]["loadBalancerClass"] == "example.com/b")
    assert site.get("service")["metadata"]["uid"] == uid
    assert "blockers" not in site.wait_for("AddressPending")


def test_a_node_port_that_is_taken_is_a_blocker_in_the_servers_words(
    site: Site, operator: Operator, shell: Shell, namespace: str
) -> None:
    site.apply(service={"type": "NodePort", "nodePort": 30321})
    eventually(lambda: site.find("service"))
    other = Site(shell=shell, namespace=namespace, name="paris")
    other.apply(service={"type": "NodePort", "nodePort": 30321})
    status = other.wait_for("Blocked")
    (blocker,) = status["blockers"]
    assert "30321" in blocker["message"]
    assert "already allocated" in blocker["message"]
    assert blocker["object"] == "Service/paris"
    assert other.condition("Stalled")["status"] == "True"
    # What it does not hinder goes on.
    eventually(lambda: other.status().get("ready") == "2/2")
    other.apply(service={"type": "ClusterIP"})
    assert "blockers" not in other.wait_for("Serving")
    assert operator.process is not None


def test_the_port_can_change_in_place(site: Site) -> None:
    site.apply(service={"port": 80})
    uid = settled(site, "ClusterIP")["metadata"]["uid"]
    site.apply(service={"port": 8080})
    eventually(lambda: [p["port"] for p in site.get("service")["spec"]["ports"]] == [8080])
    assert site.get("service")["metadata"]["uid"] == uid
