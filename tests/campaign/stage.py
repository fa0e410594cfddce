"""Where plans are played: one cluster, the operator's processes, and a proxy between them."""

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from support import components
from support.clusters import running_cluster
from support.deadlines import eventually
from support.faults import Proxy
from support.kubectl import Shell
from support.operator import Operator, wait_until_served
from weather_cluster.clusters import Cluster

from campaign.api import Api


@dataclass(slots=True)
class Stage:
    """All that plans share. Several may be played at once, each in namespaces of its own."""

    cluster: Cluster
    proxy: Proxy
    api: Api
    operators: "Operators"
    lease: str
    numbers: Iterator[int]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_run(self) -> int:
        """Return a number that no other run of a plan has."""
        with self.lock:
            return next(self.numbers)

    def restart(self, component: str) -> None:
        """Kill a component of the cluster and start it as it was."""
        with self.lock:
            components.restart(self.cluster, component)


class Operators:
    """One operator that is started again whenever it ends, as a kubelet would, and at times two."""

    def __init__(self, kubeconfig: Path, directory: Path, environment: dict[str, str]) -> None:
        self._kubeconfig, self._directory = kubeconfig, directory
        self._environment = environment
        self.logs = (directory / "first.log", directory / "second.log")
        for log in self.logs:
            log.touch()
        self._first = self._make("first")
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    @contextmanager
    def running(self) -> Iterator["Operators"]:
        """Keep the operator running while the context lasts."""
        self._first.start()
        eventually(lambda: self._first.metric("weather_operator_leader"), seconds=180)
        self._keeper.start()
        try:
            yield self
        finally:
            self._ended.set()
            self._keeper.join(30)
            self._end(self._first)

    @property
    def first(self) -> Operator:
        """The one that is started again whenever it ends."""
        return self._first

    def kill(self) -> None:
        """Kill it without a warning."""
        self._signal(signal.SIGKILL)

    def stop(self, seconds: float) -> None:
        """Let it stand still for so long, and go on."""
        self._signal(signal.SIGSTOP)
        time.sleep(seconds)  # for which time it stands still is what is tried
        self._signal(signal.SIGCONT)

    def double(self) -> None:
        """Start a second one, kill the first, and end the second once it was ready."""
        second = self._make("second")
        second.start()
        try:
            with suppress(AssertionError):
                eventually(lambda: second.get("/readyz")[0] == 200, seconds=20)
            self.kill()
        finally:
            self._end(second)

    def _make(self, name: str) -> Operator:
        return Operator(
            kubeconfig=self._kubeconfig,
            log=self._directory / f"{name}.log",
            environment={"POD_NAME": name, **self._environment},
        )

    def _signal(self, number: signal.Signals) -> None:
        with self._lock:
            process = self._first.process
            if process and process.poll() is None:
                process.send_signal(number)

    def _keep(self) -> None:
        while not self._ended.wait(0.2):
            with self._lock:
                process = self._first.process
                if process is None or process.poll() is not None:
                    self._first.start()

    @staticmethod
    def _end(operator: Operator) -> None:
        if operator.process is None:
            return
        operator.process.send_signal(signal.SIGCONT)
        with suppress(Exception):
            operator.stop()
        if operator.process is not None:
            operator.kill()


@contextmanager
def stage(
    cluster: Cluster,
    directory: Path,
    environment: Mapping[str, str],
    *,
    runs: range | None = None,
) -> Iterator[Stage]:
    """Set up a stage on a cluster that has the kinds: a proxy, an operator with this environment.

    With the numbers of its `runs` several stages can share a cluster: each operator sees its own.
    """
    lease = "campaign"
    if runs:
        lease = f"campaign-{runs.start}"
        watched = ",".join(name for number in runs for name in namespaces_of(number))
        environment = {**environment, "WATCH_NAMESPACES": watched}
    with ExitStack() as stack:
        proxy = stack.enter_context(Proxy(cluster.kubeconfig).running(directory / "kubeconfig"))
        operators = Operators(proxy.kubeconfig, directory, {"LEASE_NAME": lease, **environment})
        stack.enter_context(operators.running())
        yield Stage(
            cluster=cluster,
            proxy=proxy,
            api=Api(cluster.kubeconfig),
            operators=operators,
            lease=lease,
            numbers=iter(runs) if runs else count(1),
        )


def namespaces_of(run: int) -> tuple[str, str]:
    """Return where the apps of a run are, and where the same are made anew at its end."""
    return f"plan-{run}", f"plan-{run}-clean"


@contextmanager
def own_cluster() -> Iterator[Cluster]:
    """A control plane of the campaign's own, which it may harm, with the kinds."""
    with running_cluster("campaign", control_plane_only=True) as cluster:
        shell = Shell.of(cluster)
        shell.kubectl("apply", "-f", "crds/")
        wait_until_served(shell, "crds/")
        yield cluster
