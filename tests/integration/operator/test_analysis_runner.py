"""Trials analysed over real pages' ports: pods come, go and restart, people change their minds."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from support.manifests import app_body
from weather_operator.analysis import runner as module
from weather_operator.analysis.runner import AnalysisRunner, pods_of
from weather_operator.analysis.sources import Sources
from weather_operator.controller.event_handlers import new_cache
from weather_operator.kube.cache import Cache
from weather_operator.kube.errors import UnavailableError
from weather_operator.kube.resources import SERVICE, Key, Kind, Manifest
from weather_operator.metrics import Metrics
from weather_operator.model.parsing import parse_app
from weather_operator.render import Track
from weather_operator.rollout.interval import AnalysisTarget, Interval

LONDON = Key(namespace="default", name="london")
SUCCESS = {"name": "success", "successRate": {"minPercent": 99, "maxBelowStable": 1}}
PAGE = {"name": "page", "probe": {"path": "/weather.json", "requests": 5, "minPercent": 100}}


def pod(
    track: str, address: str, *, uid: str = "", revision: str = "r2", **status: Any
) -> Manifest:
    ready = {"type": "Ready", "status": "True"}
    return {
        "metadata": {
            "name": f"{track}-{address}{uid}",
            "uid": uid or f"{track}-{address}",
            "labels": {
                "weather.quantspark.io/track": track,
                "app.kubernetes.io/version": "2.0.0",
            },
            "annotations": {"weather.quantspark.io/revision": revision},
        },
        "status": {"phase": "Running", "podIP": address, "conditions": [ready], **status},
    }


@dataclass
class Site:
    """Pods of London on loopback addresses, whose metrics share one port; no clock but theirs."""

    port: int = 0
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    started: dict[str, int] = field(default_factory=dict)
    pods: list[Manifest] = field(default_factory=list)
    lists: int = 0
    error: Exception | None = None
    probed: int = 0
    probe_status: int = 200

    async def list(
        self, kind: Kind, *, namespace: str = "", labels: str = ""
    ) -> tuple[list[Manifest], str]:
        assert (kind.name, namespace) == ("Pod", "default")
        assert labels == "app.kubernetes.io/name=weather,app.kubernetes.io/instance=london"
        self.lists += 1
        if self.error:
            raise self.error
        return list(self.pods), "1"

    async def metrics(self, request: web.Request) -> web.Response:
        host = request.url.host or ""
        if host not in self.counts:
            return web.Response(status=503)
        lines = [f"process_start_time_seconds {self.started.get(host, 1)}"]
        for status, number in self.counts[host].items():
            lines.append(f'weather_http_requests_total{{route="/",status="{status}"}} {number}')
        return web.Response(text="\n".join(lines) + "\n")

    async def page(self, _: web.Request) -> web.Response:
        self.probed += 1
        self.counts["127.0.0.2"]["2xx"] += 1
        return web.Response(status=self.probe_status, headers={"X-App-Version": "2.0.0"})


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site(
        counts={"127.0.0.1": {"2xx": 1000}, "127.0.0.2": {"2xx": 500, "5xx": 400}},
        pods=[pod("stable", "127.0.0.1"), pod("canary", "127.0.0.2")],
    )
    app = web.Application()
    app.router.add_get("/metrics", site.metrics)
    app.router.add_get("/weather.json", site.page)
    async with TestServer(app, host="0.0.0.0") as server:
        assert server.port
        site.port = server.port
        yield site


def canary_service(port: int) -> Manifest:
    metadata = {"name": "london-canary", "namespace": "default", "uid": "s", "resourceVersion": "1"}
    return {"metadata": metadata, "spec": {"clusterIP": "127.0.0.1", "ports": [{"port": port}]}}


def trial(
    *checks: Manifest, step: int = 1, generation: int = 1, seconds: float = 0.3
) -> AnalysisTarget:
    analysis = {"intervalSeconds": seconds, "minRequests": 20, "checks": list(checks)}
    app = parse_app(app_body(generation=generation, rollout={"analysis": analysis}))
    assert app.rollout.analysis
    return AnalysisTarget(app=app, analysis=app.rollout.analysis, revision="r2", step=step)


@dataclass
class Analyses:
    """A runner that runs, and waiting for what it finds."""

    runner: AnalysisRunner
    cache: Cache
    metrics: Metrics
    woken: asyncio.Queue[Key]

    async def next(self) -> Interval:
        async with asyncio.timeout(60):
            key = await self.woken.get()
        found = self.runner.latest(key)
        assert found is not None
        return found

    async def until_verdict(self, verdict: str) -> None:
        """Return after an interval that ends so: what changed in mid-interval is left behind."""
        async with asyncio.timeout(60):
            while (await self.next()).verdict != verdict:
                pass

    async def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(6000):
            if holds():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("not within 60 s")


@pytest.fixture
async def analyses(site: Site) -> AsyncIterator[Analyses]:
    woken: asyncio.Queue[Key] = asyncio.Queue()
    cache, metrics = new_cache(), Metrics()
    runner = AnalysisRunner(
        site, cache, Sources(), metrics, wake=woken.put_nowait, metrics_port=site.port
    )
    running = asyncio.create_task(runner.run())
    yield Analyses(runner, cache, metrics, woken)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def begun(site: Site, analyses: Analyses, watched: AnalysisTarget) -> None:
    """Watch a trial, and return when it knows where each pod stands."""
    scrapes = analyses.metrics.analysis_scrapes.labels("done")._value
    before = scrapes.get()
    analyses.runner.watch(watched)
    await analyses.until(lambda: scrapes.get() - before >= len(site.counts))


async def test_what_was_answered_before_the_trial_counts_for_nothing(
    site: Site, analyses: Analyses
) -> None:
    await begun(site, analyses, trial(SUCCESS))
    site.counts["127.0.0.1"]["2xx"] += 900
    site.counts["127.0.0.2"]["2xx"] += 100
    found = await analyses.next()
    assert (found.verdict, found.share, found.requests) == ("Passed", 10, 1000)
    assert (found.revision, found.step) == ("r2", 1)
    after = await analyses.next()
    assert (after.verdict, after.share, after.requests) == ("Unknown", None, 0)
    assert (after.epoch, after.number) == (found.epoch, found.number + 1)


async def test_errors_of_the_canary_fail_it(site: Site, analyses: Analyses) -> None:
    await begun(site, analyses, trial(SUCCESS))
    site.counts["127.0.0.1"]["2xx"] += 900
    site.counts["127.0.0.2"].update({"2xx": 595, "5xx": 405})
    found = await analyses.next()
    (result,) = found.results
    assert (found.verdict, result.value, result.threshold) == ("Failed", 95, 99)


async def test_pods_that_restart_come_and_go_are_counted_from_nothing(
    site: Site, analyses: Analyses
) -> None:
    site.counts["127.0.0.3"] = {"2xx": 5000}
    site.pods.append(pod("stable", "127.0.0.3"))
    await begun(site, analyses, trial(SUCCESS))
    site.counts["127.0.0.2"] = {"2xx": 600}
    site.started["127.0.0.2"] = 2
    site.counts["127.0.0.1"]["2xx"] += 300
    site.pods[2] = pod("stable", "127.0.0.3", uid="another")
    site.counts["127.0.0.3"] = {"2xx": 100}
    analyses.runner._watched[LONDON].listed_at = float("-inf")
    found = await analyses.next()
    assert (found.share, found.requests) == (60, 1000)


async def test_a_pod_that_does_not_answer_leaves_the_verdict_open(
    site: Site, analyses: Analyses
) -> None:
    await begun(site, analyses, trial(SUCCESS))
    site.counts["127.0.0.1"]["2xx"] += 900
    del site.counts["127.0.0.2"]
    found = await analyses.next()
    assert (found.verdict, found.share) == ("Unknown", None)
    assert "did not say what it has answered" in found.results[0].message
    lists = site.lists
    await analyses.next()
    assert site.lists > lists, "it may be gone"


async def test_pods_are_listed_once_while_nothing_changes(site: Site, analyses: Analyses) -> None:
    await begun(site, analyses, trial(SUCCESS))
    for _ in range(3):
        await analyses.next()
    assert site.lists == 1


async def test_a_list_that_fails_makes_no_history_of_the_pods_an_interval(
    site: Site, analyses: Analyses
) -> None:
    site.error = UnavailableError(status=0, reason="", message="away")
    analyses.runner.watch(trial(SUCCESS))
    found = await analyses.next()
    assert (found.verdict, found.requests) == ("Unknown", 0)
    site.error = None
    assert [(await analyses.next()).requests for _ in range(2)] == [0, 0]


async def test_at_step_0_only_probes_count(
    site: Site, analyses: Analyses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOG_LAG_SECONDS", 0)
    analyses.runner.watch(trial(SUCCESS, PAGE, step=0, seconds=0.8))
    found = await analyses.next()
    assert [each.name for each in found.results] == ["page"]
    assert "Service london-canary has no address yet" in found.results[0].message
    analyses.cache.put(SERVICE, canary_service(site.port))
    await analyses.until_verdict("Passed")
    site.probe_status = 500
    await analyses.until_verdict("Failed")


async def test_requests_of_our_own_are_no_visitors(
    site: Site, analyses: Analyses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOG_LAG_SECONDS", 0)
    analyses.cache.put(SERVICE, canary_service(site.port))
    await begun(site, analyses, trial(SUCCESS, PAGE, seconds=2))
    site.counts["127.0.0.1"]["2xx"] += 40
    site.counts["127.0.0.2"]["2xx"] += 10
    found = await analyses.next()
    assert site.probed >= 5
    assert (found.share, found.requests) == (20, 50)
    assert found.results[0].message == "only 10 requests came, 20 are needed"


async def test_another_step_begins_anew_and_the_same_trial_goes_on(
    site: Site, analyses: Analyses
) -> None:
    await begun(site, analyses, trial(SUCCESS))
    first = await analyses.next()
    told = parse_app(app_body(status={"observedGeneration": 1}))
    same = trial(SUCCESS)
    analyses.runner.watch(replace(same, app=replace(same.app, status=told.status)))
    assert analyses.runner.latest(LONDON) == first
    analyses.runner.watch(trial(SUCCESS, step=2))
    assert analyses.runner.latest(LONDON) is None
    second = await analyses.next()
    assert (second.step, second.number > first.number) == (2, True)
    analyses.runner.forget(LONDON)
    analyses.runner.forget(LONDON)
    assert analyses.runner.latest(LONDON) is None


async def test_a_site_that_is_scaled_all_the_time_is_analysed_all_the_same(
    site: Site, analyses: Analyses
) -> None:
    """An autoscaler of somebody's may set the WeatherApp's own replicas."""
    await begun(site, analyses, trial(SUCCESS))
    first = await analyses.next()
    analyses.runner.watch(trial(SUCCESS, generation=2))
    assert analyses.runner.latest(LONDON) == first
    analyses.runner.watch(trial(SUCCESS, PAGE, generation=3))
    assert analyses.runner.latest(LONDON) is None, "by other checks it is judged anew"


async def test_an_analysis_that_breaks_is_unknown_and_goes_on(
    site: Site, analyses: Analyses, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun(site, analyses, trial(SUCCESS))

    async def breaks(_: object) -> None:
        raise LookupError("of a bug")

    monkeypatch.setattr(analyses.runner, "_queries", breaks)
    found = await analyses.next()
    assert found.verdict == "Unknown"
    assert "the analysis broke" in found.results[0].message
    monkeypatch.undo()
    site.counts["127.0.0.1"]["2xx"] += 900
    site.counts["127.0.0.2"]["2xx"] += 100
    intervals = [await analyses.next(), await analyses.next()]
    assert "Passed" in [each.verdict for each in intervals]


async def test_a_trial_that_was_given_before_the_runner_runs_begins_with_it(site: Site) -> None:
    woken: asyncio.Queue[Key] = asyncio.Queue()
    runner = AnalysisRunner(
        site, new_cache(), Sources(), Metrics(), wake=woken.put_nowait, metrics_port=site.port
    )
    runner.watch(trial(SUCCESS))
    running = asyncio.create_task(runner.run())
    async with asyncio.timeout(20):
        assert await woken.get() == LONDON
    found = runner.latest(LONDON)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert found
    assert [each.name for each in found.results] == ["success"]


def test_only_pods_that_may_answer_are_asked() -> None:
    leaving = pod("stable", "10.0.0.3")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    bodies = [
        pod("stable", "10.0.0.1", revision="r1"),
        pod("canary", "10.0.0.2"),
        pod("canary", "10.0.0.4", revision="r1"),
        pod("other", "10.0.0.5"),
        pod("stable", ""),
        pod("stable", "10.0.0.6", phase="Succeeded"),
        leaving,
    ]
    found = pods_of(bodies, revision="r2")
    assert [(each.track, each.address, each.ready) for each in found] == [
        (Track.STABLE, "10.0.0.1", True),
        (Track.CANARY, "10.0.0.2", True),
        (Track.STABLE, "10.0.0.3", False),
    ]
