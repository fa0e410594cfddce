"""Who begins a rollout that its own spec does not ask for, and who waits for whom."""

import asyncio
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from support.fake_api_server import Request
from support.fleet_in_memory import (
    DONE,
    FAILED,
    NEW,
    OLD,
    ROLLS,
    SERVING,
    TRIES,
    UPGRADES,
    WAITS,
    Apps,
    app,
    observed,
    served,
    status,
)
from support.simulation import Simulation
from support.virtual_time import in_virtual_time
from weather_operator import render
from weather_operator.controller.fleet import Fleet, is_fleet_rollout, limit_of
from weather_operator.controller.workqueue import Priority, WorkQueue
from weather_operator.kube.errors import RefusedError
from weather_operator.kube.resources import DEPLOYMENT, SERVICE, Key, Manifest
from weather_operator.model import (
    FIELD_MANAGER,
    REPLICAS_MANAGER,
    WEATHER_APP,
    WEATHER_RELEASE,
    Release,
)
from weather_operator.model.parsing import parse_app
from weather_operator.rollout.plan import plan
from weather_operator.rollout.spec_change import is_spec_change_pending
from weather_operator.status.conditions import condition
from weather_operator.status.conditions import status as status_of


@in_virtual_time
async def test_so_many_begin_and_the_others_wait_for_them() -> None:
    apps = Apps(*(app(name) for name in "abcd"))
    assert [apps.ask(name) for name in "ab"] == ["", ""]
    assert apps.ask("c") == "2 others: at most 2 roll out at a time, the oldest first"
    assert apps.ask("a") == "", "one that was let begin is asked again while its write is repeated"


@in_virtual_time
async def test_the_oldest_of_those_that_wait_is_the_next() -> None:
    apps = Apps(app("a", ROLLS), app("b", WAITS, born=2), app("c", WAITS, born=1), app("new"))
    assert apps.ask("b").startswith("2 others")
    assert apps.ask("new").startswith("3 others")
    assert apps.ask("c") == ""


@in_virtual_time
async def test_several_who_have_waited_begin_together() -> None:
    apps = Apps(*(app(name, WAITS) for name in "abcd"), limit="3")
    assert [bool(apps.ask(name)) for name in "abcd"] == [False, False, False, True]


@in_virtual_time
async def test_who_has_waited_is_enqueued_when_another_is_done() -> None:
    apps = Apps(app("a", ROLLS), app("b", ROLLS), *(app(name, WAITS) for name in "cd"))
    running = asyncio.ensure_future(apps.fleet.run())
    await asyncio.sleep(5)
    assert len(apps.queue) == 0
    apps.put(app("a", DONE))
    await asyncio.sleep(2)
    running.cancel()
    work = await apps.queue.take()
    assert (work.key.name, work.priority, len(apps.queue)) == ("c", Priority.RELEASE, 0)
    assert apps.ask("c") == ""


@in_virtual_time
async def test_what_was_let_begin_counts_until_its_status_says_so_or_for_a_while() -> None:
    apps = Apps(*(app(name) for name in "abc"), limit="1")
    assert apps.ask("a") == ""
    await asyncio.sleep(5)
    assert apps.ask("b")
    apps.put(app("a", ROLLS))
    await asyncio.sleep(2)
    assert apps.ask("b")
    apps.put(app("a", DONE))
    await asyncio.sleep(2)
    assert apps.ask("b") == ""
    await asyncio.sleep(11)
    assert apps.ask("c") == "", "nothing came of b's"


@in_virtual_time
async def test_users_own_upgrades_take_nobodys_turn() -> None:
    apps = Apps(app("a", UPGRADES), app("b", UPGRADES), app("c"))
    assert apps.ask("c") == ""


@pytest.mark.parametrize("tries", TRIES, ids=lambda each: each["rollout"]["phase"])
@in_virtual_time
async def test_trials_take_a_turn_until_their_canary_has_gone(tries: Manifest) -> None:
    apps = Apps(app("a", tries), app("b", ROLLS), app("c"))
    assert apps.ask("c").startswith("2 others")
    asked_for = {**tries, "rollout": {**tries["rollout"], "from": "1.0.0"}}
    apps.put(app("a", asked_for))
    await asyncio.sleep(2)
    assert apps.ask("c") == "", "another version is what its own spec asks for"


def test_a_trial_that_has_begun_never_waits() -> None:
    for tries in TRIES:
        assert not is_fleet_rollout(observed(app("a", tries)))


