"""How a wave of many apps treats those who are in it, and those who are not.

Three waves: so many apps created at once, a release's new image for all of them, and a namespace
whose Service writes hang. While the last two go on, a user changes one app after the other in
another namespace; how long such a change waits is from the API server's audit log.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import aiohttp
from support.clusters import running_cluster
from support.deadlines import eventually
from support.faults import WRITES, Proxy
from support.kubectl import Shell
from support.operator import install, release

from bench.bystanders import Bystanders, is_ready
from bench.figures import Figure
from bench.users import APPS, states

CREATED = 500
RELEASED = 300
HANGING = 60
HANG_SECONDS = 10


def measure() -> list[Figure]:
    """Measure each wave on one control plane."""
    with running_cluster("waves", control_plane_only=True) as cluster, TemporaryDirectory() as at:
        install(Shell.of(cluster))
        waves = Waves(cluster, Path(at))
        with waves.operator():
            waves.begin()
            waves.create_many()
            waves.release()
        with waves.hanging():
            waves.hang()
    return waves.figures


class Waves(Bystanders):
    """One cluster and what was measured on it."""

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """An operator whose Service writes in one namespace take long."""
        proxy = Proxy(Path(self.cluster.kubeconfig))
        with proxy.running(self.directory / "proxied"), self.operator(proxy.kubeconfig):
            proxy.slow_down(
                lambda asked: (
                    (asked.namespace, asked.kind) == ("hanging", "services")
                    and asked.verb in WRITES
                ),
                seconds=HANG_SECONDS,
            )
            yield

    def create_many(self) -> None:
        """Create many at once, and meanwhile change one that serves."""
        names = [f"app-{number}" for number in range(CREATED)]
        with ThreadPoolExecutor() as threads:
            serving = threads.submit(self.users.run, lambda session: _served(session, set(names)))
            began = time.time()
            self.create("default", names, version="1.0.0")
            self.add(f"create {CREATED}: all asked for, s", [time.time() - began])
            self.change_while(f"create {CREATED}", lambda: not serving.done())
            seconds = [each - began for each in serving.result()]
        self.add(f"create {CREATED}: all Ready, s", [max(seconds)])
        self.add(f"create {CREATED}: median Ready, s", [median(seconds)])
        self.add(
            f"create {CREATED}: median of the whole, %", [100 * median(seconds) / max(seconds)]
        )

    def release(self) -> None:
        """Give a release another image, which many apps run."""
        surplus = [f"app-{number}" for number in range(RELEASED, CREATED)]
        self.shell.kubectl("delete", "wa", "--wait=true", *surplus)
        began = time.time()
        self.shell.apply(release("1.0.0", "yellow", "weather:1.0.0-again"))
        self.change_while(f"release of {RELEASED}", lambda: not self._rolled("again"))
        eventually(lambda: self._rolled("again"), seconds=600)
        self.add(f"release of {RELEASED}: whole, s", [time.time() - began])

    def hang(self) -> None:
        """Create apps whose Services hang."""
        self.shell.kubectl("create", "namespace", "hanging")
        self.create("hanging", [f"slow-{n}" for n in range(HANGING)], version="1.0.0")
        self.change_while(f"{HANGING} hang", lambda: True, everywhere=False)

    def _rolled(self, tag: str) -> bool:
        images = [str(each.get("status", {}).get("image")) for each in self.apps("default")]
        return sum(image.endswith(tag) for image in images) == RELEASED


async def _served(session: aiohttp.ClientSession, missing: set[str]) -> list[float]:
    """Return when each of these became Ready."""
    times = []
    async for body in states(session, APPS):
        if body["metadata"]["name"] in missing and is_ready(body):
            missing.discard(body["metadata"]["name"])
            times.append(time.time())
        if not missing:
            break
    return times
