"""Many users of one cluster at once: they write WeatherApps and watch until those serve."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, TypeVar

import aiohttp
from support import kubeconfig
from weather_cluster.clusters import Cluster

APPS = "/apis/weather.quantspark.io/v1/namespaces/default/weatherapps"
AT_ONCE = 32

_APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON = "application/json"
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"

T = TypeVar("T")


class Users:
    """Users of a cluster. Times are in seconds since the epoch, as in the audit log."""

    def __init__(self, cluster: Cluster) -> None:
        self._config = kubeconfig.read(cluster.kubeconfig)

    def ask(self, requests: list[tuple[str, str, str, dict[str, Any]]]) -> None:
        """Send these, each a method, a path, a content type and a body, some at once."""
        self.run(lambda session: _all(session, requests))

    def create(self, names: Iterable[str]) -> None:
        """Create yellow WeatherApps of two replicas."""
        self.ask([("POST", APPS, JSON, _app(name)) for name in names])

    def paint(self, names: Iterable[str], colour: str) -> None:
        """Ask for another version of each of these."""
        wish = {"spec": {"colour": colour}}
        self.ask([("PATCH", f"{APPS}/{name}", MERGE, wish) for name in names])

    def wait(self, names: Iterable[str], version: str) -> float:
        """Return the time at which the last of these served the version."""
        return self.run(lambda s: _serving(s, set(names), version))

    def applies_per_second(self, number: int = 2000) -> float:
        """How many small server-side applies the API server does when nothing else goes on."""
        root = "/api/v1/namespaces/default/configmaps"
        applies = [
            ("PATCH", f"{root}/load-{n % 200}?fieldManager=load", _APPLY, _config_map(n))
            for n in range(number)
        ]
        began = time.time()
        self.ask(applies)
        return number / (time.time() - began)

    def run(self, act: Callable[[aiohttp.ClientSession], Coroutine[Any, Any, T]]) -> T:
        """Do something with connections of their own."""

        async def within() -> T:
            connector = aiohttp.TCPConnector(ssl=kubeconfig.tls_of(self._config), limit=AT_ONCE)
            url = kubeconfig.server_of(self._config)
            async with aiohttp.ClientSession(url, connector=connector) as session:
                return await act(session)

        return asyncio.run(within())


async def _all(
    session: aiohttp.ClientSession, requests: list[tuple[str, str, str, dict[str, Any]]]
) -> None:
    async def ask(method: str, path: str, content_type: str, body: dict[str, Any]) -> None:
        headers = {"Content-Type": content_type, "User-Agent": "user"}
        asking = session.request(method, path, data=json.dumps(body), headers=headers)
        async with asking as answer:
            answer.raise_for_status()

    async with asyncio.TaskGroup() as group:
        for request in requests:
            group.create_task(ask(*request))


async def states(
    session: aiohttp.ClientSession, path: str, *, accept: str = JSON
) -> AsyncIterator[dict[str, Any]]:
    """Watch a collection and yield what each event shows. A watch that ends starts again."""
    query = {"watch": "true", "timeoutSeconds": "3000"}
    timeout = aiohttp.ClientTimeout(total=None)
    while True:
        asking = session.get(path, params=query, headers={"Accept": accept}, timeout=timeout)
        async with asking as answer:
            async for line in answer.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    break
                yield event["object"]


async def _serving(session: aiohttp.ClientSession, missing: set[str], version: str) -> float:
    """Watch the table that kubectl prints: its rows are small."""
    columns: list[str] = []
    async for table in states(session, APPS, accept=_TABLE):
        columns = [each["name"] for each in table["columnDefinitions"] or ()] or columns
        for row in table["rows"]:
            cells = dict(zip(columns, row["cells"], strict=True))
            if (cells["Status"], cells["Version"]) == ("Serving", version):
                missing.discard(cells["Name"])
        if not missing:
            return time.time()
    raise AssertionError("unreachable: the watch starts again for ever")


def _app(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "weather.quantspark.io/v1",
        "kind": "WeatherApp",
        "metadata": {"name": name, "namespace": "default"},
        # What serves is there as soon as it is ready, as with a plain Deployment.
        "spec": {"city": "London", "colour": "yellow", "rollout": {"minReadySeconds": 0}},
    }


def _config_map(number: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"load-{number % 200}"},
        "data": {"number": str(number), "filling": "x" * 1000},
    }
