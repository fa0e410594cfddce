"""Two electors on one API server, in virtual time."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fake_api_server import FakeApiServer, Request
from support.virtual_time import in_virtual_time, now
from weather_operator.kube.errors import RefusedError, UnavailableError
from weather_operator.kube.leader_election import (
    LEASE_SECONDS,
    RENEW_DEADLINE_SECONDS,
    RETRY_SECONDS,
    LeaderElector,
    LeaseLostError,
)
from weather_operator.kube.resources import LEASE, Key, Kind, Manifest

KEY = Key(namespace="default", name="lease")


def elector(server: FakeApiServer, identity: str) -> LeaderElector:
    return LeaderElector(server, KEY, identity, clock=now)


def spec(server: FakeApiServer) -> Manifest:
    body = server.body(LEASE, KEY)
    assert body
    found: Manifest = body["spec"]
    return found


def unavailable(_: Request) -> None:
    raise UnavailableError(503, "ServiceUnavailable", "down")


async def lead(one: LeaderElector, *, seconds: float) -> None:
    """Renew for a while, then end as a process does that is killed."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await one.renew()


@in_virtual_time
async def test_a_lease_that_was_given_back_is_taken_at_once() -> None:
    server = FakeApiServer()
    one, two = elector(server, "one"), elector(server, "two")
    await one.acquire()
    waiting = asyncio.ensure_future(two.acquire())
    await lead(one, seconds=60)
    assert not waiting.done()
    assert spec(server)["holderIdentity"] == "one"
    await one.release()
    released = now()
    await waiting
    assert now() - released < RETRY_SECONDS
    assert (spec(server)["holderIdentity"], spec(server)["leaseTransitions"]) == ("two", 1)


@in_virtual_time
async def test_a_leader_that_is_killed_is_followed_once_its_lease_has_run_out() -> None:
    server = FakeApiServer()
    one, two = elector(server, "one"), elector(server, "two")
    await one.acquire()
    waiting = asyncio.ensure_future(two.acquire())
    await lead(one, seconds=61)
    last_renewal = 60
    await waiting
    assert LEASE_SECONDS <= now() - last_renewal < LEASE_SECONDS + 2 * RETRY_SECONDS


@in_virtual_time
async def test_what_the_lease_says_about_the_time_is_not_believed() -> None:
    server = FakeApiServer()
    await elector(server, "one").acquire()
    for renewed in ("1999-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"):
        server.edit(LEASE, KEY, spec={**spec(server), "renewTime": renewed})
        began = now()
        two = elector(server, "two")
        await two.acquire()
        assert now() - began >= LEASE_SECONDS
        server.edit(LEASE, KEY, spec={**spec(server), "holderIdentity": "one"})


@in_virtual_time
async def test_the_same_pod_leads_again_at_once() -> None:
    server = FakeApiServer()
    await elector(server, "one").acquire()
    await elector(server, "one").acquire()
    assert now() == 0


@in_virtual_time
async def test_failing_renewals_lose_the_lease_before_another_may_have_it() -> None:
    server = FakeApiServer()
    one = elector(server, "one")
    await one.acquire()
    server.before = unavailable
    with pytest.raises(LeaseLostError, match="not renewed for 10 s"):
        await one.renew()
    assert RENEW_DEADLINE_SECONDS <= now() < LEASE_SECONDS
    server.before = lambda _: None
    await one.release()
    assert spec(server)["holderIdentity"] == "one", "it may be another's by now"


class Hanging(FakeApiServer):
    """It takes renewals and never answers them."""

    async def replace(self, *_arguments: object, **_named: object) -> Manifest:
        await asyncio.Event().wait()
        raise AssertionError


@in_virtual_time
async def test_a_renewal_that_hangs_loses_the_lease_in_time() -> None:
    one = elector(Hanging(), "one")
    await one.acquire()
    with pytest.raises(LeaseLostError, match="not renewed"):
        await one.renew()
    assert RENEW_DEADLINE_SECONDS <= now() < LEASE_SECONDS


@in_virtual_time
async def test_one_renewal_that_hangs_costs_nothing() -> None:
    class HangingOnce(FakeApiServer):
        hangs = True

        async def replace(self, kind: Kind, key: Key, body: Manifest) -> Manifest:
            if self.hangs and now() > 1:
                self.hangs = False
                await asyncio.Event().wait()
            return await super().replace(kind, key, body)

    server = HangingOnce()
    one = elector(server, "one")
    await one.acquire()
    await lead(one, seconds=30)
    assert not server.hangs
    assert one.is_held()


@in_virtual_time
async def test_after_a_standstill_nothing_is_held_and_that_is_the_cause() -> None:
    stood_still = 0
    server = FakeApiServer()
    one = LeaderElector(server, KEY, "one", clock=lambda: now() + stood_still)
    assert not one.is_held()
    await one.acquire()
    renewing = asyncio.ensure_future(one.renew())
    await asyncio.sleep(5)
    assert one.is_held()
    stood_still, before = 25, spec(server)
    assert not one.is_held(), "in the first moment, before any timer"
    with pytest.raises(LeaseLostError, match=r"stood still for 2[5-9] s"):
        await renewing
    await one.release()
    assert spec(server) == before, "it may be another's by now"


@in_virtual_time
async def test_a_lease_that_is_older_than_it_was_tells_of_a_restored_backup() -> None:
    server = FakeApiServer()
    one = elector(server, "one")
    told = []
    one.on_history_lost = lambda: told.append(now())
    await one.acquire()
    await lead(one, seconds=9)
    assert told == []
    live = server._objects[LEASE, KEY]
    older = {**live["metadata"], "resourceVersion": "7"}
    server._objects[LEASE, KEY] = {**live, "metadata": older}
    await lead(one, seconds=9)
    assert len(told) == 1
    assert one.is_held()


