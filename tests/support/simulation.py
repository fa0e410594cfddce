"""The operator's passes for one WeatherApp on an API server in memory.

Beside them plays the Deployment controller, at once and without pods: a Deployment's pods are
available with its next turn, unless their image is broken. Time passes between the passes, as much
as each of them asks for.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from support.fake_api_server import FakeApiServer, Request
from support.manifests import app_body
from weather_operator.controller.analyst import Analyst
from weather_operator.controller.event_handlers import EventHandlers, new_cache
from weather_operator.controller.fleet import Fleet
from weather_operator.controller.reconciler import Outcome, Reconciler
from weather_operator.controller.status_writer import StatusWriter
from weather_operator.controller.workqueue import Priority, WorkQueue
from weather_operator.kube.cache import Cache
from weather_operator.kube.events import Recorder
from weather_operator.kube.informers import Informers
from weather_operator.kube.resources import (
    AUTOSCALER,
    DEPLOYMENT,
    EVENT,
    HTTP_ROUTE,
    INGRESS,
    POD,
    REPLICA_SET,
    Key,
    Kind,
    Manifest,
)
from weather_operator.metrics import Metrics
from weather_operator.model import (
    FIELD_MANAGER,
    REPLICAS_MANAGER,
    WATCHED,
    WEATHER_APP,
    WEATHER_RELEASE,
)
from weather_operator.status.conditions import condition

LONDON = Key(namespace="default", name="london")
CANARY = Key(namespace="default", name="london-canary")
BROKEN = "broken"
"""An image with this in its name never becomes available."""

CATALOGUE = {"yellow": "weather:1.0.0", "green": "weather:2.0.0", "red": f"weather:{BROKEN}"}
_BEGINNING = datetime(2026, 1, 1, 10, tzinfo=UTC)
_PASSES = 60

AUTOSCALED = {
    "autoscaling": {
        "minReplicas": 3,
        "maxReplicas": 6,
        "targetCPUUtilizationPercentage": 70,
        "scaleDownStabilizationSeconds": 300,
    }
}
ROUTED = {"ingress": {"className": "nginx", "host": "london.example", "path": "/"}}
"""What specs of an app may have beside its version."""


class KilledError(BaseException):
    """The operator's process ends here."""


