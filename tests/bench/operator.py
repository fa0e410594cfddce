"""How fast the operator is, how quiet and how large, seen from outside.

Times are from the API server's audit log, memory and CPU from the kernel.
"""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
from support.clusters import running_cluster
from support.deadlines import eventually
from support.kubectl import Shell
from support.manifests import VERSIONS
from support.operator import install
from support.ports import free_port
from weather_cluster.clusters import Cluster

from bench import plain
from bench.audit import Request, requests
from bench.figures import Figure
from bench.users import Users

SIZES = (1, 100, 500, 1000)
UPGRADES = 20
RUNS = 3
IDLE_SECONDS = 30
AGENTS = ("weather-operator", "kopf")


def measure(sizes: Sequence[int] = SIZES) -> list[Figure]:
    """Measure each size on a control plane of its own, whose pods are ready after 0.3 s."""
    return [figure for size in sizes for figure in _measure(size)]


def _measure(size: int) -> list[Figure]:
    with running_cluster(f"bench-{size}", control_plane_only=True) as cluster:
        install(Shell.of(cluster))
        bench = Bench(cluster, size)
        bench.limit()
        with bench.operator() as process:
            bench.settle()
            bench.create(process)
            bench.upgrade_one()
            bench.upgrade_all(process)
            bench.idle(process)
            bench.plugin()
        bench.restart()
        bench.fail_over()
    return [*bench.figures, *plain.measure(size, upgrades=UPGRADES)]