@in_virtual_time
async def test_a_failure_rate_stops_the_wave_and_is_said_and_a_better_image_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    apps = Apps(*(app(f"failed-{n}", FAILED) for n in range(2)), app("done", DONE), app("c", WAITS))
    assert apps.ask("c").startswith("a person: 2 of 3 apps failed with w:new, so no more begin")
    running = asyncio.ensure_future(apps.fleet.run())
    await asyncio.sleep(25)
    running.cancel()
    assert [vars(record)["image"] for record in caplog.records] == ["w:new"]
    better = Release(version="2.0.0", colour="green", image="w:better")
    (body,) = (each for each in apps.cache.all(WEATHER_APP) if each["metadata"]["name"] == "c")
    assert apps.fleet.waits_for(observed(body, release=better)) == ""


@pytest.mark.parametrize("others", [[FAILED, DONE], [FAILED] * 2 + [DONE] * 8])
@in_virtual_time
async def test_a_few_failures_stop_nothing(others: list[Manifest]) -> None:
    apps = Apps(app("a"), *(app(f"other-{n}", told) for n, told in enumerate(others)))
    assert apps.ask("a") == ""


def test_what_its_own_spec_asks_for_and_what_is_not_at_rest_never_waits() -> None:
    assert is_fleet_rollout(observed(app("a")))
    assert not is_fleet_rollout(observed(app("a"), release=OLD))
    assert not is_fleet_rollout(observed(app("a"), updated=1)), "it rolls out already"
    other = Release(version="3.0.0", colour="red", image="w:3")
    assert not is_fleet_rollout(observed(app("a"), release=other))
    missing = replace(NEW, missing="the registry has no image w:new")
    assert not is_fleet_rollout(observed(app("a"), release=missing)), "its turn is yet to come"
    paused = app("a")
    paused["spec"]["rollout"]["paused"] = True
    assert not is_fleet_rollout(observed(paused))
    suspended = app("a")
    suspended["spec"]["suspend"] = True
    assert not is_fleet_rollout(observed(suspended))
    wanted = render.revision(parse_app(app("a")), NEW)
    failures = [{"revision": wanted, "version": "2.0.0", "at": "", "reason": "", "attempt": 0}]
    failed = app("a", {**SERVING, "failedRevisions": failures})
    assert not is_fleet_rollout(observed(failed))
    again = with_spec(failed, rollout={"attempt": 1})
    assert not is_fleet_rollout(observed(again)), "a person has it tried again"


@in_virtual_time
async def test_without_a_bound_nobody_waits() -> None:
    apps = Apps(*(app(f"a{n}", FAILED) for n in range(5)), app("z"), limit="0")
    assert apps.ask("z") == ""
    assert not apps.fleet.has_limit


@pytest.mark.parametrize(
    ("limit", "size", "expected"),
    [("3", 1000, 3), ("10%", 1000, 100), ("10%", 51, 6), ("10%", 3, 5), ("100%", 8, 8)],
)
def test_a_percentage_is_of_all_apps_and_never_less_than_a_few(
    limit: str, size: int, expected: int
) -> None:
    assert limit_of(limit, size) == expected


def test_who_waits_says_so_and_keeps_its_pods_while_all_else_is_scaled_and_repaired() -> None:
    waits = replace(observed(app("a"), desired=3), waits_for="2 others: at most 2")
    planned = plan(waits)
    assert planned
    written = [(write.kind, write.manager) for write in planned.writes]
    assert (DEPLOYMENT, FIELD_MANAGER) not in written
    assert {(DEPLOYMENT, REPLICAS_MANAGER), (SERVICE, FIELD_MANAGER)} < set(written)
    told = condition(status_of(waits, planned), "Ready")
    assert (told["status"], told["reason"], told["message"]) == (
        "False",
        "Waiting",
        "rolling out 2.0.0 waits for 2 others: at most 2",
    )
    goes_on = plan(replace(waits, waits_for=""))
    assert goes_on
    assert (DEPLOYMENT, FIELD_MANAGER) in [(each.kind, each.manager) for each in goes_on.writes]


