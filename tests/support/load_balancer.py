"""Load balancers and their controller, with the manners of AWS, in a node's network.

    python -m support.load_balancer SOCKET NETWORK NAMESPACE --first-check 15 --lag 10

It runs where pods can be reached, and talks to the API server through `kubectl proxy`'s SOCKET. For
each group of Ingresses of class alb in the NAMESPACE there is one Application Load Balancer at an
address of its own in the NETWORK (10.231.1 makes 10.231.1.101 the first), which `address_of` tells
from the name in the Ingress's status; for each Service of its class a Network Load Balancer.

What it does as AWS does: the controller registers the endpoints that are ready, and those whose
containers are and that wait for their readiness gate alone; a target is `initial` until its health
checks, the first of which comes so many seconds after it was registered; a gate becomes True when
its target is healthy. What is wrong in an Ingress is a warning at it, and its load balancer stays
as it was. After SIGUSR1 the controller is away, and the data plane goes on alone; SIGUSR2 brings it
back. What is made of objects is in `load_balancer_model`, who answers in
`load_balancer_data_plane`.
"""

import argparse
import asyncio
import json
import secrets
import signal
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from support.load_balancer_data_plane import DataPlane, Snapshot, is_healthy
from support.load_balancer_model import (
    Group,
    LoadBalancer,
    ModelError,
    Settings,
    group_of,
    load_balancer,
    network_load_balancer,
)

GATE = "target-health.elbv2.k8s.aws"
"""Readiness gates of this prefix are the controller's."""

_TICK_SECONDS = 0.25
_UNHEALTHY_THRESHOLD = 2
_INGRESSES = "apis/networking.k8s.io/v1"
_STATUS = {"Content-Type": "application/merge-patch+json"}
_POD_STATUS = {"Content-Type": "application/strategic-merge-patch+json"}

Body = dict[str, Any]


def address_of(hostname: str, network: str) -> str:
    """Return where the load balancer of this name answers."""
    return f"{network}.{hostname.split('-')[1].split('.')[0]}"


@dataclass(slots=True)
class Target:
    """A pod's address and port in a target group."""

    next_check: float
    state: str = "initial"
    passed: int = 0
    failed: int = 0


