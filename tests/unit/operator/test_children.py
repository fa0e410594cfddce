"""What is written of the children, in which order, and what is said of a repair."""

from collections.abc import Callable
from typing import Any

import pytest
from support.fake_api_server import Request
from support.simulation import LONDON, Simulation
from weather_operator.controller.workqueue import Priority
from weather_operator.kube.errors import RefusedError, UnavailableError
from weather_operator.kube.resources import (
    AUTOSCALER,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    EVENT,
    INGRESS,
    SERVICE,
    Key,
    Kind,
    Manifest,
)
from weather_operator.model import FIELD_MANAGER, WEATHER_APP
from weather_operator.status.conditions import condition

AUTOSCALING = {
    "minReplicas": 3,
    "maxReplicas": 6,
    "targetCPUUtilizationPercentage": 70,
    "scaleDownStabilizationSeconds": 300,
}


def messages(simulation: Simulation) -> list[str]:
    """What the events of repairs say."""
    bodies = simulation.server.bodies().items()
    events = [body for (kind, _), body in bodies if kind is EVENT]
    return [event["message"] for event in events if event["reason"] == "DriftCorrected"]


def edited(simulation: Simulation, kind: Kind, **spec: Any) -> None:
    simulation.server.edit(kind, LONDON, spec={**simulation.body(kind)["spec"], **spec})


async def test_an_edited_field_is_put_back_and_named() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    before = simulation.state()
    edited(simulation, SERVICE, type="NodePort")
    simulation.priority = Priority.CHILD
    await simulation.converge()
    assert simulation.state() == before
    assert messages(simulation) == ["Service: spec.type put back"]


@pytest.mark.parametrize(
    ("priority", "expected"),
    [(Priority.CHILD, ["Service was deleted and is made again"]), (Priority.RESYNC, [])],
)
async def test_a_missing_child_is_made_and_said_only_where_it_was_taken_away(
    priority: Priority, expected: list[str]
) -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    before = simulation.state()
    simulation.server.remove(SERVICE, LONDON)
    simulation.priority = priority
    await simulation.converge()
    assert simulation.state() == before
    assert messages(simulation) == expected


async def test_what_others_add_stays() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    metadata = simulation.body(SERVICE)["metadata"]
    labels = {**metadata["labels"], "team": "clouds"}
    simulation.server.edit(SERVICE, LONDON, metadata={**metadata, "labels": labels})
    assert await simulation.converge() == 0
    assert simulation.body(SERVICE)["metadata"]["labels"]["team"] == "clouds"


async def test_an_orphan_that_we_once_applied_is_adopted() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    before = simulation.state()
    metadata = {**simulation.body(SERVICE)["metadata"], "ownerReferences": []}
    simulation.server.edit(SERVICE, LONDON, metadata=metadata)
    await simulation.converge()
    assert simulation.state() == before


async def test_an_autoscaler_goes_before_a_number_is_written_and_comes_after_it() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    simulation.server.writes.clear()
    simulation.change(autoscaling=AUTOSCALING)
    await simulation.converge()
    replicas = f"apply Deployment default/london {FIELD_MANAGER}-replicas"
    autoscaler = f"{AUTOSCALER.name} default/london"
    came = simulation.log()
    assert came.index(replicas) < came.index(f"apply {autoscaler} {FIELD_MANAGER}")
    simulation.server.writes.clear()
    simulation.change(replicas=5)
    await simulation.converge()
    went = simulation.log()
    assert went.index(f"delete {autoscaler}") < went.index(replicas)


async def test_an_autoscaler_that_the_cache_has_yet_to_hear_of_is_respected() -> None:
    simulation = await Simulation.of(autoscaling=AUTOSCALING)
    await simulation.converge()
    edited(simulation, DEPLOYMENT, replicas=1)
    await simulation.sync()
    simulation.cache.forget(AUTOSCALER, LONDON)
    await simulation.reconciler.reconcile(LONDON, Priority.RESYNC)
    assert simulation.body(DEPLOYMENT)["spec"]["replicas"] == 1


