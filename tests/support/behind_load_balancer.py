"""Sites behind the stand-ins for AWS's load balancers, in one cluster with real pods."""

import http.client
import json
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
from support.background import running
from support.deadlines import eventually
from support.kubectl import ROOT, Shell, own_namespace
from support.load_balancer import GATE, address_of
from support.operator import Site
from weather_cluster import network
from weather_cluster.clusters import Cluster
from weather_cluster.demo import Client

GATES_BY_LABEL = "elbv2.k8s.aws/pod-readiness-gate-inject"
AWAY = "test/webhook-is-away"
"""A label of the namespaces whose controller's webhook does not answer."""
HOST = "weather.example.com"
CERTIFICATE = "arn:aws:acm:eu-west-2:123456789012:certificate/11111111-2222-3333-4444-555555555555"
VERSIONS = {"yellow": "1.0.0", "green": "2.0.0"}
REQUESTS_PER_SECOND = 10
NLB = {
    "type": "LoadBalancer",
    "loadBalancerClass": "service.k8s.aws/nlb",
    "annotations": {"service.beta.kubernetes.io/aws-load-balancer-nlb-target-type": "ip"},
}
"""A Service with a Network Load Balancer whose targets are the pods."""

_POLICIES = ("mutatingadmissionpolicybinding", "mutatingadmissionpolicy")
_RETRY_SECONDS = 5
"""How often `kubectl drain` asks again for an eviction that the budget does not allow now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """One namespace with its controller of load balancers."""

    shell: Shell
    namespace: str
    number: int
    ca: Path
    controller: "subprocess.Popen[str]"

    def site(self, name: str = "london") -> Site:
        """A site in this namespace."""
        return Site(shell=self.shell, namespace=self.namespace, name=name)

    def client(self, site: Site, *, path: str = "/") -> "Visitor":
        """Somebody who reads a site through its load balancer all the time."""
        return Visitor(self.address(site), ca=self.ca, path=path)

    def address(self, site: Site, kind: str = "ingress") -> str:
        """Where the load balancer answers that the site's Ingress or Service has."""
        name = site.get(kind)["status"]["loadBalancer"]["ingress"][0]["hostname"]
        return address_of(name, _prefix(self.number))

    def stop_controller(self) -> None:
        """Let the controller do nothing more, nor its webhook; the data plane goes on."""
        self.controller.send_signal(signal.SIGUSR1)
        self.shell.kubectl("label", "namespace", self.namespace, f"{AWAY}=yes")
        eventually(lambda: not self._gives_gates())

    def start_controller(self) -> None:
        """Let the controller and its webhook work again."""
        self.shell.kubectl("label", "namespace", self.namespace, f"{AWAY}-")
        eventually(self._gives_gates)
        self.controller.send_signal(signal.SIGUSR2)

    def _gives_gates(self) -> bool:
        dry_run = ("run", "probe", "--image=x", "--dry-run=server", "-o", "yaml")
        return GATE in self.shell.kubectl("-n", self.namespace, *dry_run)


class Visitor(Client):
    """Reads a page over HTTPS at a load balancer's address, and says how long ago it failed."""

    def __init__(self, address: str, *, ca: Path, path: str = "/") -> None:
        super().__init__(f"https://{HOST}{path}", requests_per_second=REQUESTS_PER_SECOND)
        self._address, self._path = address, path
        self._context = ssl.create_default_context(cafile=str(ca))

    def ask(self) -> str:
        """Send one request over a new connection; anything but a page is a failure."""
        answer = self.get()
        if answer.status != 200:
            raise OSError(f"HTTP {answer.status}: {answer.read(200).decode(errors='replace')}")
        return str(answer.headers["X-App-Colour"])

    def get(self, path: str | None = None) -> http.client.HTTPResponse:
        """Return the answer to one request."""
        connection = http.client.HTTPSConnection(HOST, timeout=20, context=self._context)
        plain = socket.create_connection((self._address, 443), timeout=20)
        connection.sock = self._context.wrap_socket(plain, server_hostname=HOST)
        connection.request("GET", path or self._path, headers={"Connection": "close"})
        return connection.getresponse()

    def plain(self, path: str) -> http.client.HTTPResponse:
        """Return the answer to one request over HTTP."""
        connection = http.client.HTTPConnection(self._address, timeout=20)
        connection.request("GET", path, headers={"Host": HOST, "Connection": "close"})
        return connection.getresponse()