class Bench:
    """One cluster, so many apps, and what was measured of them."""

    def __init__(self, cluster: Cluster, size: int) -> None:
        self._cluster = cluster
        self._size = size
        self._names = [f"app-{number}" for number in range(size)]
        self._users = Users(cluster)
        self._colours = dict.fromkeys(self._names, "yellow")
        self.figures: list[Figure] = []

    @contextmanager
    def operator(self) -> Iterator[psutil.Process]:
        """A process that leads, or stands by where another leads."""
        port = free_port()
        began = psutil.Process(self._start(port).pid)
        try:
            eventually(lambda: _answers(port), seconds=120)
            yield began
        finally:
            if began.is_running():
                began.terminate()
                began.wait(20)

    def limit(self) -> None:
        """What the API server can do at most."""
        self._add(
            "API server: applies of a ConfigMap per second", [self._users.applies_per_second()]
        )

    def settle(self) -> None:
        """Return when the operator has not written for a second."""

        def is_quiet() -> bool:
            offset = self._offset()
            try:
                eventually(lambda: _writes(self._ours(offset)), seconds=1)
            except AssertionError:
                return True
            return False

        eventually(is_quiet, seconds=300)

    def create(self, process: psutil.Process) -> None:
        """Create all at once."""
        self._add("memory empty, resident, MiB", [_resident(process)])
        offset, began = self._offset(), time.time()
        self._users.create(self._names)
        ready = self._users.wait(self._names, VERSIONS["yellow"])
        self._add("create all → all Ready, s", [ready - began])
        self.settle()
        self._count("create", offset, self._size)

    def upgrade_one(self) -> None:
        """Upgrade one app after the other while nothing else goes on."""
        offset, latencies, durations = self._offset(), [], []
        for number in range(UPGRADES):
            name = self._names[number % self._size]
            here = self._offset()
            ready = self._users.wait([name], self._repaint([name]))
            asked = self._asked(name, here)
            latencies.append(1000 * (self._first_write(name, here) - asked))
            durations.append(ready - asked)
            self.settle()
        self._add("upgrade one: user's write → first child write, ms", latencies)
        self._add("upgrade one: → Ready, s", durations)
        self._count("upgrade", offset, UPGRADES)

    def upgrade_all(self, process: psutil.Process) -> None:
        """Upgrade all at once."""
        cpu, began = _cpu(process), time.time()
        ready = self._users.wait(self._names, self._repaint(self._names))
        self._add("upgrade all → all Ready, s", [ready - began])
        self.settle()
        self._add("CPU per 1,000 upgrades, s", [(_cpu(process) - cpu) * 1000 / self._size])

    def idle(self, process: psutil.Process) -> None:
        """Wait, and see what it does."""
        offset, began, cpu = self._offset(), time.time(), _cpu(process)
        eventually(lambda: time.time() - began > IDLE_SECONDS, seconds=2 * IDLE_SECONDS, every=1)
        ours = self._ours(offset)
        self._add(f"idle for {IDLE_SECONDS} s: requests", [len(ours)])
        self._add("idle: writes, but the Lease's", [len(_writes(ours))])
        self._add("idle: CPU, s", [_cpu(process) - cpu])
        self._add("memory idle, resident, MiB", [_resident(process)])
        self._add("memory peak, resident, MiB", [_peak(process)])

    def plugin(self) -> None:
        """Ask with kubectl about one of them, and about all."""
        everything = ("--all-namespaces",)
        for words in (
            ("list", *everything),
            ("tree", self._names[0]),
            ("tree", *everything),
            ("explain", *everything),
        ):
            seconds = []
            for _ in range(RUNS):
                began = time.time()
                Shell.of(self._cluster).kubectl("weather", *words)
                seconds.append(time.time() - began)
            self._add(f"kubectl weather {' '.join(words)}, s", seconds)

    def restart(self) -> None:
        """Change one app while no operator runs, and start one."""
        firsts, needless = [], []
        for number in range(RUNS):
            name = self._names[number * 3 % self._size]
            version = self._repaint([name])
            offset, began = self._offset(), time.time()
            with self.operator():
                self._users.wait([name], version)
                firsts.append(self._first_write(name, offset) - began)
                self.settle()
                needless.append(sum(r.name != name for r in _writes(self._ours(offset), apps=True)))
        self._add("restart after a clean stop: start → first write, s", firsts)
        self._add("restart: needless writes", needless)

    def fail_over(self) -> None:
        """Stop the leader, and kill it, while another stands by."""
        for title, end in (("stopped", "terminate"), ("killed", "kill")):
            name = self._names[-1]
            with self.operator() as leader, self.operator():
                offset, began = self._offset(), time.time()
                getattr(leader, end)()
                self._users.wait([name], self._repaint([name]))
                first = self._first_write(name, offset)
            self._add(f"leader {title}: → first write of the standby, s", [first - began])

    # -- how it is seen ---------------------------------------------------------------------------

    def _add(self, name: str, values: Sequence[float]) -> None:
        self.figures.append(Figure(name=name, values=values, unit="", case=f"N={self._size}"))

    def _count(self, what: str, since: int, number: int) -> None:
        writes = _writes(self._ours(since))
        events = sum(each.resource == "events" for each in writes)
        status = sum(each.subresource == "status" for each in writes)
        self._add(f"writes per {what}, without events", [(len(writes) - events) / number])
        self._add(f"  of them of the status, {what}", [status / number])
        self._add(f"events per {what}", [events / number])

    def _repaint(self, names: list[str]) -> str:
        """Ask for a colour that none of these has; return its version."""
        worn = {self._colours[name] for name in names}
        colour = next(each for each in VERSIONS if each not in worn)
        self._colours.update(dict.fromkeys(names, colour))
        self._users.paint(names, colour)
        return VERSIONS[colour]

    def _asked(self, name: str, since: int) -> float:
        """When the user's first write of an app came."""
        log = requests(self._cluster.audit_log, since=since)
        return next(r.at for r in log if r.name == name and r.agent == "user" and r.writes)

    def _first_write(self, name: str, since: int) -> float:
        """When our first write of a child of an app came."""
        log = requests(self._cluster.audit_log, since=since)
        mine = (r for r in log if r.name == name and r.agent in AGENTS and r.writes)
        return next(r.at for r in mine if r.resource == "deployments")

    def _ours(self, since: int) -> list[Request]:
        log = requests(self._cluster.audit_log, since=since)
        return [each for each in log if each.agent.startswith(AGENTS)]

    def _offset(self) -> int:
        return self._cluster.audit_log.stat().st_size

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "KUBECONFIG": str(self._cluster.kubeconfig),
            "HTTP_PORT": str(port),
            "LOG_LEVEL": "WARNING",
        }
        # Bytecode is kept, as the image does.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        return subprocess.Popen([sys.executable, "-m", "weather_operator"], env=environment)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return True
    except OSError:
        return False


def _writes(log: list[Request], *, apps: bool = False) -> list[Request]:
    kinds = ("leases", "events") if apps else ("leases",)
    return [each for each in log if each.writes and each.resource not in kinds]


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _resident(process: psutil.Process) -> float:
    return float(process.memory_info().rss / 2**20)


def _peak(process: psutil.Process) -> float:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
