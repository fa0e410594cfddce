"""What canaries of two steps ask of the API server, one by itself and many at once."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from support.clusters import running_cluster
from support.deadlines import eventually
from support.fleet import Fleet
from support.kubectl import Shell
from support.operator import Operator, install

from bench.audit import Request, requests
from bench.figures import Figure

SIZES = (1, 500)
STEPS = [{"weight": weight, "durationSeconds": 5} for weight in (20, 50)]
AGENTS = ("weather-operator", "kopf")


def measure() -> list[Figure]:
    """Try green beside yellow in as many apps at once, on simulated nodes, without a router."""
    return [figure for size in SIZES for figure in _measure(size)]


def _measure(size: int) -> list[Figure]:
    names = [f"app-{number}" for number in range(size)]
    with running_cluster(f"canaries-{size}", control_plane_only=True) as cluster:
        shell = Shell.of(cluster)
        install(shell)
        with tempfile.NamedTemporaryFile() as log:
            operator = Operator(kubeconfig=cluster.kubeconfig, log=Path(log.name))
            operator.ensure_leading()
            try:
                fleet = Fleet(shell=shell, namespace="default")
                _apply(fleet, names, "yellow")
                assert operator.process
                process = psutil.Process(operator.process.pid)
                before, since = process.cpu_times(), cluster.audit_log.stat().st_size
                _apply(fleet, names, "green")
                eventually(lambda: not _canaries(shell), seconds=60)
                after = process.cpu_times()
            finally:
                operator.stop()
        ours = [
            each
            for each in requests(cluster.audit_log, since=since)
            if each.agent.startswith(AGENTS) and each.resource != "leases"
        ]
    seconds = after.user + after.system - before.user - before.system
    return [
        Figure(name="requests per canary", values=[len(ours) / size], unit="", case=f"N={size}"),
        *_by_kind(ours, size),
        Figure(name="CPU per canary, s", values=[seconds / size], unit="", case=f"N={size}"),
    ]


def _by_kind(ours: list[Request], size: int) -> list[Figure]:
    """The writes, most first."""
    writes = [each for each in ours if each.writes]
    kinds = Counter(_kind(each) for each in writes)
    named = [("writes per canary", len(writes)), *kinds.most_common()]
    return [
        Figure(name=name, values=[number / size], unit="", case=f"N={size}")
        for name, number in named
    ]


def _kind(request: Request) -> str:
    part = f"/{request.subresource}" if request.subresource else ""
    return f"… {request.verb} {request.resource}{part}"


def _apply(fleet: Fleet, names: list[str], colour: str) -> None:
    strategy: dict[str, Any] = {"type": "Canary", "canary": {"steps": STEPS}}
    spec = {"colour": colour, "rollout": {"strategy": strategy}}
    wishes = dict.fromkeys(names, spec)
    fleet.apply(wishes)
    fleet.wait_until("Serving", wishes, seconds=480)


def _canaries(shell: Shell) -> list[str]:
    found = shell.get("deployments")["items"]
    return [name for each in found if (name := each["metadata"]["name"]).endswith("-canary")]
