"""What a preview says is what the operator's next pass does, in whatever state a site is.

Each example leads a site through a short life on an in-memory API server: specs that users apply,
passes of the operator, pods that come up or do not, and what others do to its children. The plugin
previews every pass of it.
"""

import copy
import itertools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from hypothesis import example, given, settings
from hypothesis import strategies as st
from kubectl_weather import preview
from kubectl_weather.diagnostics import decision_at_deadline
from kubectl_weather.errors import NotServedError, PluginError
from kubectl_weather.planner import Planner
from kubectl_weather.preview import (
    CHANGED,
    CREATED,
    DELETED,
    RECREATED,
    REFUSED,
    UNCHANGED,
    Preview,
)
from support.fake_api_server import FakeApiServer
from support.manifests import COLOURS, Manifest, app_body
from weather_operator.controller.event_handlers import LABEL_SELECTORS, new_cache
from weather_operator.controller.reconciler import Reconciler
from weather_operator.controller.status_writer import StatusWriter
from weather_operator.controller.workqueue import Priority
from weather_operator.kube.errors import ApiError
from weather_operator.kube.events import Recorder
from weather_operator.kube.resources import (
    AUTOSCALER,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    HTTP_ROUTE,
    INGRESS,
    POD,
    REPLICA_SET,
    SERVICE,
    Key,
    Kind,
)
from weather_operator.metrics import Metrics
from weather_operator.model import (
    CHILDREN,
    FIELD_MANAGER,
    WATCHED,
    WEATHER_APP,
    WEATHER_RELEASE,
    WeatherApp,
)
from weather_operator.model.parsing import parse_app
from weather_operator.render import revision_of
from weather_operator.rollout.strategies import Action

Result = TypeVar("Result")
Name = tuple[str, str]
"""A child's kind and name."""

LONDON = Key(namespace="default", name="london")
CANARY = Key(namespace="default", name="london-canary")
POD_METADATA = {
    "name": "london-1",
    "namespace": "default",
    "uid": "pod-1",
    "ownerReferences": [{"kind": "ReplicaSet", "name": "london-1a2b", "controller": True}],
}
METRICS = Metrics()
BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
DEADLINE_SECONDS = 120


def run(call: Coroutine[Any, Any, Result]) -> Result:
    """The result of a call that never has to wait: all that it talks to is in memory."""
    try:
        call.send(None)
    except StopIteration as end:
        result: Result = end.value
        return result
    raise AssertionError("a call waits for something")


