"""Behind load balancers with the manners of AWS no request is lost, with readiness gates or not.

The slow ones are as slow as any that was measured: 15 seconds from a registration to the first
health check, 10 from the control plane to the data plane. All scenes play at once, since they wait
much and do little. The whole matrix is a part of the bench.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from functools import partial

import pytest
from support.behind_load_balancer import (
    ACTIONS,
    CERTIFICATE,
    HOST,
    REQUESTS_PER_SECOND,
    VERSIONS,
    Surroundings,
    apply,
    begin,
    has_gates,
    inject_gates,
    pods,
    surroundings,
)
from support.deadlines import eventually
from support.kubectl import Shell
from support.operator import Site
from weather_cluster.clusters import Cluster

TRACK = "weather.quantspark.io/track"
SLOW = {"first_check": 15, "lag": 10}
QUICK = {"first_check": 1, "lag": 0}
PATIENCE = 240
"""Seconds, as all scenes share the machine."""

Around = Callable[..., AbstractContextManager[Surroundings]]
"""Makes a namespace with its load balancers."""


def no_request_is_lost(around: Around) -> None:
    """Change six sites, without readiness gates and with them, as each is hardest."""
    with ExitStack() as stack:
        plain, gated = (
            stack.enter_context(around(has_gates=gates, first_number=number, **SLOW))
            for gates, number in ((False, 101), (True, 121))
        )
        hardest = [
            *((plain, name) for name in ("upgrade", "scale-in", "drain")),
            *((gated, name) for name in ("downgrade", "scale-in", "drain")),
        ]
        sites = [around.site(name) for around, name in hardest]
        begin(sites)
        assert [has_gates(each) for each in sites] == 3 * [False] + 3 * [True]
        clients = [stack.enter_context(each.client(each.site(name))) for each, name in hardest]
        eventually(lambda: all(each.served.total() > 20 for each in clients), every=1)
        before = [len(each.failures) for each in clients]
        with ThreadPoolExecutor(len(sites)) as workers:
            for each in [workers.submit(ACTIONS[site.name], site) for site in sites]:
                each.result()
        # Through the lag, in which pods that are gone would be asked.
        until = [client.sent + 15 * REQUESTS_PER_SECOND for client in clients]
        pairs = list(zip(clients, until, strict=True))
        eventually(lambda: all(client.sent > sent for client, sent in pairs), every=1)
    lost = [client.failures[count:] for client, count in zip(clients, before, strict=True)]
    assert lost == 6 * [[]]


def tls_redirect_and_the_longest_path_first_in_a_group(around: Around) -> None:
    with around(has_gates=True, first_number=141, **QUICK) as quick:
        grouped = {"annotations": {"alb.ingress.kubernetes.io/group.name": "shared"}}
        first, second = quick.site("a-root"), quick.site("london")
        apply(first, ingress=grouped, colour="yellow", replicas=1)
        apply(second, ingress={**grouped, "path": "/london"}, colour="green", replicas=1)
        for site in (first, second):
            site.wait_for("Serving", seconds=PATIENCE)
        assert quick.address(first) == quick.address(second)
        assert second.status()["url"] == f"https://{HOST}/london/"
        client = quick.client(first)
        answer = eventually(lambda: client.plain("/london/?units=metric"))
        where = answer.headers["Location"]
        assert (answer.status, where) == (301, f"https://{HOST}:443/london/?units=metric")
        colours = {"/": "yellow", "/london/": "green"}
        for path, colour in colours.items():
            assert eventually(lambda: client.get(path)).headers["X-App-Colour"] == colour  # noqa: B023


def what_the_controller_refuses_is_said(around: Around) -> None:
    with around(has_gates=False, first_number=161, **QUICK) as quick:
        site = quick.site()
        certificate = {"certificateArn": CERTIFICATE}
        orders = {"alb.ingress.kubernetes.io/group.order": "5000"}
        apply(site, ingress={"tls": certificate, "annotations": orders}, replicas=1)
        status = site.wait_for("AddressPending", seconds=PATIENCE)
        eventually(lambda: site.blocker("FailedBuildModel"))
        assert "group.order" in site.condition("Ready")["message"], status
        apply(site, replicas=1)
        site.wait_for("Serving", seconds=PATIENCE)
        assert "blockers" not in site.status()
        assert pods(site)


def a_rollout_stands_still_while_the_controller_is_away(around: Around) -> None:
    with around(has_gates=True, first_number=181, **QUICK) as quick:
        site = quick.site()
        apply(site, colour="yellow")
        site.wait_for("Serving", seconds=PATIENCE)
        assert site.condition("ReadinessGates")["reason"] == "Promised"
        with quick.client(site) as client:
            eventually(lambda: client.served["yellow"] > 20)
            quick.stop_controller()
            try:
                apply(site, colour="green")
                site.wait_for("Blocked", seconds=PATIENCE)
                site.blocker("ReadinessGateMissing")
                assert site.get("deployment")["spec"]["paused"]
            finally:
                quick.start_controller()

            def has_followed_the_advice() -> bool:
                for each in site.status().get("blockers", ()):
                    if each["reason"] == "ReadinessGateMissing":
                        site.kubectl("delete", each["object"], "--wait=false", "--ignore-not-found")
                return site.status().get("version") == VERSIONS["green"]

            eventually(has_followed_the_advice, seconds=PATIENCE, every=1)
            site.wait_for("Serving", seconds=PATIENCE)
            assert has_gates(site)
            eventually(lambda: client.served["green"] > 20)
        assert client.failures == []


def a_rule_divides_the_visitors_of_a_canary(around: Around) -> None:
    with around(has_gates=True, first_number=201, **QUICK) as quick:
        site = quick.site()
        steps = [{"weight": 25, "durationSeconds": 600}]
        strategy = {"type": "Canary", "canary": {"steps": steps}}
        apply(site, colour="yellow", rollout={"strategy": strategy})
        site.wait_for("Serving", seconds=PATIENCE)
        with quick.client(site) as client:
            eventually(lambda: client.served["yellow"] > 20, every=1)
            apply(site, colour="green", rollout={"strategy": strategy})
            eventually(lambda: _phase(site) == "Analysing", seconds=PATIENCE, every=1)
            tried = [each for each in pods(site) if each["metadata"]["labels"][TRACK] == "canary"]
            assert len(tried) == 2
            assert all(each["spec"]["readinessGates"] for each in tried)
            before, green = client.sent, client.served["green"]
            enough = before + 12 * REQUESTS_PER_SECOND
            eventually(lambda: client.sent > enough, every=1)
            share = (client.served["green"] - green) / (client.sent - before)
            apply(site, colour="yellow", rollout={"strategy": strategy})
            eventually(lambda: _phase(site) == "Aborting", seconds=PATIENCE, every=1)
            sent = client.sent + 5 * REQUESTS_PER_SECOND
            eventually(lambda: client.sent > sent, every=1)
        assert client.failures == []
        # Of more than a hundred requests: four standard deviations on each side.
        assert 0.08 < share < 0.42


SCENES = [
    no_request_is_lost,
    tls_redirect_and_the_longest_path_first_in_a_group,
    what_the_controller_refuses_is_said,
    a_rollout_stands_still_while_the_controller_is_away,
    a_rule_divides_the_visitors_of_a_canary,
]


@pytest.fixture(scope="module")
def scenes(
    installed: Shell, node_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[None]]]:
    """What becomes of each scene, by its name; all of them have begun."""
    directory = tmp_path_factory.mktemp("load-balancers")
    around = partial(surroundings, installed, node_cluster, directory)
    with inject_gates(installed), ThreadPoolExecutor(len(SCENES)) as workers:
        yield {scene.__name__: workers.submit(scene, around) for scene in SCENES}


@pytest.mark.timeout(600)  # the first test of a run installs all
@pytest.mark.parametrize("scene", [scene.__name__ for scene in SCENES])
def test_behind_load_balancers(scenes: dict[str, Future[None]], scene: str) -> None:
    scenes[scene].result()


def _phase(site: Site) -> str:
    return str(site.status().get("rollout", {}).get("phase"))