@in_virtual_time
async def test_whoever_leads_after_one_that_did_not_give_back_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    server = FakeApiServer()
    one = elector(server, "one")
    await one.acquire()
    await one.release()
    await elector(server, "two").acquire()
    await elector(server, "three").acquire()
    found = [vars(each) for each in caplog.records if each.getMessage() == "leading"]
    assert [each.get("not_given_back_by") for each in found] == [None, None, "two"]


@in_virtual_time
async def test_a_lease_that_another_took_is_lost_and_not_given_back() -> None:
    server = FakeApiServer()
    one = elector(server, "one")
    await one.acquire()
    server.edit(LEASE, KEY, spec={**spec(server), "holderIdentity": "two"})
    with pytest.raises(LeaseLostError, match="another process took it"):
        await one.renew()
    await one.release()
    assert spec(server)["holderIdentity"] == "two"


@in_virtual_time
async def test_a_lease_that_somebody_deletes_is_made_again_by_who_leads() -> None:
    server = FakeApiServer()
    one = elector(server, "one")
    told = []
    one.on_history_lost = lambda: told.append(now())
    await one.acquire()
    server.remove(LEASE, KEY)
    await lead(one, seconds=30)
    assert spec(server)["holderIdentity"] == "one"
    assert len(told) == 1, "a backup may be of a time before it"


@in_virtual_time
async def test_of_two_that_find_the_lease_deleted_one_leads() -> None:
    server = FakeApiServer()
    one, two = elector(server, "one"), elector(server.another_client(), "two")
    await one.acquire()
    server.remove(LEASE, KEY)
    await two.acquire()
    with pytest.raises(LeaseLostError, match="another process took it"):
        await one.renew()
    await lead(two, seconds=30)
    assert spec(server)["holderIdentity"] == "two"


@in_virtual_time
async def test_a_renewal_whose_answer_got_lost_is_still_ours() -> None:
    server = FakeApiServer()
    one = elector(server, "one")
    await one.acquire()

    def lose_one_answer(_: Request) -> None:
        server.after = lambda _: None
        raise UnavailableError(0, "Unreachable", "the connection ended")

    server.after = lose_one_answer
    await lead(one, seconds=30)
    assert spec(server)["leaseTransitions"] == 0


@in_virtual_time
async def test_a_renewal_of_long_ago_whose_answer_got_lost_does_not_count_as_one_of_now() -> None:
    server = FakeApiServer()
    one, two = elector(server, "one"), elector(server.another_client(), "two")
    await one.acquire()
    waiting = asyncio.ensure_future(two.acquire())
    look = iter([True, True])

    def answer_only_one_look(request: Request) -> None:
        """The renewal after 2 s is done, the one after 8 s sees that it was; nothing else works."""
        is_look = now() == 8 and next(look, False)
        if now() > 2 and not is_look:
            unavailable(request)

    server.before, server.after = answer_only_one_look, unavailable
    with pytest.raises(LeaseLostError):
        await one.renew()
    assert not waiting.done(), "two lead at once"
    await waiting


@in_virtual_time
async def test_whoever_may_not_have_the_lease_waits_and_says_once_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = FakeApiServer()

    def refuse(_: Request) -> None:
        raise RefusedError(403, "Forbidden", "leases is forbidden")

    server.before = refuse
    caplog.set_level("INFO")
    waiting = asyncio.ensure_future(elector(server, "one").acquire())
    await asyncio.sleep(60)
    assert [record.getMessage() for record in caplog.records] == ["waiting for the lease"]
    server.before = lambda _: None
    await waiting


@in_virtual_time
async def test_a_lease_that_ran_out_unnoticed_is_a_problem() -> None:
    time = [1000.0]
    stuck = LeaderElector(FakeApiServer(), KEY, "stuck", clock=lambda: time[0])
    assert not stuck.liveness_problem(), "it does not lead yet"
    await stuck.acquire()
    time[0] += RENEW_DEADLINE_SECONDS
    assert not stuck.liveness_problem()
    time[0] += LEASE_SECONDS - RENEW_DEADLINE_SECONDS
    assert "ran out" in stuck.liveness_problem()


@settings(max_examples=10, deadline=None)
@given(st.integers())
def test_whatever_fails_no_two_lead_at_once(seed: int) -> None:
    chance = random.Random(seed)
    leading: set[str] = set()
    terms: list[str] = []

    def at_times(_: Request) -> None:
        if chance.random() < 0.5:
            raise UnavailableError(0, "Unreachable", "the connection ended")

    async def take_part(server: FakeApiServer, identity: str) -> None:
        server.before = server.after = at_times
        while True:
            one = elector(server, identity)
            await one.acquire()
            leading.add(identity)
            terms.append(identity)
            assert leading == {identity}
            try:
                async with asyncio.timeout(chance.choice([5, 50, 500])):
                    await one.renew()
            except (LeaseLostError, TimeoutError):
                leading.discard(identity)
            if chance.random() < 0.5:
                await one.release()
            await asyncio.sleep(chance.choice([0, 5, 20]))

    async def take_turns() -> None:
        server = FakeApiServer()
        async with asyncio.timeout(600), asyncio.TaskGroup() as group:
            for identity in ("one", "two", "three"):
                group.create_task(take_part(server.another_client(), identity))

    with pytest.raises(TimeoutError):
        in_virtual_time(take_turns)()
    assert len(terms) > 1
