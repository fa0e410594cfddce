"""What the analysis of many canaries costs the operator: processor time, requests, lateness.

Each canary has one pod beside three stable ones, on loopback addresses of their own, which a
process of its own answers for with a page's whole metrics text.
"""

import asyncio
import itertools
import multiprocessing
import time
from collections.abc import Sequence

from aiohttp import web
from prometheus_client import generate_latest
from support.deadlines import eventually
from support.manifests import app_body
from support.ports import free_port
from weather_cluster.host import is_listening
from weather_operator.analysis.runner import AnalysisRunner
from weather_operator.analysis.sources import Sources
from weather_operator.controller.event_handlers import new_cache
from weather_operator.kube.resources import Key, Kind, Manifest
from weather_operator.metrics import Metrics
from weather_operator.model.parsing import parse_app
from weather_operator.rollout.interval import AnalysisTarget
from weather_webapp.build_info import BuildInfo
from weather_webapp.metrics import Metrics as PageMetrics

from bench.figures import Figure

CANARIES = (100, 500)
INTERVAL_SECONDS = 10
INTERVALS = 3
STABLE_PODS = 3
_ROUTES = ("/", "/weather.json", "/live", "/badge.svg", "unknown", "probe")


class _Pods:
    """Lists the pods of any app."""

    async def list(
        self, kind: Kind, *, namespace: str = "", labels: str = ""
    ) -> tuple[list[Manifest], str]:
        number = int(labels.rsplit("-", 1)[1])
        tracks = ["canary", *["stable"] * STABLE_PODS]
        return [_pod(number, index, track) for index, track in enumerate(tracks)], "1"


def measure() -> list[Figure]:
    """Return the figures by number of canaries."""
    port = free_port()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(port,), daemon=True)
    server.start()
    try:
        eventually(lambda: is_listening("127.0.0.1", port), seconds=30)
        return [figure for number in CANARIES for figure in asyncio.run(_analyse(number, port))]
    finally:
        server.terminate()
        server.join()


async def _analyse(canaries: int, port: int) -> Sequence[Figure]:
    woken: asyncio.Queue[Key] = asyncio.Queue()
    metrics = Metrics()
    runner = AnalysisRunner(
        _Pods(), new_cache(), Sources(), metrics, wake=woken.put_nowait, metrics_port=port
    )
    for number in range(canaries):
        runner.watch(_trial(number))
    running = asyncio.create_task(runner.run())
    arrivals: dict[Key, list[float]] = {}
    while len(arrivals) < canaries:  # they begin spread over an interval
        key = await woken.get()
        arrivals.setdefault(key, []).append(time.monotonic())
    began, processor = time.monotonic(), time.process_time()
    while time.monotonic() - began < INTERVALS * INTERVAL_SECONDS:
        key = await woken.get()
        arrivals[key].append(time.monotonic())
    seconds, used = time.monotonic() - began, time.process_time() - processor
    done = metrics.analysis_scrapes.labels("done")._value.get()
    failed = metrics.analysis_scrapes.labels("failed")._value.get()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    gaps = [b - a for each in arrivals.values() for a, b in itertools.pairwise(each)]
    case = f"{canaries} canaries"
    return [
        Figure(name="of one core", values=[100 * used / seconds], unit="%", case=case),
        Figure(name="measurements", values=[done], unit="", case=case),
        Figure(name="without an answer", values=[failed], unit="", case=case),
        Figure(name="longest interval", values=[max(gaps)], unit="s", case=case),
    ]


def _trial(number: int) -> AnalysisTarget:
    checks = [
        {"name": "success", "successRate": {"minPercent": 99, "maxBelowStable": 1}},
        {"name": "latency", "latency": {"quantilePercent": 95, "maxMilliseconds": 500}},
    ]
    body = app_body(rollout={"analysis": {"intervalSeconds": INTERVAL_SECONDS, "checks": checks}})
    body["metadata"].update(name=f"app-{number}", uid=f"uid-{number}")
    app = parse_app(body)
    assert app.rollout.analysis
    return AnalysisTarget(app=app, analysis=app.rollout.analysis, revision="r", step=1)


def _pod(number: int, index: int, track: str) -> Manifest:
    return {
        "metadata": {
            "name": f"app-{number}-{index}",
            "uid": f"{number}-{index}",
            "labels": {"weather.quantspark.io/track": track},
            "annotations": {"weather.quantspark.io/revision": "r"},
        },
        "status": {
            "phase": "Running",
            "podIP": f"127.{1 + number // 250}.{number % 250}.{1 + index}",
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def _serve(port: int) -> None:
    """Answer for every pod, for ever, with the text of a page that has had visitors."""
    build = BuildInfo(
        version="2.0.0",
        colour="green",
        commit="",
        container="a",
        container_kind="pod",
        pod="a",
        namespace="a",
        node="a",
    )
    page = PageMetrics(build)
    for route in _ROUTES:
        page.requests.feed(b"".join(b"%s GET 200 0.004\n" % route.encode() for _ in range(1000)))
    text = generate_latest(page.registry)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=text)

    app = web.Application()
    app.router.add_get("/metrics", answer)
    web.run_app(app, host="0.0.0.0", port=port, access_log=None, print=None)