@dataclass(slots=True, kw_only=True)
class LoadBalancers:
    """The controller, and what it made."""

    api: aiohttp.ClientSession
    data_plane: DataPlane
    namespace: str
    network: str
    first_number: int
    first_check: float
    is_away: bool = False
    load_balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    targets: dict[Group, dict[str, Target]] = field(default_factory=dict)
    settings: dict[Group, Settings] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    warned: dict[str, str] = field(default_factory=dict)

    async def run(self) -> None:
        """Play until cancelled."""
        loop = asyncio.get_running_loop()
        for number, is_away in ((signal.SIGUSR1, True), (signal.SIGUSR2, False)):
            loop.add_signal_handler(number, self._go, is_away)
        checking = aiohttp.TCPConnector(force_close=True)
        async with (
            self.data_plane.session() as session,
            aiohttp.ClientSession(connector=checking) as checks,
        ):
            while True:
                if not self.is_away:
                    await self._reconcile(session)
                await self._check_targets(checks)
                self._show_data_plane()
                await asyncio.sleep(_TICK_SECONDS)

    def _go(self, is_away: bool) -> None:
        self.is_away = is_away

    def _show_data_plane(self) -> None:
        targets = {
            group: {address: target.state for address, target in known.items()}
            for group, known in self.targets.items()
        }
        balancers = dict(self.load_balancers)
        now = time.monotonic()
        self.data_plane.learn(Snapshot(at=now, load_balancers=balancers, targets=targets))

    async def _reconcile(self, session: aiohttp.ClientSession) -> None:
        """Let what is there be as the objects say."""
        services = _by_name(await self._list("api/v1", "services"))
        groups: dict[str, list[Body]] = {}
        for ingress in await self._list(_INGRESSES, "ingresses"):
            if ingress["spec"].get("ingressClassName") == "alb":
                await self._add(ingress, groups)
        networked = {
            f"Service {name}": (service, made)
            for name, service in services.items()
            if (made := network_load_balancer(service))
        }
        for name in set(self.load_balancers) - {*groups, *networked}:
            del self.load_balancers[name]
            await self.data_plane.listen(name, self.addresses[name], {}, session)
            await self.data_plane.forward(name, self.addresses[name], ())
        for name, (service, made) in networked.items():
            await self._keep(name, made, session)
            await self._write_address("api/v1", "services", service, name)
        for name, ingresses in groups.items():
            try:
                made = load_balancer(ingresses, services)
            except ModelError as error:
                await self._warn(ingresses, str(error))
                continue
            await self._keep(name, made, session)
            for ingress in ingresses:
                await self._write_address(_INGRESSES, "ingresses", ingress, name)
        self.settings = {
            group: settings
            for each in self.load_balancers.values()
            for group, settings in each.settings.items()
        }
        await self._register_all()

    async def _add(self, ingress: Body, groups: dict[str, list[Body]]) -> None:
        try:
            groups.setdefault(group_of(ingress), []).append(ingress)
        except ModelError as error:
            await self._warn([ingress], str(error))

    async def _keep(self, name: str, made: LoadBalancer, session: aiohttp.ClientSession) -> None:
        if name not in self.addresses:
            address = f"{self.network}.{self.first_number + len(self.addresses)}"
            command = ("ip", "addr", "replace", f"{address}/32", "dev", "nodes")
            assert await (await asyncio.create_subprocess_exec(*command)).wait() == 0
            self.addresses[name] = address
        self.load_balancers[name] = made
        await self.data_plane.listen(name, self.addresses[name], made.listeners, session)
        await self.data_plane.forward(name, self.addresses[name], made.forwards)

    async def _register_all(self) -> None:
        for gone in set(self.targets) - set(self.settings):
            del self.targets[gone]
        slices = await self._list("apis/discovery.k8s.io/v1", "endpointslices")
        pods = _by_name(await self._list("api/v1", "pods"))
        for group in self.settings:
            known = self.targets.setdefault(group, {})
            endpoints = dict(_endpoints(group.service, slices, pods))
            for address in set(known) - set(endpoints):
                del known[address]
            for address, pod in endpoints.items():
                first = time.monotonic() + self.first_check
                if known.setdefault(address, Target(next_check=first)).state == "healthy":
                    await self._open_gates(pod)

    async def _open_gates(self, pod: Body) -> None:
        waiting = _closed_gates(pod)
        if not waiting:
            return
        conditions = [{"type": each, "status": "True"} for each in waiting]
        url = f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}/status"
        body = json.dumps({"status": {"conditions": conditions}})
        async with self.api.patch(url, data=body, headers=_POD_STATUS):
            pass  # a pod that went meanwhile needs no gate

    async def _write_address(self, api: str, plural: str, body: Body, name: str) -> None:
        number = self.addresses[name].rpartition(".")[2]
        balancer = {"ingress": [{"hostname": f"lb-{number}.eu-west-2.elb.example"}]}
        if body.get("status", {}).get("loadBalancer") == balancer:
            return
        url = f"/{api}/namespaces/{self.namespace}/{plural}/{body['metadata']['name']}/status"
        told = json.dumps({"status": {"loadBalancer": balancer}})
        async with self.api.patch(url, data=told, headers=_STATUS):
            pass

    async def _warn(self, ingresses: Sequence[Body], why: str) -> None:
        """Say at each Ingress what is wrong, once."""
        message = f"Failed build model due to {why}"
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        for ingress in ingresses:
            metadata = ingress["metadata"]
            if self.warned.get(metadata["uid"]) == message:
                continue
            self.warned[metadata["uid"]] = message
            about = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}
            names = {key: metadata[key] for key in ("name", "namespace", "uid")}
            event = {
                "metadata": {"name": f"{metadata['name']}.{secrets.token_hex(8)}"},
                "involvedObject": {**about, **names},
                "type": "Warning",
                "reason": "FailedBuildModel",
                "message": message,
                "source": {"component": "ingress"},
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
            }
            async with self.api.post(f"/api/v1/namespaces/{self.namespace}/events", json=event):
                pass

    async def _check_targets(self, session: aiohttp.ClientSession) -> None:
        now = time.monotonic()
        due = [
            (address, target, self.settings[group])
            for group, known in self.targets.items()
            if group in self.settings
            for address, target in known.items()
            if target.next_check <= now
        ]
        await asyncio.gather(*(_check(session, *each) for each in due))

    async def _list(self, api: str, plural: str) -> list[Body]:
        async with self.api.get(f"/{api}/namespaces/{self.namespace}/{plural}") as answer:
            answer.raise_for_status()
            items: list[Body] = (await answer.json())["items"]
            return items


