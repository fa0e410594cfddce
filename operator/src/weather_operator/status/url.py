"""Where a site answers: read from what leads to its pods."""

from collections.abc import Iterable
from typing import Any

from weather_operator.kube.apply import is_applied_by
from weather_operator.kube.resources import HTTP_ROUTE, INGRESS, SERVICE, Kind, Manifest
from weather_operator.model import FIELD_MANAGER, GatewaySpec, IngressSpec, WeatherApp
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.routes import (
    ACCEPTED,
    holds,
    leads_somewhere,
    parents_of,
    path_of,
)
from weather_operator.rollout.state import seconds_between

_PORTS = {"http": 80, "https": 443}
_CLASS_SECONDS = 60
"""How long the controller of an Ingress's new class has to say where it answers."""


def url(observed: Observed) -> str | None:
    """Return the URL under which the site answers, None while there is none.

    The way in from outside counts: the Ingress, else the Gateway, else the Service.
    """
    app = observed.app
    if app.ingress:
        return _through_ingress(observed, app.ingress)
    if app.gateway:
        return _through_gateway(observed, app.gateway)
    return _of_service(observed)


def way_in(app: WeatherApp) -> Kind:
    """Return the kind of the child whose address is the site's."""
    if app.ingress:
        return INGRESS
    return HTTP_ROUTE if app.gateway else SERVICE


def is_taken_up(observed: Observed) -> bool:
    """Tell whether a Gateway has taken the route as it is now, where a Gateway is the way in."""
    route = observed.child(HTTP_ROUTE)
    if way_in(observed.app) is not HTTP_ROUTE or route is None:
        return True
    generation = route["metadata"].get("generation", 0)
    return any(holds(each, ACCEPTED, generation=generation) for each in parents_of(route))


def address_since(observed: Observed) -> str | None:
    """Return by when what leads to the site surely had its address, in RFC 3339, if that is known.

    By then a load balancer's controller has made all that belongs to it.
    """
    leading = observed.child(way_in(observed.app))
    if leading is None or not leading.get("status", {}).get("loadBalancer", {}).get("ingress"):
        return None
    return _written_at(leading)


def serving_class(observed: Observed, address: str | None) -> str | None:
    """Return the class of Ingress that the site had its address of last, None without one."""
    app, ingress = observed.app, observed.child(INGRESS)
    before: str | None = app.status.get("ingressClass")
    if app.ingress is None:
        return None
    return _class_of(ingress) if ingress and address else before


def pending(observed: Observed) -> str:
    """Return what is waited for while there is no URL, or its route is not taken up."""
    app = observed.app
    if app.ingress:
        class_name = app.ingress.class_name
        return f"the Ingress has no address from its class's controller yet, class {class_name}"
    if app.gateway:
        if refusal := _refusal(observed.child(HTTP_ROUTE)):
            return refusal
        if url(observed):
            return "no Gateway has taken the HTTPRoute's last change yet"
        return "no Gateway has taken the HTTPRoute and has an address yet"
    if app.service.type == "NodePort":
        return "no node has an ExternalIP or InternalIP yet"
    return "the load balancer has no address yet"


def reach_of_gateway(gateway: Manifest) -> Manifest:
    """Return what is read of a Gateway: its `address` and its `listeners`."""
    addresses = gateway.get("status", {}).get("addresses") or [{}]
    # It has none of its own where ListenerSets bring them.
    listeners = gateway["spec"].get("listeners", [])
    return {"address": addresses[0].get("value"), "listeners": listeners}


def reach_of_node(node: Manifest) -> Manifest:
    """Return what is read of a Node: whether it is `ready`, and its `address`, external first."""
    status: Manifest = node.get("status", {})
    addresses: dict[str, Any] = {}
    for each in status.get("addresses", ()):
        addresses.setdefault(each["type"], each["address"])
    conditions = status.get("conditions", ())
    return {
        "address": addresses.get("ExternalIP") or addresses.get("InternalIP"),
        "ready": any(each["type"] == "Ready" and each["status"] == "True" for each in conditions),
    }


def node_address(nodes: Iterable[Manifest]) -> str | None:
    """Return the address at which NodePorts answer: of the first usable node, ready ones first.

    Nodes go by name, so the answer is stable.
    """
    found = [
        (not node["status"]["ready"], node["metadata"]["name"], address)
        for node in nodes
        if (address := node["status"]["address"])
    ]
    return min(found)[2] if found else None


def lost_nodes(nodes: Iterable[Manifest]) -> frozenset[str]:
    """Return the names of the nodes that are not ready: what their pods' status says may be old."""
    return frozenset(each["metadata"]["name"] for each in nodes if not each["status"]["ready"])


