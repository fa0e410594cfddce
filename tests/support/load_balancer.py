"""Application Load Balancers and their controller, with the manners of AWS, in a node's network.

    python -m support.load_balancer SOCKET NETWORK NAMESPACE --first-check 15 --lag 10

It runs where pods can be reached, and talks to the API server through `kubectl proxy`'s SOCKET. For
each Ingress of class alb in the NAMESPACE, or each group of them, there is one load balancer at an
address of its own in the NETWORK (10.231.1 makes 10.231.1.101 the first), which `address_of`
tells from the name in the Ingress's status.

What it does as AWS does: the controller registers the endpoints that are ready, and those whose
containers are and that wait for their readiness gate alone; a target is `initial` until its first
health check, which comes so many seconds after it was registered; what the controller does reaches
the data plane with a lag; a target that was deregistered gets no new requests once the data plane
knows; a gate becomes True when its target is healthy; without a healthy target all are asked, and
without any the answer is 503; a target that does not answer is a 502 and not tried again; rules go
by `group.order`, then by the Ingress's name; a forward action's weights are kept.
"""

import argparse
import asyncio
import json
import random
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

GATE = "target-health.elbv2.k8s.aws"
"""Readiness gates of this prefix are the controller's."""

_ANNOTATION = "alb.ingress.kubernetes.io"
_TICK_SECONDS = 0.25
_CHECK_SECONDS = 5.0
_IDLE_SECONDS = 60
_HOPS = {"connection", "keep-alive", "transfer-encoding", "content-length"}

Body = dict[str, Any]
Group = tuple[str, str]
"""A target group, by its Service and the Service's port."""


def address_of(hostname: str, network: str) -> str:
    """Return where the load balancer of this name answers."""
    return f"{network}.{hostname.split('-')[1].split('.')[0]}"


