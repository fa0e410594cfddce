"""Canaries that a real Prometheus server decides about, by what it scrapes from real pages."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support import webapp
from support.deadlines import eventually
from support.operator import Operator, Site
from support.prometheus import Prometheus, prometheus
from weather_cluster.demo import Client

Pages = dict[str, webapp.Site]


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    """A page that answers well, and one with errors, both with visitors."""
    faults = {"good": {}, "bad": {"FAULT_ERROR_RATE": "0.5"}}
    with ExitStack() as stack:
        found = {name: stack.enter_context(webapp.running(**each)) for name, each in faults.items()}
        for page in found.values():
            webapp.ready(page)
            stack.enter_context(Client(f"http://127.0.0.1:{page.port}/", requests_per_second=30))
        yield found


@pytest.fixture
def server(pages: Pages) -> Iterator[Prometheus]:
    with prometheus([_address(page) for page in pages.values()]) as server:
        yield server


@pytest.fixture
def asking(site: Site, operator: Operator, server: Prometheus, tmp_path: Path) -> Iterator[Site]:
    """A site in yellow, whose operator asks this server."""
    token = tmp_path / "token"
    token.write_text("a-token\n")
    before = operator.environment
    operator.stop()
    operator.environment = {
        **before,
        "PROMETHEUS_URL": server.url,
        "PROMETHEUS_CA_FILE": str(server.ca_file),
        "PROMETHEUS_TOKEN_FILE": str(token),
    }
    operator.ensure_leading()
    site.apply(colour="yellow")
    site.wait_for("Serving")
    yield site
    operator.stop()
    operator.environment = before


def _address(page: webapp.Site) -> str:
    return f"127.0.0.1:{page.metrics_port}"


def tried_by(page: webapp.Site, *, seconds: int = 3) -> dict[str, Any]:
    """Green as a canary, which goes on while less than 10 % of a page's answers are errors.

    It is tried for so many seconds, or for longer.
    """
    of_page = f'instance="{_address(page)}",route!="probe"'
    total = f"sum(rate(weather_http_requests_total{{{of_page}}}[5s]))"
    errors = f'sum(rate(weather_http_requests_total{{{of_page},status="5xx"}}[5s])) or vector(0)'
    check = {"name": "errors", "prometheus": {"query": f"100 * ({errors}) / {total}", "max": 10}}
    steps = [{"weight": 30, "durationSeconds": seconds}]
    strategy = {"type": "Canary", "canary": {"steps": steps}}
    analysis = {"intervalSeconds": 1, "failureLimit": 2, "checks": [check]}
    return {"colour": "green", "rollout": {"strategy": strategy, "analysis": analysis}}


def intervals(site: Site) -> dict[str, int]:
    found: dict[str, int] = site.status()["rollout"]["intervals"]
    return found


def test_a_query_lets_a_good_version_pass_and_takes_a_bad_one_back(
    asking: Site, server: Prometheus, pages: Pages
) -> None:
    with server.serving():
        asking.apply(**tried_by(pages["bad"]))
        status = asking.wait_for("RolledBack")
        assert status["version"] == "1.0.0"
        assert "the check errors came out Failed at " in status["failedRevisions"][0]["reason"]
        good = tried_by(pages["good"])
        good["rollout"]["attempt"] = 1
        asking.apply(**good)
        assert asking.wait_for("Serving")["version"] == "2.0.0"


def test_a_server_that_is_away_holds_a_canary_until_it_is_back(
    asking: Site, server: Prometheus, pages: Pages
) -> None:
    with server.serving():
        # Long enough that it has not passed before the server is away.
        asking.apply(**tried_by(pages["good"], seconds=15))
        eventually(lambda: intervals(asking)["passed"] > 0)
    eventually(lambda: "Prometheus does not answer" in _unknown(asking)["message"])
    seen = intervals(asking)
    eventually(lambda: intervals(asking)["number"] >= seen["number"] + 4)
    assert asking.reason() == "Analysing"
    assert intervals(asking)["passed"] == seen["passed"]
    with server.serving():
        assert asking.wait_for("Serving")["version"] == "2.0.0"


def _unknown(site: Site) -> dict[str, Any]:
    """The one check, once its verdict is unknown."""
    check: dict[str, Any]
    (check,) = site.status()["rollout"]["analysis"]
    assert check["verdict"] == "Unknown"
    return check