@pytest.mark.parametrize(
    ("target", "expected"), [("london", 7), ("paris", 3)], ids=["of ours", "of another"]
)
async def test_an_autoscaler_of_any_name_that_the_cache_has_yet_to_hear_of_is_respected(
    target: str, expected: int
) -> None:
    simulation = await Simulation.of(replicas=3)
    await simulation.converge()
    edited(simulation, DEPLOYMENT, replicas=7)
    await simulation.sync()
    simulation.server.before = lambda _: None
    await simulation.server.create(AUTOSCALER, somebodys_autoscaler("keda-hpa", target))
    await simulation.reconciler.reconcile(LONDON, Priority.RESYNC)
    assert simulation.body(DEPLOYMENT)["spec"]["replicas"] == expected


async def test_a_load_balancer_of_another_class_is_reached_without_one() -> None:
    def service(name: str) -> dict[str, Any]:
        return {"type": "LoadBalancer", "port": 80, "loadBalancerClass": name}

    simulation = await Simulation.of(service=service("example.com/one"))
    await simulation.reconcile()
    simulation.change(service=service("example.com/two"))
    simulation.server.writes.clear()
    types: list[str] = []
    simulation.server.after = lambda request: (
        types.append(simulation.body(SERVICE)["spec"]["type"]) if request.kind is SERVICE else None
    )
    await simulation.converge()
    assert types == ["ClusterIP", "LoadBalancer"]
    assert simulation.body(SERVICE)["spec"]["loadBalancerClass"] == "example.com/two"


MIRROR = "mirror.example/weather:1.0.0"


def mirrored(kind: Kind, body: Manifest) -> None:
    """A policy of the cluster takes every image from its mirror."""
    if kind is DEPLOYMENT:
        for container in body["spec"]["template"]["spec"]["containers"]:
            container["image"] = container["image"].removeprefix("mirror.example/")
            container["image"] = f"mirror.example/{container['image']}"


def blockers(simulation: Simulation) -> list[tuple[str, str, str]]:
    found = simulation.body(WEATHER_APP)["status"].get("blockers", [])
    return [(each["reason"], each.get("object", ""), each["message"]) for each in found]


async def calm(simulation: Simulation) -> int:
    """Some passes, until no more is written; return how many writes there were."""
    before = len(simulation.server.writes)
    for _ in range(30):
        known = len(simulation.server.writes)
        await simulation.reconcile()
        if not simulation.turn() and len(simulation.server.writes) == known:
            return known - before
        simulation.seconds += 1
    raise AssertionError(f"no end, the last writes: {simulation.log()[-5:]}")


async def test_what_admission_makes_of_a_field_is_left_said_and_served() -> None:
    simulation = await Simulation.of(colour="yellow")
    simulation.server.admission = mirrored
    await calm(simulation)
    (blocker,) = blockers(simulation)
    assert blocker == (
        "FieldOverridden",
        "Deployment/london",
        f"spec.template.spec.containers[web].image is {MIRROR} instead of weather:1.0.0, "
        "by a policy or webhook of the cluster",
    )
    status = simulation.body(WEATHER_APP)["status"]
    ready = condition(status, "Ready")
    assert (ready["status"], ready["reason"]) == ("True", "FieldOverridden")
    assert "serves with 2 pods" in ready["message"]
    assert await calm(simulation) == 0


async def test_an_upgrade_and_a_rollback_go_their_way_under_admission() -> None:
    simulation = await Simulation.of(colour="yellow")
    simulation.server.admission = mirrored
    await calm(simulation)
    simulation.change(colour="green")
    await calm(simulation)
    assert simulation.body(WEATHER_APP)["status"]["colour"] == "green"
    simulation.change(colour="red")
    for _ in range(20):
        simulation.seconds += 60
        await calm(simulation)
    assert simulation.ready() == "RolledBack"
    assert simulation.body(WEATHER_APP)["status"]["colour"] == "green"


async def test_what_admission_only_adds_is_no_news() -> None:
    def add(kind: Kind, body: Manifest) -> None:
        if kind is SERVICE:
            for port in body["spec"]["ports"]:
                port["appProtocol"] = "http"

    simulation = await Simulation.of()
    simulation.server.admission = add
    await calm(simulation)
    assert simulation.ready() == "Serving"
    assert await calm(simulation) == 0


