"""Whole passes: what they lead to, whatever happens in between."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from support.fake_api_server import Request
from support.simulation import AUTOSCALED, LONDON, ROUTED, Simulation
from weather_operator.controller.reconciler import Outcome
from weather_operator.controller.workqueue import Priority
from weather_operator.kube.errors import (
    ConflictError,
    RefusedError,
)
from weather_operator.kube.resources import (
    AUTOSCALER,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    HTTP_ROUTE,
    INGRESS,
    NODE,
    POD,
    REPLICA_SET,
    SERVICE,
    Key,
    Kind,
    Manifest,
)
from weather_operator.model import FIELD_MANAGER, WEATHER_APP, WEATHER_RELEASE
from weather_operator.render.labels import MANAGED_BY


async def test_a_new_app_gets_its_children_and_serves() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    assert simulation.ready() == "Serving"
    assert simulation.log()[:4] == [
        f"apply Deployment default/london {FIELD_MANAGER}",
        f"apply Deployment default/london {FIELD_MANAGER}-replicas",
        f"apply Service default/london {FIELD_MANAGER}",
        f"apply PodDisruptionBudget default/london {FIELD_MANAGER}",
    ]


async def test_the_main_field_manager_never_has_the_number_of_pods() -> None:
    simulation = await Simulation.of()
    for spec in ({}, {"replicas": 4}, AUTOSCALED, {"replicas": 2}):
        simulation.change(**spec)
        await simulation.converge()
        for entry in simulation.body(DEPLOYMENT)["metadata"]["managedFields"]:
            has_replicas = "f:replicas" in entry["fieldsV1"].get("f:spec", {})
            assert not has_replicas or entry["manager"] != FIELD_MANAGER


async def test_an_autoscaler_that_has_yet_to_act_leaves_no_site_ready() -> None:
    simulation = await Simulation.of(**AUTOSCALED)
    await simulation.converge()
    assert simulation.ready() == "Serving"
    scaling = {**AUTOSCALED["autoscaling"], "minReplicas": 5}
    simulation.change(autoscaling=scaling)
    for _ in range(3):
        await simulation.reconcile()
    assert simulation.ready() == "Scaling"
    await simulation.converge()
    assert simulation.ready() == "Serving"
    simulation.change(autoscaling={**scaling, "minReplicas": 3, "maxReplicas": 4})
    for _ in range(3):
        await simulation.reconcile()
    assert simulation.ready() == "Scaling"


async def test_a_pause_holds_nothing_of_what_serves_where_the_status_was_lost() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    simulation.change(colour="green", rollout={"paused": True})
    await simulation.converge()
    simulation.server.edit(WEATHER_APP, LONDON, status={"observedGeneration": -1})
    for _ in range(5):
        await simulation.reconcile()
        simulation.turn()
    assert simulation.ready() == "Paused"
    assert not simulation.body(DEPLOYMENT)["spec"]["paused"]


async def test_a_status_that_was_lost_is_whole_again_after_one_pass() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    simulation.change(colour="green", rollout={"paused": True})
    await simulation.converge()
    status = simulation.body(WEATHER_APP)["status"]
    simulation.server.edit(WEATHER_APP, LONDON, status={"observedGeneration": -1})
    await simulation.reconcile()
    assert simulation.body(WEATHER_APP)["status"]["conditions"] == [
        {**each, "lastTransitionTime": simulation.now()} for each in status["conditions"]
    ]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"colour": "green", "rollout": {"paused": True}}, "Paused"),
        ({"colour": "red"}, "RolledBack"),
    ],
)
async def test_no_pods_hide_no_version_that_waits_or_has_failed(
    spec: Manifest, reason: str
) -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    simulation.change(**spec)
    await simulation.converge()
    assert simulation.ready() == reason
    simulation.change(**spec, replicas=0)
    await simulation.converge()
    assert simulation.body(DEPLOYMENT)["spec"]["replicas"] == 0
    assert simulation.ready() == reason


async def test_the_number_that_an_autoscaler_set_stays() -> None:
    simulation = await Simulation.of(**AUTOSCALED)
    await simulation.converge()
    assert simulation.body(DEPLOYMENT)["spec"]["replicas"] == 3
    simulation.server.edit(
        DEPLOYMENT, LONDON, spec={**simulation.body(DEPLOYMENT)["spec"], "replicas": 6}
    )
    simulation.change(colour="green", **AUTOSCALED)
    await simulation.converge()
    assert simulation.body(DEPLOYMENT)["spec"]["replicas"] == 6
    simulation.change(colour="green", replicas=2)
    await simulation.converge()
    assert simulation.server.body(AUTOSCALER, LONDON) is None
    assert simulation.body(DEPLOYMENT)["spec"]["replicas"] == 2


@pytest.mark.parametrize("is_deleted", [False, True])
async def test_nothing_more_is_written_for_what_an_app_asks_for_no_longer(is_deleted: bool) -> None:
    simulation = await Simulation.of()

    def change(request: Request) -> None:
        if is_deleted:
            simulation.cache.forget(WEATHER_APP, LONDON)
        else:
            simulation.change(suspend=True)
            simulation.cache.put(WEATHER_APP, simulation.body(WEATHER_APP))

    simulation.server.after = change
    outcome = await simulation.reconcile()
    assert simulation.log() == [f"apply Deployment default/london {FIELD_MANAGER}"]
    assert outcome == Outcome(requeue_after=0)


def refusing(kind: Kind) -> Callable[[Request], None]:
    def refuse(request: Request) -> None:
        if request.is_write and request.kind is kind:
            raise RefusedError(422, "Invalid", "a webhook does not like it")

    return refuse


@pytest.mark.parametrize("kind", [DEPLOYMENT, SERVICE, DISRUPTION_BUDGET, INGRESS, AUTOSCALER])
async def test_a_refused_child_hinders_no_other_and_is_a_blocker(kind: Kind) -> None:
    spec = {**ROUTED, **AUTOSCALED}
    undisturbed = await Simulation.of(**spec)
    await undisturbed.converge()
    simulation = await Simulation.of(**spec)
    simulation.server.before = refusing(kind)
    assert (await simulation.reconcile()).failed
    made = {k for k, _ in simulation.server.bodies()}
    expected = {DEPLOYMENT, SERVICE, DISRUPTION_BUDGET, INGRESS, AUTOSCALER} - {kind}
    if kind is DEPLOYMENT:
        expected -= {AUTOSCALER}  # there is nothing to scale
    assert made >= expected
    assert kind not in made
    (blocker,) = simulation.body(WEATHER_APP)["status"]["blockers"]
    assert blocker["object"] == f"{kind.name}/london"
    assert "a webhook does not like it" in blocker["message"]
    assert simulation.ready() == "Blocked"
    simulation.server.before = lambda _: None
    await simulation.converge()
    assert simulation.state() == undisturbed.state()


async def test_what_is_rolled_out_is_still_known_while_the_replica_sets_cannot_be_read() -> None:
    simulation = await Simulation.of(colour="yellow")
    await simulation.converge()
    simulation.change(colour="red")
    for _ in range(3):
        await simulation.reconcile()
        simulation.turn()
    before = simulation.body(WEATHER_APP)["status"]
    simulation.seconds += 10_000

    def forbid(request: Request) -> None:
        if request.kind is REPLICA_SET:
            raise RefusedError(403, "Forbidden", "replicasets is forbidden")

    simulation.server.before = forbid
    assert (await simulation.reconcile()).failed
    status = simulation.body(WEATHER_APP)["status"]
    assert simulation.ready() == "Forbidden"
    assert (status["desiredVersion"], status["version"]) == ("3.0.0", "1.0.0")
    for name in ("revision", "startedAt"):
        assert status["rollout"][name] == before["rollout"][name]


async def test_a_kind_that_the_cluster_lacks_hinders_only_what_needs_it() -> None:
    simulation = await Simulation.of(gateway={"parentRefs": [{"name": "g"}], "path": "/"})
    simulation.server.unserved = {HTTP_ROUTE}
    assert (await simulation.reconcile()).failed
    assert simulation.ready() == "GatewayAPINotInstalled"
    assert simulation.body(DEPLOYMENT)
    assert simulation.body(SERVICE)


async def test_what_is_somebody_elses_stays_untouched() -> None:
    simulation = await Simulation.of()
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "london", "namespace": "default", "uid": "theirs"},
        "spec": {"ports": [{"port": 1, "protocol": "TCP"}], "type": "ClusterIP"},
    }
    simulation.server.put(SERVICE, LONDON, theirs)
    before = simulation.body(SERVICE)
    assert (await simulation.reconcile()).failed
    assert simulation.ready() == "NameConflict"
    assert simulation.body(SERVICE) == before


def once(act: Callable[[], object], verb: str, kind: Kind) -> Callable[[Request], None]:
    """Do something just before the first such request reaches the server."""
    todo = [act]

    def before(request: Request) -> None:
        if (request.verb, request.kind) == (verb, kind) and todo:
            todo.pop()()

    return before


async def test_a_status_is_not_written_about_a_spec_that_was_changed_meanwhile() -> None:
    simulation = await Simulation.of(colour="yellow")
    await simulation.converge()
    simulation.change(colour="green")
    simulation.server.before = once(
        lambda: simulation.change(colour="yellow"), "apply", WEATHER_APP
    )
    with pytest.raises(ConflictError):
        await simulation.converge()
    await simulation.converge()
    assert simulation.body(WEATHER_APP)["status"]["colour"] == "yellow"


async def test_a_child_that_went_meanwhile_is_looked_for_again() -> None:
    simulation = await Simulation.of(colour="yellow")
    await simulation.converge()
    simulation.change(colour="green")
    simulation.server.before = once(
        lambda: simulation.server.remove(DEPLOYMENT, LONDON), "apply", DEPLOYMENT
    )
    with pytest.raises(ConflictError):
        await simulation.reconcile()
    await simulation.converge()
    assert simulation.body(WEATHER_APP)["status"]["colour"] == "green"


async def loaded() -> Simulation:
    """A green site that was rolled back from red, with 5 pods by its autoscaler of 3 to 6."""
    simulation = await Simulation.of(colour="green", **AUTOSCALED)
    await simulation.converge()
    simulation.change(colour="red", **AUTOSCALED)
    await simulation.converge()
    deployment = simulation.body(DEPLOYMENT)
    simulation.server.edit(DEPLOYMENT, LONDON, spec={**deployment["spec"], "replicas": 5})
    await simulation.converge()
    assert simulation.ready() == "RolledBack"
    return simulation


def edit_image(simulation: Simulation, image: str) -> None:
    """Change the image of the Deployment as `kubectl set image` does."""
    spec = simulation.body(DEPLOYMENT)["spec"]
    template = spec["template"]
    container = {**template["spec"]["containers"][0], "image": image}
    pod = {**template["spec"], "containers": [container]}
    edited = {**spec, "template": {**template, "spec": pod}}
    simulation.server.edit(DEPLOYMENT, LONDON, spec=edited)


async def test_an_edit_of_the_good_version_is_put_back_though_it_has_all_the_pods() -> None:
    simulation = await loaded()
    edit_image(simulation, "weather:other")
    while simulation.turn():
        pass
    good = Key(namespace="default", name="london-weather-2.0.0")
    simulation.server.edit(REPLICA_SET, good, status={"availableReplicas": 0})
    await simulation.converge()
    template = simulation.body(DEPLOYMENT)["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == "weather:2.0.0"
    assert simulation.ready() == "RolledBack"


async def deleted_at(reason: str, spec: Manifest) -> Simulation:
    """London, which served yellow, once somebody has deleted its Deployment at this moment."""
    simulation = await Simulation.of(colour="yellow")
    await simulation.converge()
    simulation.change(**spec)
    while simulation.ready() != reason:
        await simulation.reconcile()
        simulation.turn()
        simulation.seconds += 10
    for kind, key in list(simulation.server.bodies()):
        if kind in (DEPLOYMENT, REPLICA_SET):
            simulation.server.remove(kind, key)
    return simulation


@pytest.mark.parametrize("reason", ["RolledBack", "RollingBack"])
async def test_a_failed_version_is_not_tried_again_where_its_deployment_is_deleted(
    reason: str,
) -> None:
    simulation = await deleted_at(reason, {"colour": "red"})
    await simulation.converge()
    template = simulation.body(DEPLOYMENT)["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == "weather:1.0.0"
    assert simulation.ready() == "RolledBack"
    history = simulation.body(WEATHER_APP)["status"]["history"]
    assert [each["outcome"] for each in history] == ["RolledBack", "Succeeded"]


@pytest.mark.parametrize(
    ("reason", "held"),
    [
        ("Paused", {"paused": True}),
        ("WaitingForWindow", {"windows": [{"start": "02:00", "end": "03:00"}]}),
    ],
)
async def test_what_has_to_wait_waits_where_the_deployment_is_deleted_and_the_site_serves(
    reason: str, held: Manifest
) -> None:
    simulation = await deleted_at(reason, {"colour": "green", "rollout": held})
    for _ in range(5):
        await simulation.reconcile()
        simulation.turn()
    deployment = simulation.body(DEPLOYMENT)
    template = deployment["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == "weather:1.0.0"
    assert deployment["status"]["availableReplicas"] == deployment["spec"]["replicas"]
    assert simulation.ready() == reason
    simulation.change(colour="green")
    await simulation.converge()
    assert simulation.body(WEATHER_APP)["status"]["version"] == "2.0.0"


async def test_the_last_good_version_comes_back_though_its_replica_set_is_gone() -> None:
    simulation = await Simulation.of(colour="yellow")
    await simulation.converge()
    (serving,) = (key for kind, key in simulation.server.bodies() if kind is REPLICA_SET)
    simulation.change(colour="red")
    await simulation.reconcile()
    simulation.server.remove(REPLICA_SET, serving)
    await simulation.converge()
    assert simulation.ready() == "RolledBack"
    assert simulation.body(WEATHER_APP)["status"]["version"] == "1.0.0"


def in_doubt(simulation: Simulation) -> None:
    """Somebody writes the Deployment just before the operator repairs it: its cache is behind."""
    edit_image(simulation, "weather:other")
    simulation.cache.put(DEPLOYMENT, simulation.body(DEPLOYMENT))
    simulation.server.before = once(
        lambda: simulation.server.edit(DEPLOYMENT, LONDON, status={}), "apply", DEPLOYMENT
    )


def unlabelled(simulation: Simulation) -> None:
    """Somebody takes the operator's label away: to its watch the Deployment is deleted."""
    before = simulation.body(DEPLOYMENT)
    simulation.server.edit(DEPLOYMENT, LONDON, metadata={**before["metadata"], "labels": {}})
    version = simulation.body(DEPLOYMENT)["metadata"]["resourceVersion"]
    told = {**before, "metadata": {**before["metadata"], "resourceVersion": version}}
    assert simulation.cache.remove(DEPLOYMENT, told)