@contextmanager
def surroundings(
    shell: Shell, cluster: Cluster, directory: Path, *, has_gates: bool, **options: float
) -> Iterator[Surroundings]:
    """A namespace whose Ingresses of class alb have load balancers in the nodes' network.

    `inject_gates` has to be there where it has gates.
    """
    with own_namespace(shell, "gated" if has_gates else "plain") as namespace:
        if has_gates:
            shell.kubectl("label", "namespace", namespace, f"{GATES_BY_LABEL}=enabled")
        with load_balancers(shell, cluster, directory, namespace, **options) as found:
            yield found


@contextmanager
def load_balancers(
    shell: Shell, cluster: Cluster, directory: Path, namespace: str, **options: float
) -> Iterator[Surroundings]:
    """Load balancers for a namespace that is there: `first_number`, `first_check` and `lag`."""
    assert cluster.number
    (node,) = network.nodes_of(cluster.number, 1)
    ca, pair = directory / "ca.pem", directory / "site.pem"
    if not ca.exists():
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(ca))
        issued = authority.issue_cert(HOST)
        issued.private_key_and_cert_chain_pem.write_to_path(str(pair))
    at = directory / f"{namespace}.sock"
    proxy = ["kubectl", "proxy", f"--unix-socket={at}"]
    program = [sys.executable, "-m", "support.load_balancer", str(at), _prefix(cluster.number)]
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    command = [*node.enter, *program, namespace, f"--certificate={pair}", *given]
    environment = {**shell.environment, "PYTHONPATH": str(ROOT / "tests")}
    with running(proxy, output=subprocess.DEVNULL, environment=shell.environment):
        eventually(at.exists)
        with running(command, environment=environment) as controller:
            yield Surroundings(
                shell=shell,
                namespace=namespace,
                number=cluster.number,
                ca=ca,
                controller=controller,
            )


@contextmanager
def inject_gates(shell: Shell) -> Iterator[None]:
    """Give each new pod in a labelled namespace a readiness gate, as the controller's webhook."""
    value = f'[{{"conditionType": "{GATE}/k8s-weather"}}]'
    gate = f'[JSONPatch{{op: "add", path: "/spec/readinessGates", value: {value}}}]'
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["pods"],
        "operations": ["CREATE"],
    }
    namespaces = {
        "matchLabels": {GATES_BY_LABEL: "enabled"},
        "matchExpressions": [{"key": AWAY, "operator": "DoesNotExist"}],
    }
    match = {"namespaceSelector": namespaces, "resourceRules": [rule]}
    spec = {
        "matchConstraints": match,
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": gate}}],
        "reinvocationPolicy": "Never",
    }
    _apply_policy(shell, "MutatingAdmissionPolicy", spec)
    _apply_policy(shell, "MutatingAdmissionPolicyBinding", {"policyName": "gates"})
    yield
    for kind in _POLICIES:
        shell.kubectl("delete", kind, "gates")


def has_gates(site: Site) -> bool:
    """Whether all pods of a site have readiness gates."""
    return all(pod["spec"].get("readinessGates") for pod in pods(site))


def pods(site: Site) -> list[dict[str, Any]]:
    """The pods of a site that are not about to end."""
    label = f"app.kubernetes.io/instance={site.name}"
    items: list[dict[str, Any]] = site.shell.get("-n", site.namespace, "pods", "-l", label)["items"]
    return [each for each in items if "deletionTimestamp" not in each["metadata"]]


