"""The same site by hand: a Deployment, a Service and a disruption budget, and no operator."""

import json
import time
from collections.abc import Sequence

import aiohttp
from support.clusters import running_cluster
from weather_cluster.clusters import Cluster

from bench.audit import requests
from bench.figures import Figure
from bench.users import Users, states

_ROOT = "/apis/apps/v1/namespaces/default/deployments"
_SERVICES = "/api/v1/namespaces/default/services"
_BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
_JSON = "application/json"
_MERGE = "application/strategic-merge-patch+json"


def measure(size: int, *, upgrades: int) -> list[Figure]:
    """Measure so many plain Deployments on a control plane of their own."""
    with running_cluster(f"plain-{size}", control_plane_only=True) as cluster:
        users, names = Users(cluster), [f"app-{number}" for number in range(size)]
        figures = {
            "create all → all Ready, s": [_create(users, names)],
            "upgrade one: user's write → first child write, ms": [
                _upgrade_one(cluster, users, names[number % size], f"weather:1.{number}")
                for number in range(upgrades)
            ],
            "upgrade all → all Ready, s": [_upgrade_all(users, names, "weather:2")],
        }
    return [
        Figure(name=f"plain: {name}", values=values, unit="", case=f"N={size}")
        for name, values in figures.items()
    ]


def _create(users: Users, names: Sequence[str]) -> float:
    began = time.time()
    users.ask([each for name in names for each in _manifests(name)])
    users.run(lambda session: _available(session, set(names), "weather:1"))
    return time.time() - began


def _upgrade_one(cluster: Cluster, users: Users, name: str, image: str) -> float:
    offset = cluster.audit_log.stat().st_size
    _upgrade_all(users, [name], image)
    log = list(requests(cluster.audit_log, since=offset))
    asked = next(r.at for r in log if r.name == name and r.agent == "user" and r.writes)
    made = (r.at for r in log if r.agent.startswith("kube-controller-manager") and r.writes)
    return 1000 * (next(at for at in made if at > asked) - asked)


def _upgrade_all(users: Users, names: Sequence[str], image: str) -> float:
    began = time.time()
    wish = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}}
    users.ask([("PATCH", f"{_ROOT}/{name}", _MERGE, wish) for name in names])
    users.run(lambda session: _available(session, set(names), image))
    return time.time() - began


def _manifests(name: str) -> list[tuple[str, str, str, dict[str, object]]]:
    labels, metadata = {"app": name}, {"name": name}
    container = {"name": "web", "image": "weather:1", "ports": [{"containerPort": 8080}]}
    deployment = {
        "metadata": metadata,
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    service = {
        "metadata": metadata,
        "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    budget = {
        "metadata": metadata,
        "spec": {"selector": {"matchLabels": labels}, "maxUnavailable": 1},
    }
    return [
        ("POST", _ROOT, _JSON, deployment),
        ("POST", _SERVICES, _JSON, service),
        ("POST", _BUDGETS, _JSON, budget),
    ]


async def _available(session: aiohttp.ClientSession, missing: set[str], image: str) -> None:
    """Return when each of these is complete."""
    async for body in states(session, _ROOT):
        if _is_complete(body, image):
            missing.discard(body["metadata"]["name"])
        if not missing:
            return


def _is_complete(body: dict[str, dict[str, object]], image: str) -> bool:
    status = body.get("status", {})
    template = json.dumps(body["spec"]["template"])
    seen = status.get("observedGeneration") == body["metadata"]["generation"]
    numbers = {status.get(f"{each}eplicas") for each in ("r", "updatedR", "availableR")}
    return seen and numbers == {2} and f'"{image}"' in template