@dataclass(slots=True)
class Target:
    """A pod's address in a target group."""

    next_check: float
    state: str = "initial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What requests are for, and which groups they go to, by weight. Lower orders come first."""

    order: tuple[int, str]
    host: str | None
    path: str
    groups: tuple[tuple[Group, int], ...]

    def matches(self, host: str, path: str) -> bool:
        """Tell whether a request is for this rule."""
        prefix = self.path.rstrip("/")
        return self.host in (None, host) and (path == prefix or path.startswith(f"{prefix}/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the data plane knows: the rules of each load balancer, the targets of each group."""

    at: float
    rules: Mapping[str, Sequence[Rule]]
    targets: Mapping[Group, Mapping[str, str]]


@dataclass(slots=True, kw_only=True)
class LoadBalancers:
    """The controller, and what it made."""

    api: aiohttp.ClientSession
    namespace: str
    network: str
    first_number: int
    first_check: float
    lag: float
    targets: dict[Group, dict[str, Target]] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    snapshots: deque[Snapshot] = field(default_factory=deque)

    async def run(self) -> None:
        """Play until cancelled."""
        idle = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS)
        checking = aiohttp.TCPConnector(force_close=True)
        async with (
            aiohttp.ClientSession(connector=idle, auto_decompress=False) as session,
            aiohttp.ClientSession(connector=checking) as checks,
        ):
            session._retry_connection = False
            while True:
                await self._turn(session)
                await self._check_targets(checks)
                await asyncio.sleep(_TICK_SECONDS)

    async def _turn(self, session: aiohttp.ClientSession) -> None:
        """Let what is there be as the objects say."""
        ingresses = [
            each
            for each in await self._list("apis/networking.k8s.io/v1", "ingresses")
            if each["spec"].get("ingressClassName") == "alb"
        ]
        slices = await self._list("apis/discovery.k8s.io/v1", "endpointslices")
        pods = {each["metadata"]["name"]: each for each in await self._list("api/v1", "pods")}
        rules: dict[str, list[Rule]] = {}
        for ingress in ingresses:
            name = _annotation(ingress, "group.name") or ingress["metadata"]["name"]
            if name not in self.addresses:
                await self._create(name, session)
            rules.setdefault(name, []).extend(_rules(ingress))
            await self._write_status(ingress, name)
        wanted = {group for each in rules.values() for rule in each for group, _ in rule.groups}
        for gone in set(self.targets) - wanted:
            del self.targets[gone]
        for group in wanted:
            await self._register(group, slices, pods)
        targets = {
            group: {address: target.state for address, target in known.items()}
            for group, known in self.targets.items()
        }
        ordered = {name: sorted(each, key=lambda rule: rule.order) for name, each in rules.items()}
        self.snapshots.append(Snapshot(at=time.monotonic(), rules=ordered, targets=targets))

    async def _create(self, name: str, session: aiohttp.ClientSession) -> None:
        address = f"{self.network}.{self.first_number + len(self.addresses)}"
        command = ("ip", "addr", "replace", f"{address}/32", "dev", "nodes")
        assert await (await asyncio.create_subprocess_exec(*command)).wait() == 0
        self.addresses[name] = address

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await self._forward(name, request, session)

        runner = web.ServerRunner(web.Server(handle, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, address, 80).start()

    async def _register(
        self, group: Group, slices: Sequence[Body], pods: Mapping[str, Body]
    ) -> None:
        known = self.targets.setdefault(group, {})
        endpoints = dict(_endpoints(group[0], slices, pods))
        for address in set(known) - set(endpoints):
            del known[address]
        for address, pod in endpoints.items():
            if address not in known:
                known[address] = Target(next_check=time.monotonic() + self.first_check)
            if known[address].state == "healthy":
                await self._open_gates(pod)

    async def _open_gates(self, pod: Body) -> None:
        waiting = _closed_gates(pod)
        if not waiting:
            return
        name = pod["metadata"]["name"]
        conditions = [{"type": each, "status": "True"} for each in waiting]
        url = f"/api/v1/namespaces/{self.namespace}/pods/{name}/status"
        headers = {"Content-Type": "application/strategic-merge-patch+json"}
        body = json.dumps({"status": {"conditions": conditions}})
        async with self.api.patch(url, data=body, headers=headers):
            pass  # a pod that went meanwhile needs no gate

    async def _write_status(self, ingress: Body, name: str) -> None:
        number = self.addresses[name].rpartition(".")[2]
        balancer = {"ingress": [{"hostname": f"lb-{number}.eu-west-2.elb.example"}]}
        if ingress.get("status", {}).get("loadBalancer") == balancer:
            return
        where = f"/apis/networking.k8s.io/v1/namespaces/{self.namespace}/ingresses"
        url = f"{where}/{ingress['metadata']['name']}/status"
        headers = {"Content-Type": "application/merge-patch+json"}
        body = json.dumps({"status": {"loadBalancer": balancer}})
        async with self.api.patch(url, data=body, headers=headers):
            pass

    async def _check_targets(self, session: aiohttp.ClientSession) -> None:
        now = time.monotonic()
        due = [
            (address, target)
            for known in self.targets.values()
            for address, target in known.items()
            if target.next_check <= now
        ]
        await asyncio.gather(*(self._check(session, *each) for each in due))

    async def _check(self, session: aiohttp.ClientSession, address: str, target: Target) -> None:
        target.next_check = time.monotonic() + _CHECK_SECONDS
        try:
            timeout = aiohttp.ClientTimeout(total=2)
            async with session.get(f"http://{address}:8080/readyz", timeout=timeout) as answer:
                target.state = "healthy" if answer.status == 200 else "unhealthy"
        except (aiohttp.ClientError, OSError, TimeoutError):
            target.state = "unhealthy"

    async def _forward(
        self, name: str, request: web.BaseRequest, session: aiohttp.ClientSession
    ) -> web.Response:
        """Respond as the load balancer of this name does by what its data plane knows."""
        while len(self.snapshots) > 1 and self.snapshots[1].at <= time.monotonic() - self.lag:
            self.snapshots.popleft()
        known = self.snapshots[0]
        host = request.host.split(":")[0]
        matching = (each for each in known.rules.get(name, ()) if each.matches(host, request.path))
        rule = next(matching, None)
        if rule is None:
            return web.Response(status=404, text="no rule\n")
        groups, weights = zip(*rule.groups, strict=True)
        if not any(weights):
            return web.Response(status=503, text="all weights are 0\n")
        (group,) = random.choices(groups, weights)
        targets = known.targets.get(group, {})
        usable = [each for each, state in targets.items() if state == "healthy"]
        usable = usable or [each for each, state in targets.items() if state == "unhealthy"]
        if not usable:
            return web.Response(status=503, text=f"no target: {dict(targets)}\n")
        return await _ask(session, random.choice(usable), request)

    async def _list(self, api: str, plural: str) -> list[Body]:
        async with self.api.get(f"/{api}/namespaces/{self.namespace}/{plural}") as answer:
            answer.raise_for_status()
            items: list[Body] = (await answer.json())["items"]
            return items


async def _ask(
    session: aiohttp.ClientSession, address: str, request: web.BaseRequest
) -> web.Response:
    headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOPS}
    url = f"http://{address}:8080{request.raw_path}"
    try:
        timeout = aiohttp.ClientTimeout(total=60, sock_connect=10)
        data = await request.read() or None
        async with session.request(
            request.method, url, headers=headers, data=data, allow_redirects=False, timeout=timeout
        ) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in _HOPS}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)
    except TimeoutError:
        return web.Response(status=504, text=f"{address} timed out\n")
    except (aiohttp.ClientError, OSError) as error:
        return web.Response(status=502, text=f"{address}: {error!r}\n")