class Simulation:
    """London with its operator. `priority` is why its passes come."""

    def __init__(self) -> None:
        self.server = FakeApiServer()
        self.priority = Priority.RESYNC
        self.seconds = 0.0
        self.gateway_is_away = False
        self.other_parents: list[Manifest] = []
        """What others beside the gateway say of a route."""
        self.turns_of_rollout = 0
        """How many turns a rollout of stable pods takes before its last one."""
        self.fleet: Callable[[Cache], Fleet | None] = lambda _: None
        """Makes a new process' fleet, which tells who waits for whom."""
        self._turns: tuple[Manifest, int] = ({}, 0)
        self.analyst: Callable[[Cache], Analyst | None] = lambda _: None
        """Makes a new process' analyst, who sees what its cache does."""
        self.server.before = self._check
        self.restart()

    @classmethod
    async def of(cls, **spec: Any) -> "Simulation":
        """A simulation with the catalogue and an app, of which the operator has yet to hear."""
        simulation = cls()
        for number, (colour, image) in enumerate(CATALOGUE.items(), start=1):
            release = {"version": f"{number}.0.0", "colour": colour, "image": image}
            metadata = {"name": f"{number}.0.0"}
            await simulation.server.create(WEATHER_RELEASE, {"metadata": metadata, "spec": release})
        manifest = {"metadata": {"name": "london", "namespace": "default"}, **_spec(spec)}
        await simulation.server.create(WEATHER_APP, manifest)
        simulation.server.writes.clear()
        return simulation

    def restart(self) -> None:
        """Begin a new process: of the former one nothing is left."""
        self.cache, self.metrics = new_cache(), Metrics()
        recorder = Recorder(self.server, component=FIELD_MANAGER, now=self.now)
        writer = StatusWriter(self.server, self.cache, recorder, self.metrics)
        self.reconciler = Reconciler(
            self.server,
            self.cache,
            writer,
            fleet=self.fleet(self.cache),
            analyst=self.analyst(self.cache),
            now=self.now,
            clock=lambda: self.seconds,
        )
        handlers = EventHandlers(self.cache, WorkQueue(), self.metrics, rolling_out=lambda: 0)
        self._informers = Informers(
            self.server,
            self.cache,
            handlers,
            kinds=WATCHED,
            label_selectors={},
            resync_seconds=600,
        )

    def now(self) -> str:
        """The time in RFC 3339."""
        return f"{_BEGINNING + timedelta(seconds=int(self.seconds)):%Y-%m-%dT%H:%M:%SZ}"

    def change(self, **spec: Any) -> None:
        """Apply the app with another spec, as its user does."""
        self.server.edit(WEATHER_APP, LONDON, **_spec(spec))

    async def sync(self) -> None:
        """Let the cache be as the API server is."""
        await self._informers.list_all()

    async def reconcile(self) -> Outcome:
        """Do one pass with a cache that is up to date."""
        await self.sync()
        outcome = await self.reconciler.reconcile(LONDON, self.priority)
        self._check_status()
        return outcome

    async def converge(self) -> int:
        """Do passes, and the cluster's part, until nothing follows; return how many writes."""
        before = len(self.server.writes)
        for _ in range(_PASSES):
            known = len(self.server.writes)
            outcome = await self.reconcile()
            turned = self.turn()
            is_silent = outcome == Outcome() or self._waits_for_an_address(outcome)
            if is_silent and not turned and len(self.server.writes) == known:
                return known - before
            self.wait(outcome)
        raise AssertionError(f"no end after {_PASSES} passes, the last writes: {self.log()[-5:]}")

    def wait(self, outcome: Outcome) -> None:
        """Let as much time pass as a pass has asked for, a second at least."""
        self.seconds += max(outcome.requeue_after or 0, 1)

    def log(self) -> list[str]:
        """The operator's writes."""
        return [str(request) for request in self.server.writes]

    def body(self, kind: Kind) -> Manifest:
        """The app, or its child of this kind."""
        body = self.server.body(kind, LONDON)
        assert body, f"there is no {kind.name}"
        return body

    def ready(self) -> str:
        """Ready's reason."""
        return str(condition(self.body(WEATHER_APP).get("status", {}), "Ready").get("reason"))

    def _waits_for_an_address(self, outcome: Outcome) -> bool:
        """Whether it will only look for warnings about the way in."""
        return not outcome.failed and self.ready() == "AddressPending"

    def events(self) -> list[str]:
        """The reasons of the events, in the order in which they came first."""
        bodies = self.server.bodies().items()
        return [body["reason"] for (kind, _), body in bodies if kind is EVENT]

    def state(self) -> dict[str, Manifest]:
        """All objects apart from what tells when, and how often, something was written."""
        return {
            f"{kind.name} {key}": _timeless(body)
            for (kind, key), body in self.server.bodies().items()
            if kind is not EVENT
        }

    def _check(self, request: Request) -> None:
        """Whatever happens, no number of pods of ours is written beside an autoscaler."""
        if request.part == REPLICAS_MANAGER:
            assert self.server.body(AUTOSCALER, request.key) is None

    def _check_status(self) -> None:
        """Whatever happens, no site is called ready before it serves what its spec asks for."""
        status = (self.server.body(WEATHER_APP, LONDON) or {}).get("status", {})
        if condition(status, "Ready").get("status") == "True":
            assert status["version"] == status["desiredVersion"], f"{self.ready()} too early"

    def turn(self) -> bool:
        """Play the cluster's controllers; return whether they had anything to do."""
        keys = (LONDON, CANARY)
        return any(
            [
                *map(self._scale, keys),
                *map(self._turn, keys),
                self._take_up_route(),
                self._give_address(),
            ]
        )

    def _scale(self, key: Key) -> bool:
        """Play the autoscaler's controller as far as its range."""
        autoscaler, deployment = (
            self.server.body(AUTOSCALER, key),
            self.server.body(DEPLOYMENT, key),
        )
        if autoscaler is None or deployment is None:
            return False
        number, scaling = deployment["spec"]["replicas"], autoscaler["spec"]
        into_range = min(max(number, scaling["minReplicas"]), scaling["maxReplicas"])
        if number == into_range:
            return False
        self.server.edit(DEPLOYMENT, key, spec={**deployment["spec"], "replicas": into_range})
        return True

    def _take_up_route(self) -> bool:
        """Play a gateway that takes up every route at once."""
        route = self.server.body(HTTP_ROUTE, LONDON)
        if route is None or self.gateway_is_away:
            return False
        generation = route["metadata"]["generation"]
        conditions = [
            {"type": type_, "status": "True", "observedGeneration": generation}
            for type_ in ("Accepted", "ResolvedRefs")
        ]
        gateway = {"parentRef": route["spec"]["parentRefs"][0], "conditions": conditions}
        status = {"parents": [*self.other_parents, gateway]}
        if route.get("status") == status:
            return False
        self.server.edit(HTTP_ROUTE, LONDON, status=status)
        return True

    def _give_address(self) -> bool:
        """Play a controller of Application Load Balancers."""
        ingress = self.server.body(INGRESS, LONDON)
        if ingress is None or ingress["spec"].get("ingressClassName") != "alb":
            return False
        status = {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}
        if ingress.get("status") == status:
            return False
        self.server.edit(INGRESS, LONDON, status=status)
        return True

    def _turn(self, key: Key) -> bool:
        """Play the Deployment controller; return whether it had anything to do."""
        deployment = self.server.body(DEPLOYMENT, key)
        if deployment is None or deployment["spec"].get("paused"):
            return False
        spec, template = deployment["spec"], deployment["spec"]["template"]
        works = BROKEN not in template["spec"]["containers"][0]["image"]
        desired = spec["replicas"]
        old = deployment.get("status", {}).get("availableReplicas", 0)
        available = desired if works else min(old, desired)
        status = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": desired if works else available + 1,
            "updatedReplicas": desired if works else 1,
            "readyReplicas": available,
            "availableReplicas": available,
        }
        if key == LONDON and works and self._is_half_way(template, desired):
            status |= {"replicas": desired + 1, "updatedReplicas": 1}
            self.server.edit(DEPLOYMENT, key, status=status)
            return True
        if status == deployment.get("status"):
            return False
        self.server.edit(DEPLOYMENT, key, status=status)
        self._keep_replica_sets(deployment, available if works else 0)
        if not works:
            self.crash(deployment["spec"]["template"], "london-crashes")
        return True

    def _is_half_way(self, template: Manifest, desired: int) -> bool:
        """Count the turns of a rollout, and tell whether it takes further ones."""
        known, turns = self._turns
        self._turns = (template, turns + 1 if known == template else 0)
        return bool(known) and desired > 0 and self._turns[1] < self.turns_of_rollout

    def crash(self, template: Manifest, name: str) -> None:
        """Let there be a pod of this template and name that crashes again and again."""
        waiting = {"reason": "CrashLoopBackOff", "message": "back-off 40s"}
        owner = {"kind": REPLICA_SET.name, "name": "london-crashes", "controller": True}
        metadata = {**template["metadata"], "ownerReferences": [owner]}
        body = {
            "metadata": {**metadata, "name": name, "namespace": "default"},
            "spec": template["spec"],
            "status": {"containerStatuses": [{"name": "web", "state": {"waiting": waiting}}]},
        }
        self.server.put(POD, Key(namespace="default", name=name), body)

    def _keep_replica_sets(self, deployment: Manifest, available: int) -> None:
        """Keep one ReplicaSet for each template that the Deployment has had."""
        template = deployment["spec"]["template"]
        owner = {"kind": "Deployment", "uid": deployment["metadata"]["uid"], "controller": True}
        image = template["spec"]["containers"][0]["image"].replace(":", "-")
        name = deployment["metadata"]["name"]
        key = Key(namespace="default", name=f"{name}-{image}")
        body = {
            "apiVersion": REPLICA_SET.api_version,
            "kind": REPLICA_SET.name,
            "metadata": {
                "name": key.name,
                "namespace": key.namespace,
                "uid": key.name,
                "labels": template["metadata"]["labels"],
                "ownerReferences": [{**owner, "name": name}],
            },
            "spec": {"replicas": available or 1, "template": template},
            "status": {"availableReplicas": available},
        }
        self.server.put(REPLICA_SET, key, body)