async def test_a_field_that_others_change_all_the_time_is_put_back_ever_later_and_said() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    simulation.server.writes.clear()
    simulation.priority = Priority.CHILD
    for _ in range(100):
        labels = {**simulation.body(SERVICE)["metadata"]["labels"], "app.kubernetes.io/name": "x"}
        metadata = {**simulation.body(SERVICE)["metadata"], "labels": labels}
        simulation.server.edit(SERVICE, LONDON, metadata=metadata)
        await simulation.reconcile()
        simulation.seconds += 0.25
    repairs = [each for each in simulation.server.writes if each.kind is SERVICE]
    assert 3 <= len(repairs) <= 6
    reason, about, message = blockers(simulation)[0]
    assert (reason, about) == ("FieldOverridden", "Service/london")
    assert message == "metadata.labels.app.kubernetes.io/name is x instead of weather, by others"
    simulation.seconds += 30
    await simulation.converge()
    assert blockers(simulation) == []
    assert simulation.ready() == "Serving"


def unavailable(kind: Kind) -> Callable[[Request], None]:
    def refuse(request: Request) -> None:
        if request.is_write and request.kind is kind:
            message = (
                'Internal error occurred: failed calling webhook "mutate.example.com": refused'
            )
            raise UnavailableError(500, "InternalError", message)

    return refuse


@pytest.mark.parametrize("kind", [DEPLOYMENT, SERVICE, DISRUPTION_BUDGET, AUTOSCALER, INGRESS])
async def test_a_child_that_cannot_be_written_hinders_no_other_and_is_said(kind: Kind) -> None:
    ingress = {"className": "nginx", "path": "/"}
    simulation = await Simulation.of(ingress=ingress, autoscaling=AUTOSCALING)
    simulation.server.before = unavailable(kind)
    for _ in range(4):
        await simulation.reconcile()
        simulation.turn()
        simulation.seconds += 1
    others = {DEPLOYMENT, SERVICE, DISRUPTION_BUDGET, AUTOSCALER, INGRESS} - {kind}
    if kind is DEPLOYMENT:
        others -= {AUTOSCALER}  # there is nothing to scale
    for each in others:
        assert simulation.server.body(each, LONDON), f"no {each.name}"
    reason, about, message = blockers(simulation)[0]
    assert (reason, about) == ("WebhookUnavailable", f"{kind.name}/london")
    assert "mutate.example.com" in message
    status = simulation.body(WEATHER_APP)["status"]
    assert condition(status, "Reconciling")["status"] == "True"
    assert condition(status, "Stalled")["status"] == "False"
    simulation.server.before = lambda _: None
    await calm(simulation)
    assert simulation.ready() == "AddressPending"


async def test_of_a_refusal_of_any_length_the_status_tells_the_beginning() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    words = 'admission webhook "policy" denied the request: no'

    def deny(request: Request) -> None:
        if request.is_write and request.kind is SERVICE:
            raise RefusedError(403, "Forbidden", f"{words}\n{'é' * 100_000}")

    simulation.server.before = deny
    simulation.change(service={"type": "NodePort", "port": 80})
    await simulation.reconcile()
    status = simulation.body(WEATHER_APP)["status"]
    assert all(each["message"].startswith(words) for each in status["blockers"])
    assert condition(status, "Ready")["message"].startswith(words)
    assert len(str(status)) < 20_000


async def test_where_nothing_answers_at_all_the_pass_ends() -> None:
    simulation = await Simulation.of()

    def away(request: Request) -> None:
        if request.is_write:
            raise UnavailableError(0, "Unreachable", "no answer from the API server")

    simulation.server.before = away
    with pytest.raises(UnavailableError):
        await simulation.reconcile()


async def test_a_backup_without_owners_and_managed_fields_is_adopted_and_no_pod_restarts() -> None:
    simulation = await Simulation.of(colour="yellow")
    await simulation.converge()
    before = simulation.state()
    template = simulation.body(DEPLOYMENT)["spec"]["template"]
    for kind in (DEPLOYMENT, SERVICE, DISRUPTION_BUDGET):
        body = simulation.body(kind)
        metadata = {
            name: body["metadata"][name] for name in ("name", "namespace", "labels", "annotations")
            if name in body["metadata"]
        }  # fmt: skip
        restored = {**body, "metadata": metadata}
        simulation.server.remove(kind, LONDON)
        await simulation.server.create(kind, restored)
        simulation.server.edit(kind, LONDON, spec=body["spec"])
    simulation.restart()
    await simulation.converge()
    assert simulation.state() == before
    assert simulation.body(DEPLOYMENT)["spec"]["template"] == template
    assert simulation.ready() == "Serving"


