"""Canaries behind a real gateway: the shares that a client sees, what it loses, what is written.

Each version is tried in London, on a node of its own, with Traefik as the gateway.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from support.clusters import running_cluster
from support.deadlines import eventually
from support.kubectl import Shell
from support.operator import Site
from weather_cluster import clusters
from weather_cluster.canary_demo import GATEWAY
from weather_cluster.clusters import Cluster
from weather_cluster.demo import Answer, Client

from bench.audit import Request, requests
from bench.figures import Figure

REQUESTS = 2000
INTERVAL_SECONDS = 5
TAKEN_UP = 3.0
"""Seconds after which Traefik serves what its status says: it collects changes for two of them."""


def measure() -> list[Figure]:
    """Try a good version, one with errors that is taken back, and one that is not wanted any more.

    Needs root.
    """
    with running_cluster("bench-canary") as cluster:
        clusters.up(cluster.name, gateway=True)
        shell = Shell.of(cluster)
        flags = f"HELM_FLAGS=--set insecureRegistries={{{cluster.registry}}}"
        made = shell.run("make", "images", "push", "install", f"REGISTRY={cluster.registry}", flags)
        assert made.returncode == 0, made.stdout + made.stderr
        site = Site(shell=shell, namespace="default")
        site.kubectl("apply", "-f", "-", text=json.dumps(GATEWAY))
        site.apply(**_spec("yellow", _step(10)))
        url = site.wait_for("Serving", seconds=120)["url"]
        with Client(url, threads=4) as client:
            eventually(lambda: client.served["yellow"] > 50)
            bench = Bench(cluster=cluster, site=site, client=client)
            figures = [*bench.good(), *bench.bad(), *bench.unwanted()]
        return [*figures, *_share_of_pods(cluster, shell)]


def _share_of_pods(cluster: Cluster, shell: Shell) -> list[Figure]:
    """Try green in one pod beside two that a Service leads to as well, without a gateway."""
    site = Site(shell=shell, namespace="default", name="paris")
    spec: dict[str, Any] = _spec("yellow", _step(30), service={"type": "NodePort"})
    del spec["gateway"]
    site.apply(**spec)
    with Client(site.wait_for("Serving", seconds=120)["url"], threads=4) as client:
        site.apply(**{**spec, "colour": "green"})
        return Bench(cluster=cluster, site=site, client=client).pods()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A site, its visitors, and what they get while versions are tried."""

    cluster: Cluster
    site: Site
    client: Client

    def good(self) -> list[Figure]:
        """Green, at two weights for as long as the requests take, and then for all."""
        begun, log = len(self.client.answers), self.cluster.audit_log.stat().st_size
        weights = (10, 50)
        self.site.apply(**_spec("green", *map(_step, weights)))
        figures: list[Figure] = []
        for number, weight in enumerate(weights, start=1):
            eventually(lambda n=number: self._waits_at(n), seconds=60)  # type: ignore[misc]
            figures += self._share("green", weight)
            revision = self.site.status()["rollout"]["revision"]
            word = f"weather.quantspark.io/approve={revision}/{number}"
            self.site.kubectl("annotate", "--overwrite", "weatherapp/london", word)
        self.site.wait_for("Serving", seconds=90)
        written = list(requests(self.cluster.audit_log, since=log))
        return [*figures, _lost("good", self.client.answers[begun:]), *_written(written)]

    def bad(self) -> list[Figure]:
        """Red, in which every twentieth answer is an error."""
        begun = len(self.client.answers)
        faults = [{"name": "FAULT_ERROR_RATE", "value": "0.05"}]
        self.site.apply(**_spec("red", {"weight": 50, "durationSeconds": 60}, pod={"env": faults}))
        first = self._when(lambda: self._failed() >= 1)
        decided = self._when(lambda: self._phase() == "Aborting")
        ended = self._when(lambda: self._weight() == 0)
        self.site.wait_for("RolledBack", seconds=60)
        answers = self.client.answers[begun:]
        last = max(each.at for each in answers if each.colour == "red")
        own = [each for each in answers if each.colour == "red"]
        return [
            _lost("bad", [each for each in answers if each.colour != "red"]),
            Figure(name="failed in the bad one's own", values=[_failures(own)], unit="requests"),
            Figure(name="first bad interval → weight 0", values=[ended - first], unit="s"),
            Figure(name="last bad interval → weight 0", values=[ended - decided], unit="s"),
            Figure(name="… → its last visitor", values=[max(last - decided, 0)], unit="s"),
        ]

    def unwanted(self) -> list[Figure]:
        """Yellow, which is taken back by the wish for what serves."""
        begun = len(self.client.answers)
        self.site.apply(**_spec("yellow", _step(50)))
        eventually(lambda: self._waits_at(1), seconds=60)
        eventually(lambda: self.client.served["yellow"] > 100)
        asked = time.time()
        self.site.apply(**_spec("green", _step(50)))
        ended = self._when(lambda: self._weight() == 0)
        self.site.wait_for("Serving", seconds=60)
        took = Figure(name="wish for what serves → weight 0", values=[ended - asked], unit="s")
        return [took, _lost("taken back", self.client.answers[begun:])]

    def pods(self) -> list[Figure]:
        """Green in one pod of three, which is the share."""
        eventually(lambda: self._waits_at(1), seconds=60)
        return self._share("green", self.site.status()["rollout"]["weight"]["possible"])

    def _share(self, colour: str, weight: int) -> list[Figure]:
        after = time.time() + TAKEN_UP
        eventually(lambda: self.client.answers[-1].at > after)
        begun = len(self.client.answers)
        eventually(lambda: len(self.client.answers) >= begun + REQUESTS, seconds=120)
        answers = self.client.answers[begun : begun + REQUESTS]
        share = 100 * sum(each.colour == colour for each in answers) / REQUESTS
        chance = 100 * 1.96 * math.sqrt(weight / 100 * (1 - weight / 100) / REQUESTS)
        name = f"{self.site.name}: set {weight} %, seen in {REQUESTS:,}"
        of = f"{self.site.name}: set {weight} %, 95 of 100 fair draws within ±"
        return [
            Figure(name=name, values=[share], unit="%"),
            Figure(name=of, values=[chance], unit="%"),
        ]

    def _when(self, reached: Callable[[], bool]) -> float:
        eventually(reached, seconds=90, every=0.05)
        return time.time()

    def _rollout(self) -> dict[str, Any]:
        rollout: dict[str, Any] = self.site.get().get("status", {}).get("rollout", {})
        return rollout

    def _phase(self) -> str:
        return str(self._rollout().get("phase", ""))

    def _failed(self) -> int:
        return int(self._rollout().get("intervals", {}).get("failed", 0))

    def _waits_at(self, step: int) -> bool:
        rollout = self._rollout()
        return (rollout.get("phase"), rollout.get("step")) == ("AwaitingApproval", step)

    def _weight(self) -> int:
        (rule,) = self.site.get("httproute")["spec"]["rules"]
        weights = {each["name"]: each["weight"] for each in rule["backendRefs"]}
        return int(weights.get("london-canary", 0))


