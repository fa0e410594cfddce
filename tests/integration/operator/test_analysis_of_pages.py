"""The verdict on real pages, by what their NGINX counted: errors, hangs and probes of ours."""

import asyncio
from collections.abc import Iterator

import aiohttp
import pytest
from support.webapp import Site, ready, running
from weather_operator.analysis.counters import Counters, Sample, add_up, increase
from weather_operator.analysis.evaluate import Measured, evaluate, share_of
from weather_operator.analysis.sources import Sources
from weather_operator.model.strategies import Check, Latency, Probe, SuccessRate
from weather_operator.rollout.interval import CheckResult, Verdict
from weather_operator.rollout.proportions import is_share_as_set
from yarl import URL

SUCCESS = Check(name="success", success_rate=SuccessRate(min_percent=None, max_below_stable=1))
PAGE = Check(name="page", probe=Probe(path="/weather.json", requests=20, min_percent=100))
PATH = "/api/info"


@pytest.fixture(scope="module")
def stable() -> Iterator[Site]:
    with running(APP_VERSION="1.0.0") as site:
        yield ready(site)


@pytest.fixture(scope="module")
def good() -> Iterator[Site]:
    with running(APP_VERSION="2.0.0") as site:
        yield ready(site)


def latency(*, above_stable: int) -> Check:
    bound = Latency(quantile_percent=95, max_milliseconds=None, max_above_stable=above_stable)
    return Check(name="latency", latency=bound)


async def samples(sources: Sources, *sites: Site) -> list[Sample]:
    return [await sources.scrape("127.0.0.1", site.metrics_port) for site in sites]


async def visit(site: Site, requests: int) -> None:
    left = iter(range(requests))

    async def some(session: aiohttp.ClientSession) -> None:
        for _ in left:
            async with session.get(f"http://127.0.0.1:{site.port}{PATH}") as answer:
                await answer.read()

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(some(session))


async def interval(
    stable: Site, canary: Site, visits: tuple[int, int]
) -> tuple[Counters, Counters]:
    """Have both visited, and return what the stable one and the canary say that they answered."""
    async with Sources() as sources:
        before = await samples(sources, stable, canary)
        await visit(stable, visits[0])
        await visit(canary, visits[1])
        async with asyncio.timeout(60):
            while True:  # NGINX writes its log twice a second
                now = await samples(sources, stable, canary)
                grown = [increase(*each) for each in zip(before, now, strict=True)]
                found = add_up(grown[:1]), add_up(grown[1:])
                if (found[0].total, found[1].total) == visits:
                    return found
                await asyncio.sleep(0.05)


def judged(check: Check, found: tuple[Counters, Counters]) -> CheckResult:
    measured = Measured(stable=found[0], canary=found[1], probes={}, queries={})
    return evaluate(check, measured, min_requests=20)


async def test_a_good_version_passes_and_its_share_is_what_came(stable: Site, good: Site) -> None:
    found = await interval(stable, good, (1800, 200))
    assert judged(SUCCESS, found).verdict == Verdict.PASSED
    # Of the same speed but for what else this machine does, while the one or the other is visited.
    assert judged(latency(above_stable=1000), found).verdict == Verdict.PASSED
    share, requests = share_of(found[1], found[0])
    assert (share, requests) == (10, 2000)
    assert is_share_as_set(10, share, requests) is True
    assert is_share_as_set(50, share, requests) is False


async def test_errors_are_counted_and_fail_a_version(stable: Site) -> None:
    with running(APP_VERSION="2.0.0", FAULT_ERROR_RATE="0.1") as site:
        found = await interval(stable, ready(site), (800, 600))
    result = judged(SUCCESS, found)
    assert result.verdict == Verdict.FAILED
    assert result.value == pytest.approx(90, abs=5)


async def test_slow_answers_fail_a_version(stable: Site) -> None:
    with running(APP_VERSION="2.0.0", FAULT_LATENCY_MS="1000") as site:
        found = await interval(stable, ready(site), (100, 40))
    result = judged(latency(above_stable=100), found)
    assert result.verdict == Verdict.FAILED
    assert result.value is not None
    assert result.value > 900
    assert judged(SUCCESS, found).verdict == Verdict.PASSED


async def test_a_probe_asks_the_page_and_knows_its_version(good: Site) -> None:
    async with Sources() as sources:
        url = URL(f"http://127.0.0.1:{good.port}/weather.json")
        answers = await sources.probe(url, requests=20, version="2.0.0", seconds=60)
        others = await sources.probe(url, requests=2, version="3.0.0", seconds=60)
    measured = Measured(stable=None, canary=None, probes={"page": answers}, queries={})
    assert evaluate(PAGE, measured, min_requests=20).verdict == Verdict.PASSED
    assert others.problem == "version 2.0.0 answers where 3.0.0 is to be probed"
