"""An Ingress of another class, whose status has the former address, and one that is taken away."""

from support.simulation import LONDON, ROUTED, Simulation
from support.trials import status
from weather_operator.kube.resources import INGRESS, Kind, Manifest
from weather_operator.status.conditions import condition

OLD: Manifest = {"ingress": {"className": "nginx", "path": "/"}}
NEW: Manifest = {"ingress": {"className": "traefik", "path": "/"}}


def stamped(simulation: Simulation) -> None:
    """Have the API server note when each manager has written, as the real one does."""

    def stamp(kind: Kind, body: Manifest) -> None:
        if kind is INGRESS:
            for each in body["metadata"]["managedFields"]:
                each.setdefault("time", simulation.now())

    simulation.server.admission = stamp


def give_address(simulation: Simulation, address: str) -> None:
    """Play the controller of a class."""
    given = {"loadBalancer": {"ingress": [{"hostname": address}]}}
    simulation.server.edit(INGRESS, LONDON, status=given)
    body = simulation.body(INGRESS)
    entry = {
        "manager": "controller",
        "operation": "Update",
        "subresource": "status",
        "time": simulation.now(),
        "fieldsV1": {"f:status": {"f:loadBalancer": {"f:ingress": {}}}},
    }
    entries = [each for each in body["metadata"]["managedFields"] if "subresource" not in each]
    metadata = {**body["metadata"], "managedFields": [*entries, entry]}
    simulation.server.edit(INGRESS, LONDON, metadata=metadata)


async def served_by_the_old(*, has_times: bool = True) -> Simulation:
    simulation = await Simulation.of(**OLD)
    if has_times:
        stamped(simulation)
    await simulation.converge()
    simulation.seconds += 5
    give_address(simulation, "old.example")
    await simulation.converge()
    assert (simulation.ready(), status(simulation)["url"]) == ("Serving", "http://old.example/")
    simulation.seconds += 100
    return simulation


async def passes(simulation: Simulation) -> str:
    for _ in range(4):
        await simulation.reconcile()
        simulation.turn()
    return simulation.ready()


async def test_a_site_waits_for_the_address_that_its_new_class_gives() -> None:
    simulation = await served_by_the_old()
    simulation.change(**NEW)
    assert await passes(simulation) == "AddressPending"
    assert "url" not in status(simulation)
    simulation.restart()
    simulation.seconds += 30
    assert await passes(simulation) == "AddressPending"
    give_address(simulation, "new.example")
    assert await passes(simulation) == "Serving"
    assert status(simulation)["url"] == "http://new.example/"


async def test_an_address_that_no_controller_writes_again_is_believed_after_a_while() -> None:
    simulation = await served_by_the_old()
    simulation.change(**NEW)
    await simulation.reconcile()
    outcome = await simulation.reconcile()
    assert simulation.ready() == "AddressPending"
    assert outcome.requeue_after, "nobody tells that the time is over"
    simulation.seconds += 60
    assert await passes(simulation) == "Serving"
    simulation.change(**{**NEW, **ROUTED, "ingress": {**NEW["ingress"], "host": "a.example"}})
    assert await passes(simulation) == "Serving", "its class has not changed"


async def test_where_no_times_are_known_the_address_is_believed() -> None:
    simulation = await served_by_the_old(has_times=False)
    simulation.change(**NEW)
    assert await passes(simulation) == "Serving"


async def test_the_class_that_has_served_serves_again_at_once_if_the_other_has_not() -> None:
    simulation = await served_by_the_old()
    simulation.change(**NEW)
    assert await passes(simulation) == "AddressPending"
    simulation.change(**OLD)
    assert await passes(simulation) == "Serving"
    assert status(simulation)["url"] == "http://old.example/"


async def test_a_route_that_was_taken_away_and_hangs_is_said_while_the_site_serves() -> None:
    simulation = await served_by_the_old()
    simulation.change()
    ending = {"deletionTimestamp": simulation.now(), "finalizers": ["example.com/balancer"]}
    metadata = {**simulation.body(INGRESS)["metadata"], **ending}
    simulation.server.edit(INGRESS, LONDON, metadata=metadata)
    assert await passes(simulation) == "WaitingForDeletion"
    ready = condition(status(simulation), "Ready")
    assert ready["status"] == "True"
    assert "waits for whoever is to remove example.com/balancer, and may lead" in ready["message"]
    simulation.server.remove(INGRESS, LONDON)
    assert await passes(simulation) == "Serving"
    assert "blockers" not in status(simulation)