@dataclass
class World:
    """A site on an API server, its operator, and who else takes part. Time goes by on demand."""

    server: FakeApiServer = field(default_factory=FakeApiServer)
    now: datetime = BEGIN

    def __post_init__(self) -> None:
        for version, colour in COLOURS.items():
            spec = {"version": version, "colour": colour, "image": f"weather:{version}"}
            metadata = {"name": version}
            run(self.server.create(WEATHER_RELEASE, {"metadata": metadata, "spec": spec}))

    def time(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def apply(self, **spec: Any) -> None:
        """A user applies the site's file."""
        manifest = {
            "metadata": {"name": LONDON.name, "namespace": LONDON.namespace},
            "spec": app_body(**spec)["spec"],
        }
        run(self.server.apply(WEATHER_APP, manifest, manager="kubectl", force=True))

    def reconcile(self) -> None:
        """One pass of the operator, which does what the plugin has shown before."""
        before, body = self.children(), self.server.body(WEATHER_APP, LONDON)
        assert body
        everything = self.server.bodies()
        previewed = Planner(Cluster(self)).preview(body)
        assert self.server.bodies() == everything, "a preview has written something"
        self._reconcile()
        assert_came_true(parse_app(body), previewed, before, self.children())

    def _reconcile(self) -> None:
        """One pass of an operator that has just read everything."""
        cache = new_cache()
        for kind in WATCHED:
            if kind in self.server.unserved:
                continue
            labels = LABEL_SELECTORS.get(kind, "")
            for body in run(self.server.list(kind, labels=labels))[0]:
                cache.put(kind, body)
        recorder = Recorder(self.server, component=FIELD_MANAGER, now=self.time)
        writer = StatusWriter(self.server, cache, recorder, METRICS)
        clock = itertools.count(step=60).__next__  # it has looked for a while
        reconciler = Reconciler(self.server, cache, writer, now=self.time, clock=clock)
        run(reconciler.reconcile(LONDON, Priority.USER))

    def child(self, kind: Kind) -> Manifest | None:
        return self.server.body(kind, LONDON)

    def children(self) -> dict[Name, Manifest]:
        return {
            (kind.name, key.name): body
            for kind in CHILDREN
            for key in (LONDON, CANARY)
            if (body := self.server.body(kind, key))
        }

    def start_pods(self, updated: float, available: float) -> None:
        """The Deployment's controller: so much of the newest revision, and of all, is there."""
        deployment = self.child(DEPLOYMENT)
        if deployment is None or revision_of(deployment) is None:
            return
        desired = deployment["spec"]["replicas"]
        new, ready = round(updated * desired), round(available * desired)
        self._put_replica_set(deployment, desired=new, available=min(new, ready))
        status = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": desired,
            "updatedReplicas": new,
            "readyReplicas": ready,
            "availableReplicas": ready,
        }
        self.server.edit(DEPLOYMENT, LONDON, status=status)
        self._put_pod(deployment["spec"]["template"], crashes=ready < desired)

    def _put_pod(self, template: Manifest, *, crashes: bool) -> None:
        """One pod of the newest revision."""
        state = {"waiting": {"reason": "CrashLoopBackOff"}} if crashes else {"running": {}}
        body = {
            "metadata": {**template["metadata"], **POD_METADATA},
            "spec": template["spec"],
            "status": {"containerStatuses": [{"name": "web", "ready": True, "state": state}]},
        }
        self.server.put(POD, Key(namespace="default", name="london-1"), body)

    def _put_replica_set(self, deployment: Manifest, *, desired: int, available: int) -> None:
        template = copy.deepcopy(deployment["spec"]["template"])
        revision = revision_of(deployment)
        template["metadata"]["labels"]["pod-template-hash"] = revision
        manifest = {
            "metadata": {
                "name": f"london-{revision}",
                "namespace": LONDON.namespace,
                "labels": template["metadata"]["labels"],
            },
            "spec": {"replicas": desired, "template": template},
            "status": {"availableReplicas": available},
        }
        key = Key(namespace=LONDON.namespace, name=f"london-{revision}")
        if self.server.body(REPLICA_SET, key) is None:
            run(self.server.create(REPLICA_SET, manifest))
        owner = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "london",
            "uid": deployment["metadata"]["uid"],
            "controller": True,
        }
        live = self.server.body(REPLICA_SET, key)
        assert live
        metadata = {**live["metadata"], "ownerReferences": [owner]}
        changed = {name: manifest[name] for name in ("spec", "status")}
        self.server.edit(REPLICA_SET, key, metadata=metadata, **changed)

    def delete(self, kind: Kind) -> None:
        if body := self.child(kind):
            run(self.server.delete(kind, LONDON, uid=body["metadata"]["uid"]))

    def make_foreign(self, kind: Kind) -> None:
        """Somebody has an object of the site's name."""
        if self.child(kind) is None and kind not in self.server.unserved:
            metadata = {"name": LONDON.name, "namespace": LONDON.namespace}
            template: Manifest = {"metadata": {}, "spec": {"containers": []}}
            target = {"kind": DEPLOYMENT.name, "name": LONDON.name}
            spec = {"type": "ClusterIP", "replicas": 7, "template": template}
            spec["scaleTargetRef"] = target
            run(self.server.create(kind, {"metadata": metadata, "spec": spec}))

    def edit_spec(self, kind: Kind, **fields: Any) -> None:
        if body := self.child(kind):
            self.server.edit(kind, LONDON, spec={**body["spec"], **fields})


