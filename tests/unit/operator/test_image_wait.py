"""A rollout to an image that its registry does not have waits a minute, and no longer."""

import asyncio
from typing import Any, cast

import pytest
from support.fake_api_server import FakeApiServer, Request
from support.fleet_in_memory import ROLLS, app
from support.simulation import LONDON, Simulation
from support.virtual_time import in_virtual_time, now
from weather_operator.controller.event_handlers import new_cache
from weather_operator.controller.fleet import Fleet
from weather_operator.controller.reconciler import Outcome
from weather_operator.controller.workqueue import WorkQueue
from weather_operator.kube.cache import Cache
from weather_operator.kube.errors import RefusedError
from weather_operator.kube.resources import DEPLOYMENT, Key, Kind, Manifest
from weather_operator.model import WEATHER_APP, WEATHER_RELEASE
from weather_operator.releases.controller import ReleaseController
from weather_operator.releases.digests import DigestResolver, Lookup
from weather_operator.releases.image_reference import RegistryError
from weather_operator.releases.lookups import Lookups
from weather_operator.status.conditions import condition

MESSAGE = "the registry has no image weather:2.0.0"


def says(simulation: Simulation, status: str, reason: str = "NotFound") -> None:
    """Let the release 2.0.0 have the registry's answer."""
    told = {"type": "Available", "status": status, "reason": reason, "message": MESSAGE}
    about = {"observedGeneration": 1, "conditions": [told]}
    simulation.server.edit(WEATHER_RELEASE, Key(name="2.0.0"), status=about)


async def goes_to_green(status: str = "False", reason: str = "NotFound", **spec: Any) -> Simulation:
    """London serves 1.0.0, and has just been told to go to 2.0.0."""
    simulation = await Simulation.of(colour="yellow", **spec)
    await simulation.converge()
    says(simulation, status, reason)
    simulation.change(colour="green", **spec)
    return simulation


async def passes(simulation: Simulation, number: int = 4) -> Outcome:
    """Do some passes in no time."""
    outcome = Outcome()
    for _ in range(number):
        outcome = await simulation.reconcile()
        simulation.turn()
    return outcome


def version(simulation: Simulation) -> str:
    """The version of the pods that the Deployment has made."""
    labels = simulation.body(DEPLOYMENT)["spec"]["template"]["metadata"]["labels"]
    return str(labels["app.kubernetes.io/version"])


def blockers(simulation: Simulation) -> list[Manifest]:
    found: list[Manifest] = simulation.body(WEATHER_APP)["status"].get("blockers", [])
    return found