async def check_kills(
    begin: Callable[[], Awaitable["Simulation"]],
    undisturbed: "Simulation",
    writes: int,
    *,
    watch: Callable[["Simulation"], object] = lambda _: None,
) -> None:
    """Fail unless a kill right after any of so many writes leads to the undisturbed one's state."""
    for number in range(1, writes + 1):
        simulation = await begin()
        watch(simulation)
        await _killed_at(number, simulation)
        assert simulation.state() == undisturbed.state(), f"killed after write {number}"


async def _killed_at(number: int, simulation: Simulation) -> None:
    """Converge, but end the process right after so many writes, and go on with another one."""
    server, target = simulation.server, len(simulation.server.writes) + number

    def kill(_: Request) -> None:
        if len(server.writes) == target:
            raise KilledError

    server.after = kill
    try:
        await simulation.converge()
    except KilledError:
        simulation.restart()
    server.after = lambda _: None
    await simulation.converge()


def _spec(spec: Manifest) -> Manifest:
    return {"spec": app_body(**spec)["spec"]}


_TIMES = (
    "at",
    "since",
    "startedAt",
    "setAt",
    "progressedAt",
    "deadline",
    "lastTransitionTime",
    "seconds",
)
_COUNTS = ("uid", "resourceVersion", "generation", "observedGeneration")


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if k not in (*_TIMES, *_COUNTS)}
    return [_timeless(each) for each in value] if isinstance(value, list) else value