@in_virtual_time
async def test_an_app_that_does_not_begin_in_its_turn_holds_up_no_other() -> None:
    apps = Apps(*(app(name, WAITS, born=born) for born, name in enumerate("abc")), limit="1")
    running = asyncio.create_task(apps.fleet.run())
    await asyncio.sleep(50)
    assert apps.ask("b"), "it is the turn of a, whose pass never comes to its end"
    await asyncio.sleep(15)
    assert apps.ask("b") == ""
    apps.put(app("b", DONE, born=1))
    await asyncio.sleep(15)
    assert apps.ask("c") == ""
    apps.put(app("c", DONE, born=2))
    await asyncio.sleep(15)
    assert apps.ask("a") == "", "once nobody else waits"
    running.cancel()


@pytest.mark.parametrize(
    "counts",
    [
        {"desired": 3, "replicas": 3, "updated": 3, "available": 2},
        {"desired": 5, "replicas": 3, "updated": 3, "available": 3},
        {"desired": 3, "replicas": 3, "updated": 3, "available": 3, "observed": False},
    ],
    ids=["a pod is lost", "the load has more pods made", "a number is yet to be seen"],
)
def test_how_many_pods_there_are_begins_no_rollout(counts: Manifest) -> None:
    assert is_fleet_rollout(observed(served("a", WAITS), **counts))


def test_a_new_spec_goes_on_alone_where_it_asks_for_other_pods_and_not_for_more() -> None:
    scaled = served("a", WAITS)
    scaled["metadata"]["generation"], scaled["spec"]["replicas"] = 2, 9
    assert is_fleet_rollout(observed(scaled))
    before = observed(served("a", WAITS))
    moved = served("a", WAITS)
    moved["metadata"]["generation"], moved["spec"]["city"] = 2, "Paris"
    assert not is_fleet_rollout(replace(before, app=parse_app(moved)))


def test_a_policy_that_has_images_come_from_elsewhere_makes_no_scaling_a_change_of_pods() -> None:
    body = served("a", WAITS)
    scaled = observed(with_spec(body, replicas=9))
    live = deepcopy(scaled.child(DEPLOYMENT))
    assert live
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "mirror.example/w:old"
    app = replace(scaled.app, generation=2)
    assert is_fleet_rollout(replace(scaled, app=app, children={(DEPLOYMENT, "a"): live}))


@pytest.mark.parametrize("is_new", [False, True])
@pytest.mark.parametrize("hindrance", ["a refused write", "a closed window"])
async def test_a_change_of_an_apps_own_pods_that_was_hindered_waits_for_no_other_app(
    hindrance: str, is_new: bool
) -> None:
    simulation = await simulation_beside_a_rollout()
    windows = [{"start": "11:00", "end": "12:00"}] if hindrance == "a closed window" else []
    if not windows:
        simulation.server.before = refuse_deployments
    simulation.change(city="Paris", rollout={"windows": windows})
    for _ in range(3):
        await simulation.reconcile()
    assert simulation.ready() == ("WaitingForWindow" if windows else "Forbidden")
    simulation.server.before = lambda _: None
    simulation.seconds = 3600
    if is_new:
        simulation.restart()
    await simulation.converge()
    assert simulation.ready() == "Serving"
    assert "specChangePending" not in simulation.body(WEATHER_APP)["status"]


def test_a_new_spec_of_which_nothing_could_be_read_waits_for_no_other_app() -> None:
    unread = replace(observed(served("a", WAITS)), release=None, children={})
    assert not is_spec_change_pending(unread)
    assert is_spec_change_pending(replace(unread, app=replace(unread.app, generation=2)))


async def test_a_new_image_that_was_hindered_waits_for_the_others_all_the_same() -> None:
    simulation = await simulation_beside_a_rollout()
    simulation.server.before = refuse_deployments
    simulation.change(replicas=3)
    release = {"version": "1.0.0", "colour": "yellow", "image": "weather:better"}
    simulation.server.edit(WEATHER_RELEASE, Key(name="1.0.0"), spec=release)
    await simulation.reconcile()
    simulation.server.before = lambda _: None
    await simulation.converge()
    assert simulation.ready() == "Waiting"


@pytest.mark.parametrize("strategy", [{}, {"strategy": {"type": "BlueGreen"}}])
async def test_a_new_image_for_what_failed_of_an_apps_own_wish_waits_for_the_others(
    strategy: Manifest,
) -> None:
    simulation = await simulation_beside_a_rollout()
    simulation.change(colour="red", rollout=strategy)
    await simulation.converge()
    simulation.seconds += 120
    await simulation.converge()
    assert simulation.ready() == "RolledBack"
    release = {"version": "3.0.0", "colour": "red", "image": "weather:better"}
    simulation.server.edit(WEATHER_RELEASE, Key(name="3.0.0"), spec=release)
    await simulation.converge()
    assert simulation.ready() == "Waiting"