async def test_it_is_said_at_once_and_the_pods_stay_until_the_minute_is_over() -> None:
    simulation = await goes_to_green()
    began = simulation.now()
    outcome = await passes(simulation)
    ready = condition(simulation.body(WEATHER_APP)["status"], "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "WaitingForImage")
    assert ready["message"].startswith("1.0.0 to 2.0.0 waits until 2026-01-01T10:0")
    assert ready["message"].endswith(MESSAGE)
    assert blockers(simulation) == [
        {
            "reason": "ImageNotFound",
            "message": f"{MESSAGE}. Push it, or correct the WeatherRelease's image.",
            "object": "WeatherRelease/2.0.0",
            "since": began,
        }
    ]
    assert outcome.requeue_after == 60
    simulation.seconds += 59
    assert (await passes(simulation)).requeue_after == 1
    assert version(simulation) == "1.0.0"
    simulation.seconds += 1
    await passes(simulation, 1)
    assert version(simulation) == "2.0.0"
    await simulation.converge()
    assert simulation.ready() == "Serving", "the nodes had it"
    assert blockers(simulation) == []


async def test_in_a_wave_it_is_waited_for_once_and_takes_nobodys_turn_meanwhile() -> None:
    simulation = await Simulation.of(colour="yellow")
    await simulation.converge()
    simulation.fleet = lambda cache: Fleet(
        cache, WorkQueue(), limit="1", clock=lambda: simulation.seconds
    )
    simulation.restart()
    simulation.server.put(WEATHER_APP, Key(namespace="default", name="paris"), app("paris", ROLLS))
    release = Key(name="1.0.0")
    spec = {"version": "1.0.0", "colour": "yellow", "image": "weather:better"}
    simulation.server.edit(WEATHER_RELEASE, release, spec=spec)
    told = {"type": "Available", "status": "False", "reason": "NotFound", "message": MESSAGE}
    about = {"observedGeneration": 2, "conditions": [told]}
    simulation.server.edit(WEATHER_RELEASE, release, status=about)
    began = simulation.now()
    await passes(simulation)
    assert simulation.ready() == "WaitingForImage", "it may come before others have begun"
    simulation.seconds += 60
    assert (await passes(simulation)).requeue_after is None
    assert simulation.ready() == "Waiting"
    assert [each["since"] for each in blockers(simulation)] == [began]
    simulation.server.remove(WEATHER_APP, Key(namespace="default", name="paris"))
    simulation.seconds += 10
    await passes(simulation, 1)
    container = simulation.body(DEPLOYMENT)["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "weather:better"


async def test_an_image_that_comes_is_rolled_out_at_once() -> None:
    simulation = await goes_to_green()
    await passes(simulation)
    says(simulation, "True", "Resolved")
    await passes(simulation, 1)
    assert version(simulation) == "2.0.0"


@pytest.mark.parametrize("reason", ["AccessDenied", "RegistryUnreachable", "UnexpectedAnswer"])
async def test_a_registry_that_the_operator_cannot_ask_is_not_waited_for(reason: str) -> None:
    simulation = await goes_to_green("Unknown", reason)
    await passes(simulation, 1)
    assert version(simulation) == "2.0.0"


async def test_a_new_operator_does_not_begin_to_wait_anew() -> None:
    simulation = await goes_to_green()
    await passes(simulation)
    simulation.seconds += 40
    simulation.restart()
    assert (await passes(simulation)).requeue_after == 20
    assert version(simulation) == "1.0.0"


async def test_it_waits_no_longer_than_a_rollout_may_take() -> None:
    simulation = await goes_to_green(rollout={"progressDeadlineSeconds": 10})
    assert (await passes(simulation)).requeue_after == 10


async def test_a_beginning_that_a_fast_clock_wrote_is_not_believed() -> None:
    simulation = await goes_to_green()
    await passes(simulation)
    simulation.seconds -= 600
    assert (await passes(simulation)).requeue_after == 60


async def test_without_a_beginning_it_waits_from_now_on() -> None:
    simulation = await goes_to_green()
    await passes(simulation)
    said = simulation.body(WEATHER_APP)["status"]
    left = [{k: v for k, v in each.items() if k != "since"} for each in said["blockers"]]
    simulation.server.edit(WEATHER_APP, LONDON, status={**said, "blockers": left})
    simulation.seconds += 40
    assert (await passes(simulation)).requeue_after == 60


async def test_the_number_of_pods_is_changed_meanwhile() -> None:
    simulation = await goes_to_green()
    await passes(simulation)
    simulation.change(colour="green", replicas=4)
    await passes(simulation, 6)
    assert simulation.body(DEPLOYMENT)["spec"]["replicas"] == 4
    assert version(simulation) == "1.0.0"


async def test_neither_the_way_back_nor_another_setting_nor_a_new_site_waits() -> None:
    simulation = await goes_to_green("True", "Resolved")
    await simulation.converge()
    says(simulation, "False", "TagGone")
    simulation.change(colour="green", weather={"units": "imperial"})
    await passes(simulation, 2)
    assert simulation.ready() != "WaitingForImage"
    await simulation.converge()
    simulation.change(colour="red")
    await passes(simulation, 2)
    simulation.change(colour="green", weather={"units": "imperial"})
    await simulation.converge()
    assert version(simulation) == "2.0.0"
    new = await Simulation.of(colour="green")
    says(new, "False")
    await passes(new, 1)
    assert version(new) == "2.0.0"


async def test_no_trial_begins_before() -> None:
    steps = {"steps": [{"weight": 50, "durationSeconds": 1}]}
    strategy = {"strategy": {"type": "Canary", "canary": steps}}
    simulation = await goes_to_green(rollout=strategy)
    await passes(simulation)
    assert simulation.ready() == "WaitingForImage"
    simulation.seconds += 60
    await passes(simulation, 1)
    assert simulation.body(WEATHER_APP)["status"]["rollout"]["phase"] == "Preparing"


async def test_a_write_that_is_refused_after_the_minute_does_not_begin_another() -> None:
    simulation = await goes_to_green()
    await passes(simulation)

    def refuse(request: Request) -> None:
        if request.is_write and request.kind is DEPLOYMENT:
            raise RefusedError(403, "Forbidden", "a policy says no")

    simulation.server.before = refuse
    simulation.seconds += 60
    await passes(simulation)
    assert {each["reason"] for each in blockers(simulation)} >= {"ImageNotFound"}
    simulation.server.before = lambda _: None
    await passes(simulation, 1)
    assert version(simulation) == "2.0.0"


class Registry:
    """A registry that has no image, and tells when it was asked."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def look_up(self, image: str, *, pinned: str | None) -> Lookup:
        self.asked.append(now())
        await asyncio.sleep(1)
        return Lookup(error=RegistryError("NotFound", MESSAGE))


class Handlers:
    """Takes in what is written, and does nothing else about it."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def on_event(self, kind: Kind, type_: str | None, body: Manifest) -> None:
        self._cache.put(kind, body)

    def enqueue_for_release(self, body: Manifest) -> None:
        """Look at nothing."""


@in_virtual_time
async def test_what_an_app_waits_for_is_looked_up_at_once_and_soon_again() -> None:
    server, cache, registry = FakeApiServer(), new_cache(), Registry()
    spec = {"version": "2.0.0", "colour": "green", "image": "weather:2.0.0"}
    release = await server.create(WEATHER_RELEASE, {"metadata": {"name": "2.0.0"}, "spec": spec})
    cache.put(WEATHER_RELEASE, release)
    lookups = Lookups(asyncio.Event())
    controller = ReleaseController(
        server,
        cache,
        Handlers(cache),
        cast(DigestResolver, registry),
        lookups=lookups,
        refresh_seconds=3600,
        now=lambda: "2026-01-01T00:00:00Z",
        clock=now,
    )
    running = asyncio.ensure_future(controller.run())
    await asyncio.sleep(2000)
    begun = len(registry.asked)
    for _ in range(30):  # apps
        lookups.ask_again(f"{release['metadata']['uid']}/1")
        await asyncio.sleep(0.01)
    await asyncio.sleep(60)
    running.cancel()
    later = [round(each - 2000) for each in registry.asked[begun:]]
    assert later == [0, 16, 47]


async def test_the_reconciler_asks_once_for_what_it_begins_to_wait_for() -> None:
    simulation = await goes_to_green()
    lookups = Lookups(asyncio.Event())
    simulation.reconciler._lookups = lookups
    await passes(simulation, 1)
    release = simulation.server.body(WEATHER_RELEASE, Key(name="2.0.0"))
    assert release
    assert lookups.asked_for == {f"{release['metadata']['uid']}/1"}
    lookups.asked_for.clear()  # by the lookup
    await passes(simulation)
    assert lookups.asked_for == set()


async def test_a_site_whose_new_image_is_being_looked_up_is_not_called_ready() -> None:
    simulation = await Simulation.of(colour="yellow")
    await simulation.converge()
    simulation.reconciler._lookups = Lookups(asyncio.Event())
    simulation.change(colour="green")
    await passes(simulation, 1)
    ready = condition(simulation.body(WEATHER_APP)["status"], "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "RollingOut")
    assert ready["message"] == "1.0.0 to 2.0.0 waits for its image's digest"