async def _check(
    session: aiohttp.ClientSession, address: str, target: Target, settings: Settings
) -> None:
    """Let enough good checks in a row make a target healthy, and two bad ones unhealthy."""
    target.next_check = time.monotonic() + settings.interval
    if await is_healthy(session, address, settings.path):
        target.passed, target.failed = target.passed + 1, 0
        if target.passed >= settings.threshold:
            target.state = "healthy"
        return
    target.passed, target.failed = 0, target.failed + 1
    if target.state == "initial" or target.failed >= _UNHEALTHY_THRESHOLD:
        target.state = "unhealthy"


def _endpoints(
    service: str, slices: Sequence[Body], pods: Mapping[str, Body]
) -> Iterator[tuple[str, Body]]:
    """Yield the addresses that the controller registers for a Service, and their pods."""
    for each in slices:
        if each["metadata"].get("labels", {}).get("kubernetes.io/service-name") != service:
            continue
        for endpoint in each.get("endpoints") or ():
            pod = pods.get(endpoint.get("targetRef", {}).get("name", ""))
            if pod is None or "deletionTimestamp" in pod["metadata"]:
                continue
            if endpoint["conditions"].get("ready") or _waits_for_gates_alone(pod):
                for port in each.get("ports") or ():
                    yield f"{endpoint['addresses'][0]}:{port['port']}", pod


def _waits_for_gates_alone(pod: Body) -> bool:
    return bool(_closed_gates(pod)) and _conditions(pod).get("ContainersReady") == "True"


def _closed_gates(pod: Body) -> list[str]:
    gates = [each["conditionType"] for each in pod["spec"].get("readinessGates", ())]
    conditions = _conditions(pod)
    ours = (each for each in gates if each.startswith(GATE))
    return [each for each in ours if conditions.get(each) != "True"]


def _conditions(pod: Body) -> dict[str, str]:
    return {each["type"]: each["status"] for each in pod["status"].get("conditions", ())}


def _by_name(bodies: Sequence[Body]) -> dict[str, Body]:
    return {each["metadata"]["name"]: each for each in bodies}


async def _main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("socket", "network", "namespace"):
        parser.add_argument(name)
    parser.add_argument("--certificate", required=True, help="a file with certificate and key")
    parser.add_argument("--first-number", type=int, default=101)
    parser.add_argument("--first-check", type=float, default=2.0)
    parser.add_argument("--lag", type=float, default=2.0)
    given = parser.parse_args()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(given.certificate)
    connector = aiohttp.UnixConnector(path=given.socket)
    async with aiohttp.ClientSession("http://localhost", connector=connector) as api:
        await LoadBalancers(
            api=api,
            data_plane=DataPlane(tls=tls, lag=given.lag),
            namespace=given.namespace,
            network=given.network,
            first_number=given.first_number,
            first_check=given.first_check,
        ).run()


if __name__ == "__main__":
    asyncio.run(_main())