@in_virtual_time
async def test_where_nothing_serves_nobody_waits_but_for_an_image_that_fails() -> None:
    apps = Apps(app("a", ROLLS), app("b", ROLLS), served("c", WAITS))
    assert apps.ask("c").startswith("2 others")
    assert apps.ask("c", available=0) == ""
    apps = Apps(*(app(f"failed-{n}", FAILED) for n in range(2)), served("c", WAITS))
    assert apps.ask("c", available=0).startswith("a person")


def test_what_served_comes_again_where_the_deployment_of_one_that_waits_is_deleted() -> None:
    body = served("a", WAITS)
    deleted = replace(observed(body), children={})
    assert is_fleet_rollout(deleted)
    planned = plan(replace(deleted, waits_for="a person"))
    assert planned
    made = next(each.manifest for each in planned.writes if each.kind is DEPLOYMENT)
    assert made
    assert made["spec"]["template"] == render.pod_template(parse_app(body), OLD)


@in_virtual_time
async def test_a_new_image_of_a_version_that_failed_takes_turns_as_any_other() -> None:
    first = Release(version="1.0.0", colour="yellow", image="w:1")
    failed = {**FAILED, "history": [{**FAILED["history"][0], "version": "2.0.0", "image": "w:bad"}]}
    rolls = {**UPGRADES, "history": failed["history"]}
    apps = Apps(served("a", failed, release=first), app("b", rolls), app("c", rolls))
    assert apps.ask("a", runs=first).startswith("2 others")


@in_virtual_time
async def test_an_app_that_waits_for_its_end_takes_nobodys_turn() -> None:
    ending = [app("a", ROLLS), app("b", WAITS)]
    for body in ending:
        body["metadata"]["deletionTimestamp"] = "2026-01-01T09:00:00Z"
    apps = Apps(*ending, app("c"), limit="1")
    assert apps.ask("c") == ""


@in_virtual_time
async def test_failures_count_where_the_history_holds_the_last_success_alone() -> None:
    failure = {
        "revision": "r",
        "version": "2.0.0",
        "image": NEW.image,
        "at": "2026-01-01T09:00:00Z",
    }
    good = {"outcome": "Succeeded", "image": OLD.image, "at": "2026-01-01T08:00:00Z"}
    short = {**FAILED, "history": [good], "failedRevisions": [{**failure, "attempt": 0}]}
    apps = Apps(*(app(f"failed-{n}", short) for n in range(2)), app("c", WAITS))
    assert apps.ask("c").startswith("a person: 2 of 2 apps failed")
    better = {**good, "image": NEW.image, "at": "2026-01-01T10:00:00Z"}
    apps.put(*(app(f"failed-{n}", {**short, "history": [better]}) for n in range(2)))
    await asyncio.sleep(2)
    assert apps.ask("c") == ""


BETTER = replace(NEW, image="w:better")
REFUSED = status("Forbidden")


def with_spec(body: Manifest, **spec: Any) -> Manifest:
    """The app with another spec."""
    rollout = {**body["spec"]["rollout"], **spec.pop("rollout", {})}
    return {**body, "spec": {**body["spec"], **spec, "rollout": rollout}}


async def simulation_beside_a_rollout() -> Simulation:
    """London that serves, and another app that rolls out: no more may do so at a time."""
    simulation = await Simulation.of()
    simulation.fleet = lambda cache: Fleet(cache, WorkQueue(), limit="1")
    simulation.restart()
    await simulation.converge()
    simulation.server.put(
        WEATHER_APP, Key(namespace="default", name="other"), app("other", ROLLS, born=1)
    )
    return simulation


def refuse_deployments(request: Request) -> None:
    if (request.kind, request.part) == (DEPLOYMENT, FIELD_MANAGER):
        raise RefusedError(403, "Forbidden", "no")


@pytest.mark.parametrize("spec", [{"suspend": True}, {"rollout": {"paused": True}}])
@pytest.mark.parametrize("told", [ROLLS, WAITS, TRIES[1]], ids=["rolls", "waits", "is tried"])
@in_virtual_time
async def test_what_a_person_holds_takes_nobodys_turn(told: Manifest, spec: Manifest) -> None:
    apps = Apps(with_spec(app("a", told), **spec), app("b", WAITS, born=1), app("c"), limit="1")
    assert apps.ask("b") == ""
    assert apps.ask("c").startswith("1 other")