async def test_what_a_client_without_a_name_restored_is_adopted() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    before, body = simulation.state(), simulation.body(SERVICE)
    entry = {"operation": "Update", "fieldsV1": {"f:spec": {"f:type": {}}}}
    kept = {name: body["metadata"][name] for name in ("name", "namespace", "labels")}
    restored = {**body, "metadata": {**kept, "uid": "restored", "managedFields": [entry]}}
    simulation.server.remove(SERVICE, LONDON)
    simulation.server.put(SERVICE, LONDON, restored)
    await simulation.converge()
    assert simulation.state() == before


async def test_an_object_without_owner_and_our_labels_stays_untouched() -> None:
    simulation = await Simulation.of()
    metadata = {"name": "london", "namespace": "default", "labels": {"app": "theirs"}}
    spec = {"type": "ClusterIP", "ports": [{"port": 99}]}
    await simulation.server.create(SERVICE, {"metadata": metadata, "spec": spec})
    before = simulation.body(SERVICE)
    await calm(simulation)
    assert simulation.body(SERVICE) == before
    assert simulation.ready() == "NameConflict"


async def test_a_child_that_hangs_in_its_deletion_is_waited_for_and_said() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    body = simulation.body(SERVICE)
    ending = {"deletionTimestamp": simulation.now(), "finalizers": ["example.com/balancer"]}
    metadata = {**body["metadata"], **ending}
    simulation.server.edit(SERVICE, LONDON, metadata=metadata)
    await calm(simulation)
    assert simulation.ready() == "WaitingForDeletion"
    reason, about, message = blockers(simulation)[0]
    assert (reason, about) == ("WaitingForDeletion", "Service/london")
    assert "example.com/balancer" in message
    simulation.server.remove(SERVICE, LONDON)
    await simulation.converge()
    assert simulation.ready() == "Serving"


async def test_a_child_of_a_predecessor_is_waited_for_and_said() -> None:
    simulation = await Simulation.of()
    await simulation.converge()
    body = simulation.body(SERVICE)
    (owner,) = body["metadata"]["ownerReferences"]
    metadata = {**body["metadata"], "ownerReferences": [{**owner, "uid": "before"}]}
    simulation.server.edit(SERVICE, LONDON, metadata=metadata)
    await calm(simulation)
    assert simulation.ready() == "WaitingForDeletion"
    simulation.server.remove(SERVICE, LONDON)
    await simulation.converge()
    assert simulation.ready() == "Serving"


async def test_a_deployment_that_is_deleted_again_at_once_begins_with_the_least_number() -> None:
    simulation = await Simulation.of(autoscaling=AUTOSCALING)
    for _ in range(3):
        await simulation.converge()
        simulation.server.remove(DEPLOYMENT, LONDON)
        simulation.priority = Priority.CHILD
        await simulation.reconcile()
        assert simulation.body(DEPLOYMENT)["spec"]["replicas"] == AUTOSCALING["minReplicas"]


async def test_a_deployment_that_is_deleted_again_and_again_is_never_made_of_its_number_alone() -> (
    None
):
    simulation = await Simulation.of(replicas=3)
    await simulation.converge()
    simulation.priority = Priority.CHILD
    for _ in range(20):
        if simulation.server.body(DEPLOYMENT, LONDON):
            simulation.server.remove(DEPLOYMENT, LONDON)
        await simulation.reconcile()
        simulation.seconds += 0.2
        assert "Blocked" not in [reason for reason, _, _ in blockers(simulation)]
    assert blockers(simulation)[0][:2] == ("FieldOverridden", "Deployment/london")
    simulation.seconds += 30
    await simulation.converge()
    assert simulation.ready() == "Serving"


def somebodys_autoscaler(name: str, app: str = "london") -> Manifest:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": app}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 9}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