def _spec(colour: str, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    check = {"name": "success", "successRate": {"minPercent": 99}}
    analysis = {"intervalSeconds": INTERVAL_SECONDS, "failureLimit": 2, "checks": [check]}
    strategy = {"type": "Canary", "canary": {"steps": list(steps)}}
    rollout = {"strategy": strategy, "analysis": analysis}
    gateway = {"parentRefs": [{"name": "public"}]}
    return {"colour": colour, "gateway": gateway, "rollout": rollout, **more}


def _step(weight: int) -> dict[str, Any]:
    return {"weight": weight, "approval": True}


def _failures(answers: list[Answer]) -> float:
    return sum(bool(each.error) for each in answers)


def _lost(case: str, answers: list[Answer]) -> Figure:
    name = f"{case}: failed of {len(answers):,} others"
    return Figure(name=name, values=[_failures(answers)], unit="requests")


def _written(log: list[Request]) -> list[Figure]:
    """What one canary of two steps asked of the API server, the Lease and a gateway's apart."""
    ours = [
        each
        for each in log
        if each.agent.startswith(("weather-operator", "kopf")) and each.resource != "leases"
    ]
    writes = [each for each in ours if each.writes]
    events = [each for each in writes if each.resource == "events"]
    return [
        Figure(name="requests of the operator", values=[len(ours)], unit=""),
        Figure(name="writes of the operator", values=[len(writes)], unit=""),
        Figure(name="… of them Events", values=[len(events)], unit=""),
    ]