@in_virtual_time
async def test_a_trial_whose_window_has_closed_takes_nobodys_turn() -> None:
    stays = status("WaitingForWindow", rollout=TRIES[1]["rollout"])
    apps = Apps(app("a", stays), app("b", WAITS), limit="1")
    assert apps.ask("b") == ""
    assert not is_fleet_rollout(observed(app("a", stays))), "nor does it wait for one"


@in_virtual_time
async def test_an_app_whose_write_is_refused_in_its_turn_goes_last_from_then_on() -> None:
    apps = Apps(*(app(name, WAITS, born=born) for born, name in enumerate("abc")), limit="1")
    assert apps.ask("a") == ""
    apps.put(app("a", REFUSED))
    await asyncio.sleep(9)
    assert apps.ask("b"), "it is tried again"
    await asyncio.sleep(2)
    assert apps.ask("a").startswith("2 others")
    apps.put(app("a", WAITS))
    for name in "bc":
        await asyncio.sleep(2)
        assert apps.ask(name) == ""
        apps.put(app(name, ROLLS))
        await asyncio.sleep(2)
        assert apps.ask("a")
        apps.put(app(name, DONE))
    await asyncio.sleep(2)
    assert apps.ask("a") == ""


@in_virtual_time
async def test_a_turn_is_missed_for_a_while() -> None:
    apps = Apps(app("a", WAITS), app("b", WAITS, born=1), limit="1")
    assert apps.ask("a") == ""
    apps.put(app("a", REFUSED), app("b", REFUSED))
    running = asyncio.ensure_future(apps.fleet.run())
    await asyncio.sleep(700)
    running.cancel()
    apps.put(app("a", WAITS), app("b", WAITS, born=1))
    await asyncio.sleep(2)
    assert apps.ask("a") == "", "the oldest again"


@in_virtual_time
async def test_those_whose_image_fails_hold_up_no_other_image() -> None:
    failed = (app(f"failed-{n}", FAILED) for n in range(2))
    apps = Apps(*failed, *(app(name, WAITS, born=1) for name in "abc"), app("z", WAITS, born=2))
    assert all(apps.ask(name).startswith("a person") for name in "abc")
    assert apps.ask("z", release=BETTER) == ""
    apps.put(app("z", DONE))
    running = asyncio.ensure_future(apps.fleet.run())
    await asyncio.sleep(30)
    assert len(apps.queue) == 0
    apps.put(*(app(f"failed-{n}", DONE) for n in range(2)))
    await asyncio.sleep(6)
    running.cancel()
    assert len(apps.queue) == 2, "they have their turns again"


@in_virtual_time
async def test_an_image_that_has_failed_once_slows_no_other_wave() -> None:
    failed = (app(f"failed-{n}", FAILED) for n in range(2))
    apps = Apps(*failed, app("a", ROLLS), app("b", WAITS), limit="1")
    running = asyncio.ensure_future(apps.fleet.run())
    await asyncio.sleep(5)
    apps.put(app("a", SERVING))
    await asyncio.sleep(2)
    running.cancel()
    assert (await apps.queue.take()).key.name == "b"


@in_virtual_time
async def test_an_app_whose_write_takes_long_counts_meanwhile_but_not_for_ever() -> None:
    apps = Apps(app("a"), app("b"), limit="1")
    apps.queue.add(Key(namespace="default", name="a"), Priority.RELEASE)
    await apps.queue.take()
    assert apps.ask("a") == ""
    await asyncio.sleep(30)
    assert apps.ask("b").startswith("1 other")
    await asyncio.sleep(35)
    assert apps.ask("b") == ""


@in_virtual_time
async def test_it_counts_between_its_passes_too_unless_they_fail() -> None:
    apps = Apps(app("a"), app("b"), limit="1")
    apps.queue.add(Key(namespace="default", name="a"), Priority.RELEASE)
    work = await apps.queue.take()
    assert apps.ask("a") == ""
    apps.queue.add_next_step(work, delay=60)
    apps.queue.done(work.key)
    await asyncio.sleep(15)
    assert apps.ask("b").startswith("1 other")
    apps.queue.add_rate_limited(work)
    await asyncio.sleep(2)
    assert apps.ask("b") == ""
