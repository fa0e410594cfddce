"""Users who change their own apps while a wave of others' goes on, and how long they wait."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from campaign.stage import Operators
from support.deadlines import eventually
from support.kubectl import Shell
from support.operator import AGENT, Operator, weather_app
from weather_cluster.clusters import Cluster

from bench.audit import Request, requests
from bench.figures import Figure
from bench.users import APPS, JSON, MERGE, Users

CHANGES = 12


class Bystanders:
    """One app in the wave's namespace and one in another. What is measured is in `figures`."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster, self.shell, self.directory = cluster, Shell.of(cluster), directory
        self.users = Users(cluster)
        self._changes = 0
        self.figures: list[Figure] = []

    @contextmanager
    def operator(self, kubeconfig: Path | None = None, **environment: str) -> Iterator[Operator]:
        """An operator that leads, and is started again if it ends, as a kubelet would.

        That it ends is no accident: on a machine that has too much to do it loses its Lease.
        """
        operators = Operators(
            kubeconfig or Path(self.cluster.kubeconfig),
            self.directory,
            {"LOG_LEVEL": "WARNING", **environment},
        )
        with operators.running():
            yield operators.first
        log = operators.logs[0].read_text()
        self.add("ends of the operator", [log.count("stopped: ")])

    def begin(self) -> None:
        """Create the users' own apps, one of them beside the wave, and see how quick all is."""
        self.shell.kubectl("create", "namespace", "other")
        for namespace in ("other", "default"):
            self.create(namespace, ["own"], version="2.0.0")
        eventually(lambda: all(self.ready(each) for each in ("other", "default")))
        self.change_while("no wave", lambda: True)

    def create(self, namespace: str, names: list[str], **spec: Any) -> None:
        """Create apps, many at once."""
        path = APPS.replace("/default/", f"/{namespace}/")
        self.users.ask([("POST", path, JSON, weather_app(e, namespace, **spec)) for e in names])

    def ready(self, namespace: str) -> list[dict[str, Any]]:
        """Return the apps that are Ready."""
        return [each for each in self.apps(namespace) if is_ready(each)]

    def apps(self, namespace: str) -> list[dict[str, Any]]:
        """Return the apps of a namespace."""
        found: list[dict[str, Any]] = self.shell.get("-n", namespace, "weatherapps")["items"]
        return found

    def change_while(
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
            self.add(f"{case}: a user's change in {namespace} → child written, ms", taken)

    def add(self, name: str, values: list[float]) -> None:
        """Note what was measured, and print it: the whole takes minutes."""
        if values:
            self.figures.append(Figure(name=name, values=values, unit=""))
            print(self.figures[-1].name, self.figures[-1].shown, flush=True)

    def _change(self, namespace: str) -> float:
        """Change one app; return in how many milliseconds its first child was written."""
        self._changes += 1
        offset = self.cluster.audit_log.stat().st_size
        path = APPS.replace("/default/", f"/{namespace}/") + "/own"
        wish = {"spec": {"city": f"City {self._changes}"}}
        self.users.ask([("PATCH", path, MERGE, wish)])
        return eventually(lambda: self._latency(namespace, offset), seconds=300, every=0.05)

    def _latency(self, namespace: str, offset: int) -> float:
        own = [
            each
            for each in requests(self.cluster.audit_log, since=offset)
            if (each.namespace, each.name) == (namespace, "own") and each.writes
        ]
        asked = next((each.at for each in own if each.agent == "user"), 0.0)
        made = next((each.at for each in own if _makes_pods(each) and each.at > asked), 0.0)
        return 1000 * (made - asked) if asked and made else 0.0


def is_ready(body: dict[str, Any]) -> bool:
    """Tell whether an app is Ready."""
    conditions = body.get("status", {}).get("conditions", ())
    return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)


def _makes_pods(request: Request) -> bool:
    return request.agent == AGENT and request.resource == "deployments"
