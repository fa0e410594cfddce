"""Whole trials with the reconciler and the analysis runner as they are, over pods' real ports."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from support.simulation import CANARY, LONDON, Simulation
from support.trials import Watched, canary, nothing_left, revision_of, rollout, status, weight_in
from weather_operator.analysis.runner import AnalysisRunner
from weather_operator.analysis.sources import Sources
from weather_operator.kube.cache import Cache
from weather_operator.kube.resources import DEPLOYMENT, HTTP_ROUTE, POD, Key
from weather_operator.metrics import Metrics

ADDRESSES = {LONDON: "127.0.0.1", CANARY: "127.0.0.2"}
VISITORS = 1000
"""Requests with each pass, divided as the route says."""


@dataclass
class Site:
    """London with its pods' ports, its visitors, and what the canary answers them with."""

    simulation: Simulation
    errors: float = 0.0
    divides: bool = True
    port: int = 0
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    runner: AnalysisRunner | None = None

    def analyst(self, cache: Cache) -> AnalysisRunner:
        self.runner = AnalysisRunner(
            self.simulation.server,
            cache,
            Sources(),
            Metrics(),
            wake=lambda _: self.woken.set(),
            metrics_port=self.port,
        )
        return self.runner

    async def metrics(self, request: web.Request) -> web.Response:
        lines = ["process_start_time_seconds 1"]
        for code, number in self.counts.get(request.url.host or "", {}).items():
            lines.append(f'weather_http_requests_total{{route="/",status="{code}"}} {number}')
        return web.Response(text="\n".join(lines) + "\n")

    def visit(self) -> None:
        """Let visitors come, and answer them as the page's own counters would tell."""
        route = self.simulation.server.body(HTTP_ROUTE, LONDON)
        tried = VISITORS * weight_in(route) // 100 if self.divides else 0
        bad = round(tried * self.errors)
        for address, good, failed in (
            (ADDRESSES[LONDON], VISITORS - tried, 0),
            (ADDRESSES[CANARY], tried - bad, bad),
        ):
            counts = self.counts.setdefault(address, {"2xx": 0, "5xx": 0})
            counts["2xx"] += good
            counts["5xx"] += failed

    def keep_pods(self) -> None:
        """Have one pod of each Deployment that there is, at its address."""
        server = self.simulation.server
        for key, address in ADDRESSES.items():
            deployment = server.body(DEPLOYMENT, key)
            name = Key(namespace=key.namespace, name=f"{key.name}-pod")
            if deployment is None:
                if server.body(POD, name):
                    server.remove(POD, name)
                continue
            template = deployment["spec"]["template"]
            metadata = {**template["metadata"], "name": name.name, "namespace": name.namespace}
            ready = {"type": "Ready", "status": "True"}
            told = {"phase": "Running", "podIP": address, "conditions": [ready]}
            uid = f"{name.name}-{revision_of(self.simulation, key)}"
            body = {"metadata": {**metadata, "uid": uid}, "spec": template["spec"], "status": told}
            server.put(POD, name, body)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Do passes, as the runner wakes the app, until something holds."""
        async with asyncio.timeout(60):
            while not holds():
                outcome = await self.simulation.reconcile()
                turned = self.simulation.turn()
                self.keep_pods()
                self.visit()
                self.simulation.seconds += 2
                if turned or outcome.requeue_after == 0:
                    continue
                self.woken.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await self.woken.wait()

    def is_over(self) -> bool:
        return "history" in status(self.simulation) and nothing_left(self.simulation)

    async def to_the_end(self) -> None:
        await self.until(lambda: not self.is_over())
        await self.until(lambda: self.is_over() and "rollout" not in status(self.simulation))


ANALYSIS = {
    "intervalSeconds": 0.2,
    "checks": [{"name": "success", "successRate": {"minPercent": 99, "maxBelowStable": 1}}],
}
SPEC = canary(
    {"weight": 10, "durationSeconds": 0.4},
    {"weight": 50, "durationSeconds": 0.4},
    rollout={"analysis": ANALYSIS},
)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    simulation = await Simulation.of(**{**SPEC, "colour": "yellow"})
    site = Site(simulation)
    app = web.Application()
    app.router.add_get("/metrics", site.metrics)
    async with TestServer(app, host="0.0.0.0") as server:
        assert server.port
        site.port = server.port
        simulation.analyst = site.analyst
        simulation.restart()
        await simulation.converge()
        assert site.runner
        running = asyncio.create_task(site.runner.run())
        yield site
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_a_good_revision_is_promoted_by_what_its_pods_have_answered(site: Site) -> None:
    simulation = site.simulation
    watched = Watched(simulation)
    shares: dict[int, float] = {}
    note = simulation.server.after

    def keep_share(request: object) -> None:
        note(request)  # type: ignore[arg-type]
        weight = rollout(simulation).get("weight", {})
        if "observed" in weight:
            shares[weight["desired"]] = weight["observed"]

    simulation.server.after = keep_share
    simulation.change(**SPEC)
    await site.to_the_end()
    assert status(simulation)["version"] == "2.0.0"
    assert watched.weights == [0, 10, 50, 0]
    assert shares == {10: pytest.approx(10, abs=0.1), 50: pytest.approx(50, abs=0.1)}


async def test_errors_of_a_few_visitors_take_a_revision_back(site: Site) -> None:
    site.errors = 0.05
    site.simulation.change(**SPEC)
    await site.to_the_end()
    failed = status(site.simulation)["failedRevisions"][0]
    assert failed["version"] == "2.0.0"
    assert "success came out Failed at 95.0, the bound is 99" in failed["reason"]
    assert status(site.simulation)["version"] == "1.0.0"


async def test_a_gateway_that_does_not_divide_holds_the_step_and_is_named(site: Site) -> None:
    site.divides = False
    site.simulation.change(**SPEC)
    await site.until(lambda: site.simulation.ready() == "Blocked")
    (blocker,) = status(site.simulation)["blockers"]
    assert blocker["reason"] == "WeightNotObserved"
    assert rollout(site.simulation)["step"] == 1
    site.divides = True
    await site.until(site.is_over)
    assert status(site.simulation)["version"] == "2.0.0"
