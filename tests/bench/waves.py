"""How a wave of many apps treats those who are in it, and those who are not.

Three waves: so many apps created at once, a release's new image for all of them, and a namespace
whose Service writes hang. While the last two go on, a user changes one app after the other in
another namespace; how long such a change waits is from the API server's audit log.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
from support.clusters import running_cluster
from support.deadlines import eventually
from support.faults import WRITES, Proxy
from support.kubectl import Shell
from support.operator import AGENT, Operator, install, release, weather_app
from weather_cluster.clusters import Cluster

from bench.audit import Request, requests
from bench.figures import Figure
from bench.users import APPS, Users, states

CREATED = 500
RELEASED = 300
HANGING = 60
HANG_SECONDS = 10
CHANGES = 12

_JSON = "application/json"
_MERGE = "application/merge-patch+json"
_OTHER = APPS.replace("/default/", "/other/")


def measure() -> list[Figure]:
    """Measure each wave on one control plane."""
    with running_cluster("waves", control_plane_only=True) as cluster, TemporaryDirectory() as at:
        shell = Shell.of(cluster)
        install(shell)
        shell.kubectl("create", "namespace", "other")
        waves = Waves(cluster, shell, Path(at))
        with waves.operator():
            waves.begin()
            waves.create()
            waves.release()
        with waves.hanging():
            waves.hang()
    return waves.figures


class Waves:
    """One cluster and what was measured on it."""

    def __init__(self, cluster: Cluster, shell: Shell, directory: Path) -> None:
        self._cluster, self._shell, self._directory = cluster, shell, directory
        self._users = Users(cluster)
        self._changes = 0
        self.figures: list[Figure] = []

    @contextmanager
    def operator(self, kubeconfig: Path | None = None) -> Iterator[None]:
        """An operator that leads."""
        log = self._directory / "log"
        log.touch()
        operator = Operator(
            kubeconfig=kubeconfig or Path(self._cluster.kubeconfig),
            log=log,
            environment={"LOG_LEVEL": "WARNING"},
        )
        operator.ensure_leading()
        try:
            yield
        finally:
            operator.stop()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """An operator whose Service writes in one namespace take long."""
        proxy = Proxy(Path(self._cluster.kubeconfig))
        with proxy.running(self._directory / "proxied"), self.operator(proxy.kubeconfig):
            proxy.slow_down(
                lambda asked: (
                    (asked.namespace, asked.kind) == ("hanging", "services")
                    and asked.verb in WRITES
                ),
                seconds=HANG_SECONDS,
            )
            yield

    def begin(self) -> None:
        """Create the users' own apps, one of them beside the wave, and see how quick all is."""
        self._ask("POST", _OTHER, [weather_app("own", "other", version="2.0.0")])
        self._ask("POST", APPS, [weather_app("own", "default", version="2.0.0")])
        eventually(lambda: self._serve("other", 1) and self._serve("default", 1))
        self._change_while("no wave", lambda: True)

    def create(self) -> None:
        """Create many at once, and meanwhile change one that serves."""
        names = [f"app-{number}" for number in range(CREATED)]
        with ThreadPoolExecutor() as threads:
            serving = threads.submit(self._users.run, lambda session: _served(session, set(names)))
            began = time.time()
            self._ask(
                "POST", APPS, [weather_app(each, "default", version="1.0.0") for each in names]
            )
            self._add(f"create {CREATED}: all asked for, s", [time.time() - began])
            self._change_while(f"create {CREATED}", lambda: not serving.done())
            seconds = [each - began for each in serving.result()]
        self._add(f"create {CREATED}: all Ready, s", [max(seconds)])
        self._add(f"create {CREATED}: median Ready, s", [median(seconds)])
        self._add(
            f"create {CREATED}: median of the whole, %", [100 * median(seconds) / max(seconds)]
        )

    def release(self) -> None:
        """Give a release another image, which many apps run."""
        surplus = [f"app-{number}" for number in range(RELEASED, CREATED)]
        self._shell.kubectl("delete", "wa", "--wait=true", *surplus)
        began = time.time()
        self._shell.apply(release("1.0.0", "yellow", "weather:1.0.0-again"))
        self._change_while(f"release of {RELEASED}", lambda: not self._rolled("again"))
        eventually(lambda: self._rolled("again"), seconds=600)
        self._add(f"release of {RELEASED}: whole, s", [time.time() - began])

    def hang(self) -> None:
        """Create apps whose Services hang."""
        self._shell.kubectl("create", "namespace", "hanging")
        apps = [weather_app(f"slow-{n}", "hanging", version="1.0.0") for n in range(HANGING)]
        self._ask("POST", APPS.replace("/default/", "/hanging/"), apps)
        self._change_while(f"{HANGING} hang", lambda: True, everywhere=False)

    def _change_while(
        self, case: str, goes_on: Callable[[], bool], *, everywhere: bool = True
    ) -> None:
        """Change the users' apps one after the other, until the wave ends or they are enough."""
        namespaces = ("other", "default") if everywhere else ("other",)
        latencies: dict[str, list[float]] = {namespace: [] for namespace in namespaces}
        for _ in range(CHANGES):
            for namespace, taken in latencies.items():
                if goes_on():
                    taken.append(self._change(namespace))
        for namespace, taken in latencies.items():
            self._add(f"{case}: a user's change in {namespace} → child written, ms", taken)

    def _change(self, namespace: str) -> float:
        """Change one app; return in how many milliseconds its first child was written."""
        self._changes += 1
        offset = self._cluster.audit_log.stat().st_size
        path = APPS.replace("/default/", f"/{namespace}/") + "/own"
        wish = {"spec": {"city": f"City {self._changes}"}}
        self._users.ask([("PATCH", path, _MERGE, wish)])
        return eventually(lambda: self._latency(namespace, offset), seconds=300, every=0.05)

    def _latency(self, namespace: str, offset: int) -> float:
        own = [
            each
            for each in requests(self._cluster.audit_log, since=offset)
            if (each.namespace, each.name) == (namespace, "own") and each.writes
        ]
        asked = next((each.at for each in own if each.agent == "user"), 0.0)
        made = next((each.at for each in own if _makes_pods(each) and each.at > asked), 0.0)
        return 1000 * (made - asked) if asked and made else 0.0

    def _serve(self, namespace: str, number: int) -> bool:
        found = self._shell.get("-n", namespace, "weatherapps")["items"]
        return len([each for each in found if _is_ready(each)]) >= number

    def _rolled(self, tag: str) -> bool:
        found = self._shell.get("-n", "default", "weatherapps")["items"]
        rolled = [each for each in found if each.get("status", {}).get("image", "").endswith(tag)]
        return len(rolled) == RELEASED

    def _ask(self, method: str, path: str, bodies: Sequence[dict[str, Any]]) -> None:
        self._users.ask([(method, path, _JSON, body) for body in bodies])

    def _add(self, name: str, values: Sequence[float]) -> None:
        self.figures.append(Figure(name=name, values=values, unit=""))
        print(self.figures[-1].name, self.figures[-1].shown, flush=True)


async def _served(session: aiohttp.ClientSession, missing: set[str]) -> list[float]:
    """Return when each of these became Ready."""
    times = []
    async for body in states(session, APPS):
        if body["metadata"]["name"] in missing and _is_ready(body):
            missing.discard(body["metadata"]["name"])
            times.append(time.time())
        if not missing:
            break
    return times


def _makes_pods(request: Request) -> bool:
    return request.agent == AGENT and request.resource == "deployments"


def _is_ready(body: dict[str, Any]) -> bool:
    conditions = body.get("status", {}).get("conditions", ())
    return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)
