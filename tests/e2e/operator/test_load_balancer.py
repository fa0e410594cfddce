"""Behind load balancers with the manners of AWS no request is lost, with readiness gates or not.

The slow ones are as slow as any that was measured: 15 seconds from a registration to the first
health check, 10 from the control plane to the data plane. The whole matrix is a part of the bench.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

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


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("load-balancers")


@pytest.fixture(scope="module")
def webhook(installed: Shell) -> Iterator[None]:
    """What gives pods in labelled namespaces their readiness gates."""
    with inject_gates(installed):
        yield


@pytest.fixture(scope="module")
def beside(
    installed: Shell, webhook: None, node_cluster: Cluster, directory: Path
) -> Iterator[dict[str, Future[list[list[str]]]]]:
    """What takes longest, and mostly waits, plays while the other tests run."""
    given = (installed, node_cluster, directory)
    with ThreadPoolExecutor(2) as players:
        yield {
            "changes": players.submit(_changes, *given),
            "absence": players.submit(_absence, *given),
        }


def _changes(shell: Shell, cluster: Cluster, directory: Path) -> list[list[str]]:
    """Change six sites, without readiness gates and with them; return each one's failures."""
    with ExitStack() as stack:
        plain, gated = (
            stack.enter_context(
                surroundings(
                    shell,
                    cluster,
                    directory,
                    has_gates=has_gates,
                    first_number=number,
                    first_check=15,
                    lag=10,
                )
            )
            for has_gates, number in ((False, 101), (True, 121))
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
    return [client.failures[count:] for client, count in zip(clients, before, strict=True)]


def _absence(shell: Shell, cluster: Cluster, directory: Path) -> list[list[str]]:
    """Stop the controller in an upgrade and start it again; return the failures."""
    with surroundings(
        shell, cluster, directory, has_gates=True, first_number=161, first_check=1, lag=0
    ) as around:
        site = around.site()
        apply(site, colour="yellow")
        site.wait_for("Serving", seconds=120)
        assert site.condition("ReadinessGates")["reason"] == "Promised"
        with around.client(site) as client:
            eventually(lambda: client.served["yellow"] > 20)
            around.stop_controller()
            try:
                apply(site, colour="green")
                site.wait_for("Blocked")
                eventually(lambda: site.blocker("ReadinessGateMissing"))
                assert site.get("deployment")["spec"]["paused"]
            finally:
                around.start_controller()

            def has_followed_the_advice() -> bool:
                for each in site.status().get("blockers", ()):
                    if each["reason"] == "ReadinessGateMissing":
                        site.kubectl("delete", each["object"], "--wait=false", "--ignore-not-found")
                return site.status().get("version") == VERSIONS["green"]

            eventually(has_followed_the_advice, seconds=240, every=1)
            site.wait_for("Serving")
            assert has_gates(site)
            eventually(lambda: client.served["green"] > 20)
    return [client.failures]


@pytest.fixture
def quick(
    request: pytest.FixtureRequest,
    installed: Shell,
    webhook: None,
    node_cluster: Cluster,
    directory: Path,
) -> Iterator[Surroundings]:
    """A namespace whose load balancers lose no time; with readiness gates unless said otherwise."""
    with surroundings(
        installed,
        node_cluster,
        directory,
        has_gates=getattr(request, "param", True),
        first_number=141,
        first_check=1,
        lag=0,
    ) as found:
        yield found


@pytest.mark.usefixtures("beside")  # begins here, since nothing takes longer
@pytest.mark.timeout(1200)  # the first test of a run installs all
def test_tls_redirect_and_the_longest_path_first_in_a_group(quick: Surroundings) -> None:
    grouped = {"annotations": {"alb.ingress.kubernetes.io/group.name": "shared"}}
    first, second = quick.site("a-root"), quick.site("london")
    apply(first, ingress=grouped, colour="yellow", replicas=1)
    apply(second, ingress={**grouped, "path": "/london"}, colour="green", replicas=1)
    for site in (first, second):
        site.wait_for("Serving", seconds=120)
    assert quick.address(first) == quick.address(second)
    assert second.status()["url"] == f"https://{HOST}/london/"
    client = quick.client(first)
    answer = eventually(lambda: client.plain("/london/?units=metric"))
    where = answer.headers["Location"]
    assert (answer.status, where) == (301, f"https://{HOST}:443/london/?units=metric")
    colours = {"/": "yellow", "/london/": "green"}
    for path, colour in colours.items():
        assert eventually(lambda: client.get(path)).headers["X-App-Colour"] == colour  # noqa: B023


@pytest.mark.parametrize("quick", [False], indirect=True, ids=["no gates"])
def test_what_the_controller_refuses_is_said(quick: Surroundings) -> None:
    site = quick.site()
    certificate = {"certificateArn": CERTIFICATE}
    orders = {"alb.ingress.kubernetes.io/group.order": "5000"}
    apply(site, ingress={"tls": certificate, "annotations": orders}, replicas=1)
    site.wait_for("AddressPending")
    eventually(lambda: site.blocker("FailedBuildModel"))
    eventually(lambda: "group.order" in site.condition("Ready")["message"])
    apply(site, replicas=1)
    site.wait_for("Serving")
    assert "blockers" not in site.status()
    assert pods(site)


def test_a_rule_divides_the_visitors_of_a_canary(quick: Surroundings) -> None:
    site = quick.site()
    steps = [{"weight": 25, "durationSeconds": 600}]
    strategy = {"type": "Canary", "canary": {"steps": steps}}
    apply(site, colour="yellow", rollout={"strategy": strategy})
    site.wait_for("Serving", seconds=120)
    with quick.client(site) as client:
        eventually(lambda: client.served["yellow"] > 20, every=1)
        apply(site, colour="green", rollout={"strategy": strategy})
        eventually(lambda: _phase(site) == "Analysing", every=1)
        tried = [each for each in pods(site) if each["metadata"]["labels"][TRACK] == "canary"]
        assert len(tried) == 2
        assert all(each["spec"]["readinessGates"] for each in tried)
        before, green = client.sent, client.served["green"]
        enough = before + 12 * REQUESTS_PER_SECOND
        eventually(lambda: client.sent > enough, every=1)
        share = (client.served["green"] - green) / (client.sent - before)
        apply(site, colour="yellow", rollout={"strategy": strategy})
        eventually(lambda: _phase(site) == "Aborting", every=1)
        sent = client.sent + 5 * REQUESTS_PER_SECOND
        eventually(lambda: client.sent > sent, every=1)
    assert client.failures == []
    # Of more than a hundred requests: four standard deviations on each side.
    assert 0.08 < share < 0.42


@pytest.mark.timeout(1200)
def test_a_rollout_stands_still_while_the_controller_is_away(
    beside: dict[str, Future[list[list[str]]]],
) -> None:
    assert beside["absence"].result() == [[]]


@pytest.mark.timeout(1200)  # as slow as the real ones
def test_no_request_is_lost(beside: dict[str, Future[list[list[str]]]]) -> None:
    assert beside["changes"].result() == 6 * [[]]


def _phase(site: Site) -> str:
    return str(site.status().get("rollout", {}).get("phase"))