def _of_service(observed: Observed) -> str | None:
    app, service = observed.app, observed.child(SERVICE)
    if service is None:
        return None
    spec = service["spec"]
    # Others may add ports of theirs, or have made it one without any.
    port = min(spec.get("ports", ()), key=lambda each: each.get("name") != "http", default=None)
    if port is None:
        return None
    if spec["type"] == "NodePort":
        return _url("http", observed.node_address, port.get("nodePort"), app.path)
    if spec["type"] == "LoadBalancer":
        return _url("http", _load_balancer(service), port["port"], app.path)
    return _url("http", f"{app.key.name}.{app.key.namespace}.svc", port["port"], app.path)


def _through_ingress(observed: Observed, spec: IngressSpec) -> str | None:
    app, live = observed.app, observed.child(INGRESS)
    address = _load_balancer(live) if live and _is_of_its_class(observed, live) else None
    path = path_of(live)
    scheme = "https" if spec.secret or spec.certificate else "http"
    host = address and path and (_host(app, spec.host) or address)
    return _url(scheme, host, _PORTS[scheme], path)


def _is_of_its_class(observed: Observed, ingress: Manifest) -> bool:
    """Tell whether an Ingress has its status from the controller of the class that it has now.

    What the controller of the class before has written stays there, and one that gives the same
    address need not write it again: without news it is believed after a while.
    """
    if observed.app.status.get("ingressClass") in (None, _class_of(ingress)):
        return True
    ours, theirs = _written_at(ingress, by=FIELD_MANAGER), _written_at(ingress)
    if ours is None or (theirs and theirs >= ours):
        return True
    return seconds_between(ours, observed.now) >= _CLASS_SECONDS


def _class_of(ingress: Manifest) -> str | None:
    name: str | None = ingress["spec"].get("ingressClassName")
    return name


def _written_at(live: Manifest, *, by: str | None = None) -> str | None:
    """Return when a status was written last or, of a manager, what it applies; None if unknown."""
    times = (
        each.get("time")
        for each in live["metadata"].get("managedFields", ())
        if (is_applied_by(each, by) if by else each.get("subresource") == "status")
    )
    return max(filter(None, times), default=None)


def _through_gateway(observed: Observed, spec: GatewaySpec) -> str | None:
    app, route = observed.app, observed.child(HTTP_ROUTE)
    path = path_of(route)
    if path is None or not leads_somewhere(HTTP_ROUTE, route):
        return None
    found = [
        (listener["protocol"] != "HTTPS", listener, gateway)
        for parent, gateway in zip(spec.parents, observed.gateways, strict=True)
        if gateway
        for listener in gateway["status"]["listeners"]
        if _matches(listener, parent)
    ]
    if not found:
        return _without_gateway(app, spec, path)
    _, listener, gateway = min(found, key=lambda each: each[0])
    host = next(iter(spec.hostnames), None) or listener.get("hostname")
    scheme = listener["protocol"].lower()
    address = _host(app, host) or gateway["status"]["address"]
    return _url(scheme, address, listener["port"], path)


def _without_gateway(app: WeatherApp, spec: GatewaySpec, path: str | None) -> str | None:
    """Return the URL where the route was taken by a Gateway that the operator may not read.

    Its listeners are not known then, only what the app says itself.
    """
    host = _host(app, next(iter(spec.hostnames), None))
    port = next((each["port"] for each in spec.parents if "port" in each), _PORTS["http"])
    return _url("https" if port == _PORTS["https"] else "http", host, port, path)


def _matches(listener: Manifest, parent: Manifest) -> bool:
    return (
        listener["protocol"] in ("HTTP", "HTTPS")
        and parent.get("sectionName", listener["name"]) == listener["name"]
        and parent.get("port", listener["port"]) == listener["port"]
    )


def _refusal(route: Manifest | None) -> str:
    """Return why a Gateway does not take the route, in its own words."""
    for parent in parents_of(route):
        for each in parent.get("conditions", ()):
            if each["type"] == ACCEPTED and each["status"] == "False":
                name, why = parent["parentRef"]["name"], f"{each['reason']}: {each['message']}"
                return f"Gateway {name} does not take the HTTPRoute, {why}"
    return ""


def _load_balancer(live: Manifest) -> str | None:
    """Return the address that a load balancer's controller wrote into a status."""
    entries = live.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
    address: str | None = entries[0].get("hostname") or entries[0].get("ip")
    return address


def _host(app: WeatherApp, host: str | None) -> str | None:
    """Return a host that one can call: of all those that *.example.com means, the app's name."""
    return host and host.replace("*", app.key.name, 1)


def _url(scheme: str, host: str | None, port: int | None, path: str | None) -> str | None:
    if not host or not port:
        return None
    shown = f"[{host}]" if ":" in host else host
    where = shown if port == _PORTS[scheme] else f"{shown}:{port}"
    return f"{scheme}://{where}{(path or '/').rstrip('/')}/"