@pytest.mark.parametrize("unknown", [in_doubt, unlabelled])
async def test_a_deployment_that_the_cache_lacks_is_never_taken_for_a_deleted_one(
    unknown: Callable[[Simulation], None],
) -> None:
    simulation = await loaded()
    autoscaler = simulation.body(AUTOSCALER)
    unknown(simulation)
    images = []
    for _ in range(4):
        with suppress(ConflictError):
            await simulation.reconciler.reconcile(LONDON, Priority.CHILD)
        spec = simulation.body(DEPLOYMENT)["spec"]
        assert spec["replicas"] == 5, "what the load had made is lost"
        images.append(spec["template"]["spec"]["containers"][0]["image"])
    assert set(images) <= {"weather:other", "weather:2.0.0"}, "the bad version came back"
    assert images[-1] == "weather:2.0.0"
    assert MANAGED_BY.items() <= simulation.body(DEPLOYMENT)["metadata"]["labels"].items()
    assert simulation.body(AUTOSCALER)["metadata"]["uid"] == autoscaler["metadata"]["uid"]


async def test_an_app_that_is_gone_or_going_is_left_alone() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    metadata = simulation.body(WEATHER_APP)["metadata"]
    ending = {**metadata, "deletionTimestamp": simulation.now()}
    simulation.server.edit(WEATHER_APP, LONDON, metadata=ending)
    simulation.server.remove(SERVICE, LONDON)
    simulation.server.writes.clear()
    assert await simulation.reconcile() == Outcome()
    simulation.server.remove(WEATHER_APP, LONDON)
    assert await simulation.reconcile() == Outcome()
    assert simulation.log() == []