@pytest.mark.parametrize("name", ["london", "keda-hpa-london"])
@pytest.mark.parametrize("spec", [{}, {"autoscaling": AUTOSCALING}], ids=["plain", "autoscaled"])
async def test_somebody_elses_autoscaler_sets_the_number_and_is_named(
    name: str, spec: dict[str, Any]
) -> None:
    simulation = await Simulation.of(**spec)
    await simulation.converge()
    if name == "london" and spec:
        simulation.server.remove(AUTOSCALER, LONDON)
    simulation.server.before = lambda _: None
    await simulation.server.create(AUTOSCALER, somebodys_autoscaler(name))
    edited(simulation, DEPLOYMENT, replicas=7)
    simulation.server.writes.clear()
    await calm(simulation)
    assert simulation.body(DEPLOYMENT)["spec"]["replicas"] == 7
    assert simulation.ready() == "AutoscalerConflict"
    reason, about, _ = blockers(simulation)[0]
    assert (reason, about) == ("AutoscalerConflict", f"HorizontalPodAutoscaler/{name}")
    assert not [each for each in simulation.log() if "replicas" in each]
    others = [each for (kind, _), each in simulation.server.bodies().items() if kind is AUTOSCALER]
    assert [each["metadata"]["name"] for each in others] == [name]
    simulation.server.remove(AUTOSCALER, Key(namespace="default", name=name))
    await simulation.converge()
    assert simulation.ready() == "Serving"


async def test_a_site_of_which_somebody_elses_autoscaler_leaves_no_pod_is_not_called_ready() -> (
    None
):
    simulation = await Simulation.of(replicas=3)
    await simulation.converge()
    simulation.server.before = lambda _: None
    await simulation.server.create(AUTOSCALER, somebodys_autoscaler("keda-hpa-london"))
    edited(simulation, DEPLOYMENT, replicas=0)
    await calm(simulation)
    ready = condition(simulation.body(WEATHER_APP)["status"], "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "AutoscalerConflict")
    assert ready["message"].startswith("no pods, of 3 asked for. HorizontalPodAutoscaler/keda-hpa")
    edited(simulation, DEPLOYMENT, replicas=1)
    await calm(simulation)
    assert condition(simulation.body(WEATHER_APP)["status"], "Ready")["status"] == "True"
    edited(simulation, DEPLOYMENT, replicas=0)
    simulation.change(replicas=0)
    await calm(simulation)
    ready = condition(simulation.body(WEATHER_APP)["status"], "Ready")
    assert (ready["status"], "switched off: replicas is 0" in ready["message"]) == ("True", True)


async def test_a_second_disruption_budget_is_named_where_it_selects_our_pods() -> None:
    def budget(name: str, labels: dict[str, str]) -> Manifest:
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": labels}}
        return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}

    simulation = await Simulation.of()
    await simulation.converge()
    labels = {"app.kubernetes.io/instance": "london"}
    await simulation.server.create(DISRUPTION_BUDGET, budget("theirs", labels))
    await simulation.server.create(DISRUPTION_BUDGET, budget("another", {"app": "shop"}))
    await calm(simulation)
    reason, about, message = blockers(simulation)[0]
    assert (reason, about) == ("DisruptionBudgetConflict", "PodDisruptionBudget/theirs")
    assert "delete it" in message
    assert condition(simulation.body(WEATHER_APP)["status"], "Ready")["status"] == "True"


async def test_a_site_of_no_pods_starts_none() -> None:
    simulation = await Simulation.of(replicas=0)
    running: list[bool] = []
    simulation.server.after = lambda request: (
        running.append(
            simulation.body(DEPLOYMENT)["spec"]["replicas"] > 0
            and not simulation.body(DEPLOYMENT)["spec"].get("paused")
        )
        if request.kind is DEPLOYMENT
        else None
    )
    await simulation.converge()
    assert simulation.ready() == "ScaledToZero"
    assert running
    assert not any(running)
    assert simulation.body(DEPLOYMENT)["spec"].get("paused") is not True


async def test_where_the_status_is_refused_the_children_are_written_and_an_event_says_it() -> None:
    def refuse(request: Request) -> None:
        if request.kind is WEATHER_APP and request.part == "status":
            raise RefusedError(403, "Forbidden", "a policy does not like this status")

    simulation = await Simulation.of()
    simulation.server.before = refuse
    await simulation.reconcile()
    simulation.turn()
    with pytest.raises(RefusedError):
        await simulation.reconcile()
    for kind in (DEPLOYMENT, SERVICE, DISRUPTION_BUDGET):
        assert simulation.server.body(kind, LONDON)
    assert "StatusRefused" in simulation.events()
    simulation.server.before = lambda _: None
    await simulation.converge()
    assert simulation.ready() == "Serving"