def apply(
    site: Site,
    *,
    ingress: dict[str, Any] | None = None,
    rollout: dict[str, Any] | None = None,
    **spec: Any,
) -> None:
    """Apply a site behind a load balancer of its own, over HTTPS."""
    secured = {"host": HOST, "tls": {"certificateArn": CERTIFICATE}}
    site.apply(
        ingress={"className": "alb", **secured, **(ingress or {})},
        rollout={"maxSurge": "100%", **(rollout or {})},
        **spec,
    )


def apply_networked(site: Site, **spec: Any) -> None:
    """Apply a site behind a Network Load Balancer of its own."""
    site.apply(service=NLB, rollout={"maxSurge": "100%"}, **spec)


def begin(sites: Iterable[Site], *, apply: Callable[..., None] = apply) -> None:
    """Bring up sites that are called after what is going to be done to them."""
    for site in sites:
        apply(site, colour="green" if site.name == "downgrade" else "yellow")
    for site in sites:
        _wait(site, "condition=Ready")


def _wait(site: Site, condition: str) -> None:
    """Wait by a watch: to ask again and again would take the time that the pods need."""
    words = (f"weatherapp/{site.name}", f"--for={condition}", "--timeout=900s")
    site.kubectl("wait", *words)


def _patch(site: Site, **spec: Any) -> None:
    site.kubectl("patch", "weatherapp", site.name, "--type=merge", "-p", json.dumps({"spec": spec}))


def _change(site: Site, colour: str, **spec: Any) -> None:
    _patch(site, colour=colour, **spec)
    _wait_for(site, colour)


def _wait_for(site: Site, colour: str) -> None:
    _wait(site, f"jsonpath={{.status.version}}={VERSIONS[colour]}")
    _wait(site, "condition=Ready")


def _scale_in(site: Site) -> None:
    _patch(site, replicas=1)
    _wait(site, "jsonpath={.status.ready}=1/1")


def _drain(site: Site) -> None:
    """Evict all pods that there are as `kubectl drain` does: all at once, as the budget allows."""
    names = [each["metadata"]["name"] for each in pods(site)]
    with ThreadPoolExecutor(len(names)) as workers:
        for each in [workers.submit(_evict, site, name, 900) for name in names]:
            each.result()
    _wait(site, "condition=Ready")


def _drain_in_mid_rollout(site: Site) -> None:
    """Evict all pods when those of the new version have come."""
    _patch(site, colour="green")
    eventually(lambda: len(pods(site)) > 2, every=1)
    _drain(site)
    _wait_for(site, "green")


def _drain_in_a_canary(site: Site) -> None:
    """Evict all pods when the canary has got its visitors, and let it go on to its end."""
    steps = [{"weight": 25, "durationSeconds": 30}]
    _patch(
        site, colour="green", rollout={"strategy": {"type": "Canary", "canary": {"steps": steps}}}
    )
    _wait(site, "jsonpath={.status.rollout.phase}=Analysing")
    _drain(site)
    _wait_for(site, "green")


ACTIONS: dict[str, Callable[[Site], None]] = {
    "upgrade": lambda site: _change(site, "green"),
    "downgrade": lambda site: _change(site, "yellow"),
    "scale-in": _scale_in,
    "drain": _drain,
    "rollout-drain": _drain_in_mid_rollout,
    "canary-drain": _drain_in_a_canary,
}
"""What is done to sites of these names; each has two pods before."""


def _evict(site: Site, name: str, seconds: float) -> None:
    """Evict a pod as soon as its budget allows it, or see it go by itself meanwhile."""
    eventually(lambda: site.evict(name), seconds=seconds, every=_RETRY_SECONDS)


def _prefix(number: int) -> str:
    """The network of a cluster's nodes, without the last number."""
    return f"10.231.{number}"


def _apply_policy(shell: Shell, kind: str, spec: dict[str, Any]) -> None:
    version = "admissionregistration.k8s.io/v1"
    shell.apply({"apiVersion": version, "kind": kind, "metadata": {"name": "gates"}, "spec": spec})