class Cluster:
    """The API server as the plugin uses it; each child is tried out once, so one copy will do."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.trial = copy.deepcopy(world.server)

    @property
    def now(self) -> datetime:
        return self.world.now

    def find(self, kind: Kind, key: Key) -> Manifest | None:
        if kind in self.world.server.unserved:
            raise NotServedError("this kind is not served")
        return self.world.server.body(kind, key)

    def list(
        self, kind: Kind, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> list[Manifest]:
        call = self.world.server.list(kind, namespace=namespace, labels=labels, fields=fields)
        found: list[Manifest] = run(call)[0]
        return found

    def dry_run_apply(self, kind: Kind, key: Key, manifest: Manifest, *, manager: str) -> Manifest:
        call = self.trial.apply(kind, manifest, manager=manager, force=True)
        try:
            applied: Manifest = run(call)
        except ApiError as error:
            raise PluginError(error.message) from None
        return applied


Step = Callable[[World], None]

AUTOSCALING = {"targetCPUUtilizationPercentage": 70, "scaleDownStabilizationSeconds": 300}
INGRESS_SPEC = {"className": "nginx", "path": "/", "annotations": {}}
GATEWAY_SPEC = {"parentRefs": [{"name": "public"}], "path": "/"}


@st.composite
def specs(draw: st.DrawFn) -> Manifest:
    """A spec as the API server has completed it."""
    types = [
        {"type": "ClusterIP"},
        {"type": "NodePort"},
        *({"type": "LoadBalancer", "loadBalancerClass": each} for each in ("one", "two")),
        {"type": "LoadBalancer"},
    ]
    spec: Manifest = {
        "colour": draw(st.sampled_from(list(COLOURS.values()))),
        "replicas": draw(st.integers(0, 4)),
        "service": {"port": draw(st.sampled_from([80, 8080])), **draw(st.sampled_from(types))},
        "suspend": draw(st.sampled_from([False] * 19 + [True])),
        "rollout": {
            "progressDeadlineSeconds": DEADLINE_SECONDS,
            "paused": draw(st.sampled_from([False, False, True])),
            "autoRollback": draw(st.sampled_from([True, True, False])),
            "attempt": draw(st.integers(0, 1)),
            "maxUnavailable": draw(st.sampled_from([0, 1, "50%"])),
        },
    }
    if draw(st.booleans()):
        low = draw(st.integers(1, 3))
        spec["autoscaling"] = {"minReplicas": low, "maxReplicas": low + 2, **AUTOSCALING}
    if draw(st.booleans()):
        spec["ingress"] = INGRESS_SPEC
    elif draw(st.booleans()):
        spec["gateway"] = GATEWAY_SPEC
    return spec


def later(world: World, seconds: int) -> None:
    world.now += timedelta(seconds=seconds)


def settle(world: World) -> None:
    """Passes and pods, until the site serves or stands still."""
    world.reconcile()
    world.start_pods(1, 1)
    world.reconcile()


def fail(world: World) -> None:
    """A rollout that gets nowhere until the operator calls it failed."""
    world.reconcile()
    world.start_pods(0.25, 0.75)
    world.reconcile()
    later(world, 2 * DEADLINE_SECONDS)
    world.reconcile()


OTHERS: dict[str, Step] = {
    "the operator makes a pass": World.reconcile,
    "the site settles": settle,
    "the rollout fails": fail,
    "half of the pods are new": lambda world: world.start_pods(0.5, 1),
    "all pods fail": lambda world: world.start_pods(1, 0),
    "the new pods fail": lambda world: world.start_pods(0.25, 0.75),
    "time passes": lambda world: later(world, 30),
    "the deadline passes": lambda world: later(world, 2 * DEADLINE_SECONDS),
    "somebody scales to none": lambda world: world.edit_spec(DEPLOYMENT, replicas=0),
    "somebody scales": lambda world: world.edit_spec(DEPLOYMENT, replicas=5),
    "somebody pauses": lambda world: world.edit_spec(DEPLOYMENT, paused=True),
    "somebody edits the budget": lambda world: world.edit_spec(DISRUPTION_BUDGET, maxUnavailable=9),
    "the Deployment is deleted": lambda world: world.delete(DEPLOYMENT),
    "the Service is deleted": lambda world: world.delete(SERVICE),
    "the autoscaler is deleted": lambda world: world.delete(AUTOSCALER),
    "a foreign Deployment": lambda world: world.make_foreign(DEPLOYMENT),
    "a foreign Service": lambda world: world.make_foreign(SERVICE),
    "a foreign autoscaler": lambda world: world.make_foreign(AUTOSCALER),
    "a foreign Ingress": lambda world: world.make_foreign(INGRESS),
    "no Gateway API": lambda world: (
        world.server.unserved.add(HTTP_ROUTE) if world.child(HTTP_ROUTE) is None else None
    ),
}


def actual_fate(before: Manifest | None, after: Manifest | None) -> str | None:
    """What became of a child."""
    if before is None or after is None:
        return CREATED if after else DELETED if before else None
    if before["metadata"]["uid"] != after["metadata"]["uid"]:
        return RECREATED
    return CHANGED if preview.edits(before, after) else UNCHANGED


def assert_came_true(
    app: WeatherApp, previewed: Preview, before: dict[Name, Manifest], after: dict[Name, Manifest]
) -> None:
    expected = {(each.kind, each.name): each for each in previewed.children}
    for name in {*expected, *before, *after}:
        old, new = before.get(name), after.get(name)
        fate, child = actual_fate(old, new), expected.get(name)
        if child is None or child.fate == REFUSED:
            assert fate in (None, UNCHANGED), f"{name} {fate}, and the preview does not say so"
            continue
        assert child.fate == fate, name
        if old and new:
            assert child.edits == preview.edits(old, new), name
    deployment = after.get(("Deployment", LONDON.name))
    if template := preview.revision_of(deployment):
        assert previewed.template_version == template.version
        assert previewed.template_colour == template.colour
        least = preview.least_available(app, before.get(("Deployment", LONDON.name)), deployment)
        assert previewed.min_available == least, "another number of pods"


DEFAULT: Manifest = {"colour": "green", "replicas": 2}
AUTOSCALED = {"autoscaling": {"minReplicas": 3, "maxReplicas": 5, **AUTOSCALING}}


def canaried(colour: str, **more: Any) -> Manifest:
    steps = [{"weight": 10, "durationSeconds": 5}, {"weight": 50, "approval": True}]
    strategy = {"type": "Canary", "canary": {"steps": steps}}
    rollout = {"progressDeadlineSeconds": DEADLINE_SECONDS, "strategy": strategy}
    return {**DEFAULT, "replicas": 4, "colour": colour, "rollout": rollout, **more}


def balanced_by(class_name: str) -> Manifest:
    service = {"type": "LoadBalancer", "port": 80, "loadBalancerClass": class_name}
    return {**DEFAULT, "service": service}


@st.composite
def lives(draw: st.DrawFn) -> list[str | Manifest]:
    """What happens to a site, in this order: specs that are applied, and names of other steps."""
    spec = draw(specs())
    steps: list[str | Manifest] = [spec]
    steps += draw(st.sampled_from([["the site settles"]] * 4 + [[]]))
    for _ in range(draw(st.integers(0, 3))):
        other = draw(specs())
        # Most changes are of one or two fields; a pause alone would hide what else is decided.
        names = draw(st.sets(st.sampled_from(sorted(other.keys() | spec.keys())), max_size=2))
        spec = {name: value for name, value in spec.items() if name not in names}
        spec |= {name: other[name] for name in names if name in other}
        steps.append(spec)
        steps += draw(st.sampled_from([["the rollout fails"], *[[]] * 2]))
        steps += draw(st.lists(st.sampled_from(sorted(OTHERS)), max_size=2))
    return steps


CANARY_PASSES = ["the operator makes a pass"] * 2


@settings(
    max_examples=40,
    deadline=None,
)
@example(life=["a foreign Service", DEFAULT])
@example(life=["a foreign autoscaler", {**DEFAULT, **AUTOSCALED}])
@example(life=[{**DEFAULT, **AUTOSCALED}, "the site settles", "somebody scales to none"])
@example(life=[balanced_by("one"), "the site settles", balanced_by("two")])
@example(life=[DEFAULT, "the site settles", {**DEFAULT, "colour": "red"}, "the rollout fails"])
@example(life=[canaried("green"), "the site settles", canaried("red")])
@example(life=[canaried("green"), "the site settles", canaried("red"), *CANARY_PASSES])
@example(
    life=[canaried("green"), "the site settles", canaried("red"), *CANARY_PASSES, canaried("green")]
)
@example(
    life=[
        canaried("green", **AUTOSCALED),
        "the site settles",
        canaried("red", **AUTOSCALED),
        *CANARY_PASSES,
        "somebody scales",
    ]
)
@given(life=lives())
def test_what_a_preview_says_is_what_each_pass_does(
    life: list[str | Manifest],
) -> None:
    world = World()
    for step in life:
        if isinstance(step, str):
            OTHERS[step](world)
        else:
            world.apply(**step)
    world.reconcile()


def preview_of(world: World) -> Preview:
    """What the plugin says of the app as it is asked for now."""
    body = world.server.body(WEATHER_APP, LONDON)
    assert body
    return Planner(Cluster(world)).preview(body)


def test_a_preview_of_a_canary_says_its_steps_and_pods() -> None:
    world = World()
    world.apply(**canaried("green"))
    settle(world)
    world.apply(**canaried("red"))
    preview = preview_of(world)
    assert preview.differs
    assert list(preview.notes) == [
        "3.0.0 (red) is tried in pods of its own; those that serve stay as they are meanwhile",
        "step 1: 10 % (20 % possible) of the visitors for 5 s, 1 pod",
        "step 2: 50 % of the visitors, 4 pods, until kubectl weather approve london",
        "then 3.0.0 (red) replaces what serves",
    ]


def test_a_preview_of_a_blue_green_says_when_a_person_is_asked() -> None:
    strategy = {"type": "BlueGreen", "blueGreen": {"approval": True}}
    spec = {"replicas": 2, "rollout": {"strategy": strategy}}
    world = World()
    world.apply(colour="green", **spec)
    settle(world)
    assert not preview_of(world).differs
    world.apply(colour="red", **spec)
    preview = preview_of(world)
    assert preview.differs
    assert list(preview.notes) == [
        "3.0.0 (red) is tried in pods of its own; those that serve stay as they are meanwhile",
        "no visitors before kubectl weather approve london",
        "step 1: 100 % of the visitors for 30 s, 2 pods",
        "then 3.0.0 (red) replaces what serves",
    ]


def test_a_preview_says_why_a_changed_path_is_not_tried() -> None:
    world = World()
    world.apply(**canaried("green", gateway=GATEWAY_SPEC))
    settle(world)
    world.apply(**canaried("red", gateway={**GATEWAY_SPEC, "path": "/london"}))
    assert list(preview_of(world).notes) == [
        "3.0.0 (red) is not tried in pods of its own: its path changes from / to /london, and a "
        "route leads to one path alone"
    ]


def test_a_preview_says_that_an_image_is_waited_for() -> None:
    world = World()
    world.apply(**DEFAULT)
    settle(world)
    message = "the registry has no image weather:3.0.0"
    told = {"type": "Available", "status": "False", "reason": "NotFound", "message": message}
    about = {"observedGeneration": 1, "conditions": [told]}
    world.server.edit(WEATHER_RELEASE, Key(name="3.0.0"), status=about)
    world.apply(**{**DEFAULT, "colour": "red"})
    shown = preview_of(world)
    (note,) = shown.notes
    assert note.startswith("3.0.0 (red) is waited for until ")
    assert note.endswith(f", then rolled out all the same: {message}")
    assert shown.replaced == ()


def test_what_comes_at_the_deadline_is_known_before_it() -> None:
    world = World()
    world.apply(**DEFAULT)
    settle(world)
    world.apply(**{**DEFAULT, "colour": "red"})
    world.reconcile()
    world.start_pods(0.5, 0.5)
    world.reconcile()
    app, deployment = world.server.body(WEATHER_APP, LONDON), world.child(DEPLOYMENT)
    assert app
    assert deployment
    catalogue, _ = run(world.server.list(WEATHER_RELEASE))
    replica_sets, _ = run(world.server.list(REPLICA_SET))
    pods, _ = run(world.server.list(POD))
    decision = decision_at_deadline(app, [deployment], replica_sets, pods, catalogue)
    assert decision
    assert decision.action is Action.MARK_FAILED
    assert str(decision.rollback_to) == "2.0.0 (green)"
    assert decision_at_deadline(app, [deployment], replica_sets, pods, []) is None
    assert decision_at_deadline(app, [deployment], replica_sets, [], catalogue) is None