def _rules(ingress: Body) -> Iterator[Rule]:
    order = int(_annotation(ingress, "group.order") or 0)
    for rule in ingress["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            yield Rule(
                order=(order, ingress["metadata"]["name"]),
                host=rule.get("host"),
                path=path["path"],
                groups=tuple(_groups(ingress, path["backend"]["service"])),
            )


def _groups(ingress: Body, service: Body) -> Iterator[tuple[Group, int]]:
    """Yield where a rule sends its requests, or the action that stands in the Service's place."""
    if service["port"].get("name") != "use-annotation":
        yield (service["name"], str(service["port"]["number"])), 1
        return
    action = json.loads(_annotation(ingress, f"actions.{service['name']}"))
    for each in action["forwardConfig"]["targetGroups"]:
        yield (each["serviceName"], str(each["servicePort"])), int(each["weight"])


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
                yield endpoint["addresses"][0], pod


def _waits_for_gates_alone(pod: Body) -> bool:
    return bool(_closed_gates(pod)) and _conditions(pod).get("ContainersReady") == "True"


def _closed_gates(pod: Body) -> list[str]:
    gates = [each["conditionType"] for each in pod["spec"].get("readinessGates", ())]
    conditions = _conditions(pod)
    ours = (each for each in gates if each.startswith(GATE))
    return [each for each in ours if conditions.get(each) != "True"]


def _conditions(pod: Body) -> dict[str, str]:
    return {each["type"]: each["status"] for each in pod["status"].get("conditions", ())}


def _annotation(ingress: Body, name: str) -> str:
    return str(ingress["metadata"].get("annotations", {}).get(f"{_ANNOTATION}/{name}", ""))


async def _main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("socket", "network", "namespace"):
        parser.add_argument(name)
    parser.add_argument("--first-number", type=int, default=101)
    parser.add_argument("--first-check", type=float, default=2.0)
    parser.add_argument("--lag", type=float, default=2.0)
    given = parser.parse_args()
    connector = aiohttp.UnixConnector(path=given.socket)
    async with aiohttp.ClientSession("http://localhost", connector=connector) as api:
        await LoadBalancers(
            api=api,
            namespace=given.namespace,
            network=given.network,
            first_number=given.first_number,
            first_check=given.first_check,
            lag=given.lag,
        ).run()


if __name__ == "__main__":
    asyncio.run(_main())
