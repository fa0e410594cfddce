"""What the AWS Load Balancer Controller makes of objects, and what it and AWS refuse of them.

Groups of Ingresses become load balancers: listeners, rules in their order, target groups. What is
wrong in one Ingress fails its whole group, as on AWS, in the words of a FailedBuildModel event. A
Service of its class becomes a Network Load Balancer, which passes connections on as they are.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ANNOTATION = "alb.ingress.kubernetes.io"

_NLB_CLASS = "service.k8s.aws/nlb"
_NLB_TARGET_TYPE = "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type"
_CERTIFICATE = re.compile(r"arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]{36}")
_GROUP_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_PATH = re.compile(r"/[A-Za-z0-9_.$/~\"'@:+&()!,;=%-]*")
_MOST_RULES, _MOST_VALUES, _LONGEST_VALUE = 100, 5, 128

Body = dict[str, Any]


class ModelError(Exception):
    """What a group of Ingresses cannot be made of."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Group:
    """A target group, by its Service and the Service's port."""

    service: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a target group checks and drains its targets. Times are in seconds.

    Without a path a check is a connection. A new target is healthy after so many good ones.
    """

    path: str
    interval: float
    drain: float
    threshold: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What requests are for, and which groups they go to, by weight. Lower orders come first."""

    order: tuple[int, str]
    host: str | None
    path: str
    is_exact: bool
    groups: tuple[tuple[Group, int], ...]

    def matches(self, host: str, path: str) -> bool:
        """Tell whether a request is for this rule."""
        prefix = self.path.rstrip("/")
        below = not self.is_exact and path.startswith(f"{prefix}/")
        return self.host in (None, host.lower()) and (path == (prefix or "/") or below)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancer:
    """Ports with whether they speak TLS, where requests without TLS are sent, rules in order.

    Connections to ports of `forwards` go to a target of the group.
    """

    settings: Mapping[Group, Settings]
    listeners: Mapping[int, bool] = field(default_factory=dict)
    redirect: int | None = None
    rules: tuple[Rule, ...] = ()
    forwards: Mapping[int, Group] = field(default_factory=dict)


def group_of(ingress: Body) -> str:
    """Return the name of the group that an Ingress is in: its own, where it names none."""
    name = annotation(ingress, "group.name")
    if name and not _GROUP_NAME.fullmatch(name):
        raise ModelError(f"invalid ingress group: groupName must be a DNS label: {name}")
    return name or f"{ingress['metadata']['namespace']}/{ingress['metadata']['name']}"


def load_balancer(ingresses: Sequence[Body], services: Mapping[str, Body]) -> LoadBalancer:
    """Return the load balancer of a group. Raises ModelError."""
    _agree(ingresses, "scheme", ("internet-facing", "internal"), default="internal")
    listeners: dict[int, bool] = {}
    redirects: set[int] = set()
    rules: list[Rule] = []
    settings: dict[Group, Settings] = {}
    for ingress in ingresses:
        ports = _listeners(ingress)
        listeners |= ports
        if redirect := _number(ingress, "ssl-redirect", 0, 1, 65535):
            if not ports.get(redirect):
                raise ModelError(f"listener does not exist for SSL redirect port: {redirect}")
            redirects.add(redirect)
        for rule in _rules(ingress):
            rules.append(rule)
            for group, _ in rule.groups:
                settings[group] = _settings(ingress, _service(group, services))
    if len(redirects) > 1:
        raise ModelError(f"conflicting sslRedirect port: {sorted(redirects)}")
    if len(rules) > _MOST_RULES:
        raise ModelError("TooManyRules: the maximum number of rules has been reached")
    return LoadBalancer(
        listeners=listeners,
        redirect=next(iter(redirects), None),
        rules=tuple(sorted(rules, key=lambda each: each.order)),
        settings=settings,
    )


def network_load_balancer(service: Body) -> LoadBalancer | None:
    """Return the load balancer of a Service of this class whose targets are pods, else None."""
    spec, annotations = service["spec"], service["metadata"].get("annotations", {})
    if spec.get("loadBalancerClass") != _NLB_CLASS or annotations.get(_NLB_TARGET_TYPE) != "ip":
        return None
    name = service["metadata"]["name"]
    forwards = {each["port"]: Group(service=name, port=each["port"]) for each in spec["ports"]}
    settings = Settings(path="", interval=10, drain=300, threshold=3)
    return LoadBalancer(settings=dict.fromkeys(forwards.values(), settings), forwards=forwards)


def annotation(ingress: Body, name: str) -> str:
    """Return one of the controller's annotations, empty where there is none."""
    return str(ingress["metadata"].get("annotations", {}).get(f"{ANNOTATION}/{name}", ""))


def _agree(ingresses: Sequence[Body], name: str, allowed: Sequence[str], *, default: str) -> None:
    found = {annotation(each, name) or default for each in ingresses}
    if len(found) > 1:
        raise ModelError(f"conflicting {name}: {sorted(found)}")
    if not found <= set(allowed):
        raise ModelError(f"unknown {name}: {found.pop()}")


