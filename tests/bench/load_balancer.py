"""How many requests are lost behind load balancers with the manners of AWS: the whole matrix.

Readiness gates or none, the first health check early or late, the data plane on time or behind;
and in each of these an upgrade, a downgrade, a scale-in, and evictions of all pods as a drain does
them: at rest, in mid-rollout, in a canary. A site for each, at the same time. Then the same behind
Network Load Balancers, which are far slower.
"""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from support.behind_load_balancer import (
    ACTIONS,
    REQUESTS_PER_SECOND,
    Surroundings,
    apply,
    apply_networked,
    begin,
    inject_gates,
    surroundings,
)
from support.clusters import running_cluster
from support.deadlines import eventually
from support.kubectl import Shell
from support.operator import Site
from weather_cluster.clusters import Cluster
from weather_cluster.demo import Client

from bench.figures import Figure

FIRST_CHECKS, LAGS = (2, 15), (2, 10)
NLB_FIRST_CHECK, NLB_LAG = 105, 75
"""So that 200 seconds go by until visitors come to a new target: the lag, and three checks too."""


def measure() -> list[Figure]:
    """Count what visitors lose in each cell, one request after the other."""
    with running_cluster("load-balancer") as cluster, TemporaryDirectory() as at:
        shell = Shell.of(cluster)
        for target in ("images", "push", "install"):
            made = shell.run("make", target, f"REGISTRY={cluster.registry}")
            assert made.returncode == 0, made.stdout + made.stderr
        with inject_gates(shell):
            cells = [*itertools.product((False, True), FIRST_CHECKS, LAGS, (False,))]
            cells += [(False, NLB_FIRST_CHECK, NLB_LAG, True)]
            return [
                figure
                for number, cell in enumerate(cells)
                for figure in _cell(shell, cluster, Path(at), 20 * number + 11, *cell)
            ]


def _cell(
    shell: Shell,
    cluster: Cluster,
    directory: Path,
    first_number: int,
    has_gates: bool,
    first_check: int,
    lag: int,
    is_networked: bool,
) -> Iterator[Figure]:
    with ExitStack() as stack:
        around = stack.enter_context(
            surroundings(
                shell,
                cluster,
                directory,
                has_gates=has_gates,
                first_number=first_number,
                first_check=first_check,
                lag=lag,
            )
        )
        sites = {name: around.site(name) for name in ACTIONS}
        begin(list(sites.values()), apply=apply_networked if is_networked else apply)
        clients: dict[str, Client] = {
            name: _client(around, site, is_networked) for name, site in sites.items()
        }
        for client in clients.values():
            stack.enter_context(client)
        eventually(lambda: all(client.served.total() > 20 for client in clients.values()))
        before = {name: (client.sent, len(client.failures)) for name, client in clients.items()}
        with ThreadPoolExecutor(len(sites)) as workers:
            for each in [workers.submit(ACTIONS[name], site) for name, site in sites.items()]:
                each.result()
        until = {
            name: client.sent + REQUESTS_PER_SECOND * (lag + 5) for name, client in clients.items()
        }
        eventually(lambda: all(clients[name].sent > until[name] for name in clients), seconds=120)
    gates = "gates" if has_gates else "no gates"
    kind = "NLB, " if is_networked else ""
    for name, client in clients.items():
        sent, failed = before[name]
        yield Figure(
            name=f"{kind}{gates}, first check {first_check} s, lag {lag} s: {name}",
            values=[client.sent - sent],
            unit="",
            case="requests",
        )
        yield Figure(
            name=f"{kind}{gates}, first check {first_check} s, lag {lag} s: {name}",
            values=[len(client.failures) - failed],
            unit="",
            case="failed",
        )


def _client(around: Surroundings, site: Site, is_networked: bool) -> Client:
    if not is_networked:
        return around.client(site)
    url = f"http://{around.address(site, 'service')}/"
    return Client(url, requests_per_second=REQUESTS_PER_SECOND)