async def test_what_serves_is_scaled_and_repaired_when_the_failed_release_is_deleted() -> None:
    simulation = await Simulation.of(colour="yellow")
    await simulation.converge()
    simulation.change(colour="red")
    await simulation.converge()
    assert simulation.ready() == "RolledBack"
    simulation.server.remove(WEATHER_RELEASE, Key(name="3.0.0"))
    simulation.change(colour="red", replicas=5)
    simulation.server.remove(SERVICE, LONDON)
    await simulation.converge()
    assert simulation.ready() == "UnknownVersion"
    assert simulation.body(WEATHER_APP)["status"]["version"] == "1.0.0"
    assert simulation.body(DEPLOYMENT)["spec"]["replicas"] == 5
    assert simulation.body(SERVICE)


async def test_a_deleted_release_is_not_rolled_out_anew_for_another_spec() -> None:
    simulation = await Simulation.of(colour="yellow")
    await simulation.converge()
    simulation.change(colour="red")
    await simulation.converge()
    simulation.server.remove(WEATHER_RELEASE, Key(name="3.0.0"))
    before = simulation.body(DEPLOYMENT)["spec"]["template"]
    for spec in ({"city": "Paris"}, {"rollout": {"attempt": 1}}):
        simulation.change(colour="red", **spec)
        await simulation.converge()
        assert simulation.ready() == "UnknownVersion"
        assert simulation.body(DEPLOYMENT)["spec"]["template"] == before