def _number(ingress: Body, name: str, default: int, least: int, most: int) -> int:
    text = annotation(ingress, name)
    if not text:
        return default
    if not re.fullmatch(r"-?[0-9]+", text) or not least <= int(text) <= most:
        raise ModelError(f"{name} must be within range [{least}, {most}], is {text}")
    return int(text)


def _listeners(ingress: Body) -> dict[int, bool]:
    """Return the ports of an Ingress: 80, and with a certificate 443, unless it says others."""
    certificates = annotation(ingress, "certificate-arn")
    for each in filter(None, certificates.split(",")):
        if not _CERTIFICATE.fullmatch(each.strip()):
            raise ModelError(f"ValidationError: Certificate ARN '{each}' is not valid")
    text = annotation(ingress, "listen-ports")
    entries = _json(text, "listen-ports") if text else []
    if not text:
        entries = [{"HTTPS": 443}] if certificates else [{"HTTP": 80}]
    ports: dict[int, bool] = {}
    for entry in entries:
        for protocol, port in entry.items():
            if protocol not in ("HTTP", "HTTPS"):
                raise ModelError(f"listen protocol must be HTTP or HTTPS: {protocol}")
            if not isinstance(port, int) or not 1 <= port <= 65535:
                raise ModelError(f"listen port must be within [1, 65535]: {port}")
            ports[port] = protocol == "HTTPS"
    if any(ports.values()) and not certificates:
        host = ingress["spec"]["rules"][0].get("host", "")
        raise ModelError(f"no certificate found for host: {host}")
    return ports


def _settings(ingress: Body, service: Body) -> Settings:
    if annotation(ingress, "target-type") != "ip" and service["spec"]["type"] == "ClusterIP":
        raise ModelError("service must be either of type NodePort or LoadBalancer for instances")
    path = annotation(ingress, "healthcheck-path") or "/"
    if not path.startswith("/"):
        raise ModelError(f"ValidationError: Health check path '{path}' must begin with a '/'")
    attributes = {"deregistration_delay.timeout_seconds": "300"}
    for each in filter(None, annotation(ingress, "target-group-attributes").split(",")):
        name, _, value = each.partition("=")
        attributes[name.strip()] = value.strip()
    drain = attributes["deregistration_delay.timeout_seconds"]
    if not drain.isdigit() or int(drain) > 3600:
        raise ModelError(f"ValidationError: deregistration delay '{drain}' is not in [0, 3600]")
    interval = _number(ingress, "healthcheck-interval-seconds", 15, 5, 300)
    return Settings(path=path, interval=interval, drain=int(drain))


def _rules(ingress: Body) -> Iterator[Rule]:
    order = _number(ingress, "group.order", 0, -1000, 1000)
    metadata = ingress["metadata"]
    for rule in ingress["spec"]["rules"]:
        host = rule.get("host")
        for path in rule["http"]["paths"]:
            text, is_exact = path["path"], path["pathType"] == "Exact"
            if path["pathType"] == "Prefix" and "*" in text:
                raise ModelError(f"prefix path shouldn't contain wildcards: {text}")
            if not _PATH.fullmatch(text) or len(text) > _LONGEST_VALUE:
                raise ModelError(f"ValidationError: path pattern '{text}' is not valid")
            values = (1 if host else 0) + (1 if is_exact or text == "/" else 2)
            if values > _MOST_VALUES or len(host or "") > _LONGEST_VALUE:
                raise ModelError("ValidationError: a rule has too many condition values")
            yield Rule(
                order=(order, f"{metadata['namespace']}/{metadata['name']}"),
                host=host,
                path=text,
                is_exact=is_exact,
                groups=tuple(_groups(ingress, path["backend"]["service"])),
            )


def _groups(ingress: Body, service: Body) -> Iterator[tuple[Group, int]]:
    """Yield where a rule sends its requests, or the action that stands in the Service's place."""
    name, port = service["name"], service["port"]
    if port.get("name") != "use-annotation":
        yield Group(service=name, port=int(port["number"])), 1
        return
    text = annotation(ingress, f"actions.{name}")
    if not text:
        raise ModelError(f"missing actions.{name} configuration")
    action = _json(text, f"actions.{name}")
    targets = action.get("forwardConfig", {}).get("targetGroups", ())
    if action.get("type") != "forward" or not 1 <= len(targets) <= 5:
        raise ModelError(f"actions.{name} must forward to one to five target groups")
    for each in targets:
        weight = each.get("weight", 1)
        if not isinstance(weight, int) or not 0 <= weight <= 999:
            raise ModelError(f"ValidationError: weight {weight} is not in [0, 999]")
        yield Group(service=each["serviceName"], port=int(each["servicePort"])), weight


def _service(group: Group, services: Mapping[str, Body]) -> Body:
    service = services.get(group.service)
    if service is None:
        raise ModelError(f'Service "{group.service}" not found')
    if group.port not in {each["port"] for each in service["spec"]["ports"]}:
        raise ModelError(f"unable to find port {group.port} on service {group.service}")
    return service


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ModelError(f"failed to parse json annotation, {name}: {error}") from error