async def test_a_release_that_is_deleted_in_use_stops_neither_scaling_nor_repair() -> None:
    simulation = await Simulation.of(colour="green", **AUTOSCALED)
    await simulation.converge()
    template = simulation.body(DEPLOYMENT)["spec"]["template"]
    name = Key(namespace="", name="2.0.0")
    release = simulation.server.body(WEATHER_RELEASE, name)
    simulation.server.remove(WEATHER_RELEASE, name)
    simulation.server.remove(SERVICE, LONDON)
    await simulation.converge()
    assert simulation.ready() == "UnknownVersion"
    assert simulation.body(SERVICE)
    simulation.change(colour="green", replicas=5)
    await simulation.converge()
    assert simulation.body(DEPLOYMENT)["spec"]["replicas"] == 5
    assert simulation.body(DEPLOYMENT)["spec"]["template"] == template
    assert simulation.server.body(AUTOSCALER, LONDON) is None
    assert simulation.ready() == "UnknownVersion"
    assert await simulation.converge() == 0
    assert release
    simulation.server.put(WEATHER_RELEASE, name, release)
    await simulation.converge()
    assert simulation.ready() == "Serving"
    assert simulation.body(DEPLOYMENT)["spec"]["template"] == template


async def test_a_version_that_is_nowhere_leaves_what_another_serves_alone() -> None:
    simulation = await Simulation.of(colour="green")
    await simulation.converge()
    simulation.server.remove(WEATHER_RELEASE, Key(namespace="", name="2.0.0"))
    simulation.change(version="9.0.0", colour=None, replicas=7)
    await simulation.converge()
    assert simulation.ready() == "UnknownVersion"
    assert simulation.body(DEPLOYMENT)["spec"]["replicas"] == 2


def say_node(simulation: Simulation, ready: str) -> None:
    """Let the node of all pods be ready, or not, or nobody know."""
    conditions = [{"type": "Ready", "status": ready}]
    metadata = {"name": "node-1", "uid": "node-1"}
    body = {"metadata": metadata, "status": {"conditions": conditions}}
    simulation.server.put(NODE, Key(name="node-1"), body)
    for (kind, key), pod in simulation.server.bodies().items():
        if kind is POD:
            simulation.server.edit(POD, key, spec={**pod["spec"], "nodeName": "node-1"})


async def test_no_version_is_rolled_back_for_what_a_lost_node_said_last() -> None:
    simulation = await Simulation.of(colour="yellow")
    await simulation.converge()
    simulation.change(colour="red")
    for _ in range(30):
        outcome = await simulation.reconcile()
        simulation.turn()
        say_node(simulation, "Unknown")
        simulation.wait(outcome)
    assert simulation.ready() == "Blocked"
    (blocker,) = simulation.body(WEATHER_APP)["status"]["blockers"]
    assert blocker["reason"] == "NodeNotReady"
    say_node(simulation, "True")
    await simulation.converge()
    assert simulation.ready() == "RolledBack"
