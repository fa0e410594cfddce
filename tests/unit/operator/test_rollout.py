from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.manifests import app_body, deployment, replica_set, template
from weather_operator import render
from weather_operator.model import Release, parse_app
from weather_operator.rollout.plan import Decision, Situation, Step, carry, decide
from weather_operator.rollout.revisions import ReplicaSetRevision, Revision, held, revision_in
from weather_operator.rollout.state import Progress, floor, progress

NOW, LATER = "2026-01-01T10:00:00Z", "2026-01-01T10:05:00Z"
VERSIONS = ("1.0.0", "2.0.0", "3.0.0")


def revision(version: str) -> Revision:
    found = revision_in(template(version))
    assert found
    return found


R1, R2, R3 = map(revision, VERSIONS)


def good(one: Revision) -> dict[str, Any]:
    return {**one.manifest(), "at": NOW, "outcome": "Succeeded", "seconds": 1}


def failed(one: Revision, attempt: int = 0) -> dict[str, Any]:
    entry = {"revision": one.revision, "version": one.version}
    return {**entry, "at": NOW, "reason": "it crashed", "attempt": attempt}


def in_flight(one: Revision, phase: str = "RollingOut") -> dict[str, Any]:
    return {
        "phase": phase,
        "from": "1.0.0",
        "to": one.version,
        "revision": one.revision,
        "colour": one.colour,
        "image": one.image,
        "floor": 2,
        "startedAt": "2026-01-01T09:58:00Z",
        "deadline": NOW,
    }


def memory(**changes: Any) -> dict[str, Any]:
    """The status of a site that served 1.0.0 and whose rollout of 2.0.0 has got nowhere."""
    return {
        "observedGeneration": 1,
        "version": "1.0.0",
        "replicas": 3,
        "updatedReplicas": 1,
        "availableReplicas": 2,
        "history": [good(R1)],
        "rollout": in_flight(R2),
        **changes,
    }


STUCK = Progress(wanted=2, replicas=3, updated=1, ready=2, available=2, observed=True)
DONE = Progress(wanted=2, replicas=2, updated=2, ready=2, available=2, observed=True)


def holding(old: int = 2, new: int = 0, *, wanted: int = 2) -> tuple[ReplicaSetRevision, ...]:
    """What the ReplicaSets of 1.0.0 and of 2.0.0 hold, by their available pods."""
    sets = [
        replica_set("2.0.0", wanted=1, available=new),
        replica_set("1.0.0", wanted=wanted, available=old),
    ]
    return held(sets, deployment())


def situation(
    *,
    status: dict[str, Any] | None = None,
    rollout: dict[str, Any] | None = None,
    generation: int = 1,
    **changes: Any,
) -> Situation:
    body = app_body(status=memory() if status is None else status, rollout=rollout)
    body["metadata"]["generation"] = generation
    return replace(
        Situation(
            app=parse_app(body), desired=R2, live=R2, progress=STUCK, now=LATER, held=holding()
        ),
        **changes,
    )


def step(seen: Situation) -> tuple[str, str | None]:
    """What is done, and which version's template is carried instead of the desired one."""
    found = decide(seen)
    assert found
    return found.step, found.carried.revision.version if found.carried else None


BLOCKED = memory(failedRevisions=[failed(R2)], rollout=in_flight(R1, "RollingBack"))
PAUSED = {"paused": True}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        # The wish is new, and carried out.
        (situation(live=R1, progress=DONE, status=memory(rollout={})), ("roll out", None)),
        (situation(live=None, status={}), ("roll out", None)),
        (situation(desired=R3), ("roll out", None)),
        (situation(desired=R1), ("roll out", None)),
        # It is under way, or has failed.
        (situation(now="2026-01-01T09:59:59Z"), ("roll out", None)),
        (situation(), ("fail", None)),
        (situation(progress=replace(STUCK, updated=2)), ("roll out", None)),
        (situation(progress=replace(STUCK, available=3)), ("roll out", None)),
        (situation(progress=replace(STUCK, observed=False)), ("roll out", None)),
        (situation(progress=DONE), ("roll out", None)),
        (situation(generation=2), ("roll out", None)),
        (situation(rollout={"autoRollback": False}), ("roll out", None)),
        (situation(rollout=PAUSED), ("roll out", None)),
        (situation(progress=replace(STUCK, wanted=0)), ("roll out", None)),
        # There is nothing good to go back to.
        (situation(status=memory(history=[]), held=holding(old=0)), ("roll out", None)),
        (situation(status=memory(history=[good(R2)])), ("roll out", None)),
        (situation(held=holding(old=0)), ("roll out", None)),
        (situation(held=holding(old=1, new=2)), ("roll out", None)),
        # There is: by the status, or by what serves; the more so if nothing serves at all.
        (situation(status=memory(history=[])), ("fail", None)),
        (situation(held=holding(old=2, new=6)), ("fail", None)),
        (situation(held=holding(old=0, wanted=0)), ("fail", None)),
        # It has failed, says the status.
        (situation(status=BLOCKED), ("restore", "1.0.0")),
        (situation(status=BLOCKED, rollout=PAUSED), ("restore", "1.0.0")),
        (situation(status=BLOCKED, live=R1), ("hold", "1.0.0")),
        (situation(status=BLOCKED, live=R1, progress=DONE), ("hold", "1.0.0")),
        (situation(status=BLOCKED, live=R3), ("restore", "1.0.0")),
        (situation(status=BLOCKED, held=holding(old=0)), ("hold", None)),
        (situation(status=BLOCKED, progress=DONE), ("roll out", None)),
        (situation(status=BLOCKED, live=None), ("roll out", None)),
        (situation(status=BLOCKED, live=R1, desired=R3), ("roll out", None)),
        (situation(status=BLOCKED, live=R1, rollout={"attempt": 1}), ("roll out", None)),
        # A pause holds what is new, and lets the revision that serves come back.
        (situation(rollout=PAUSED, desired=R3), ("hold", "2.0.0")),
        (situation(rollout=PAUSED, desired=R1), ("roll out", None)),
    ],
)  # fmt: skip
def test_what_is_done(seen: Situation, expected: tuple[str, str | None]) -> None:
    assert step(seen) == expected


@pytest.mark.parametrize(
    ("seen", "frozen"),
    [
        (situation(), False),
        (situation(rollout=PAUSED), True),
        (situation(rollout=PAUSED, desired=R3), True),
        (situation(rollout=PAUSED, desired=R3, live=R1, progress=DONE), False),
        (situation(rollout=PAUSED, desired=R1), False),
        (situation(rollout=PAUSED, desired=R1, live=R1), False),
        (situation(rollout=PAUSED, status={}, live=None), True),
        (situation(rollout=PAUSED, status=BLOCKED), False),
    ],
)
def test_a_pause_freezes_what_does_not_serve_yet(seen: Situation, frozen: bool) -> None:
    found = decide(seen)
    assert found
    assert found.frozen is frozen


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (situation(held=holding(old=0)), "1.0.0 (yellow) has no available pod either"),
        (situation(held=holding(old=1, new=2)), "serves with 1 pods, this with 2"),
        (situation(status=memory(history=[good(R2)])), "no other version"),
        (situation(status=BLOCKED, held=holding(old=0)), "1.0.0 (yellow) has no available pod"),
    ],
)
def test_why_nothing_is_undone_is_said(seen: Situation, words: str) -> None:
    found = decide(seen)
    assert found
    assert words in found.rollback_blocked


def test_the_replica_sets_are_read_only_when_they_matter() -> None:
    assert decide(situation(held=None)) is None
    assert decide(situation(held=None, status=BLOCKED)) is None
    assert decide(situation(held=None, rollout=PAUSED, desired=R3)) is None
    for seen in (
        situation(progress=DONE),
        situation(now=NOW.replace("10:", "09:")),
        situation(live=R1, progress=DONE),
    ):
        assert decide(replace(seen, held=None))


@given(
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([memory(), BLOCKED, memory(history=[])]),
    st.sampled_from([R1, R2, R3]),
    st.booleans(),
)
def test_no_pods_are_given_up_for_a_revision_that_serves_with_fewer(
    old: int, new: int, wanted: int, status: dict[str, Any], live: Revision, paused: bool
) -> None:
    seen = situation(
        status=status, held=holding(old, new, wanted=wanted), live=live, rollout={"paused": paused}
    )
    found = decide(seen)
    assert found
    if found.step in (Step.MARK_FAILED, Step.ROLL_BACK) and live == R2:
        is_intact = old >= wanted > 0
        assert is_intact or (old >= new and not (wanted > 0 == old))


@given(st.sampled_from([R1, R3, None]), st.integers(0, 3), st.integers(0, 3), st.booleans())
def test_a_failed_revision_is_never_carried_out_while_there_is_another(
    live: Revision | None, old: int, attempt: int, paused: bool
) -> None:
    status = {**BLOCKED, "failedRevisions": [failed(R2, attempt=3)]}
    seen = situation(
        status=status, live=live, held=holding(old), rollout={"attempt": attempt, "paused": paused}
    )
    found = decide(seen)
    assert found
    assert (found.step is Step.ROLL_OUT) == (live is None)


@given(
    st.sampled_from([memory(), BLOCKED, memory(history=[]), {}]),
    st.sampled_from([R1, R2, R3]),
    st.sampled_from([R1, R2, R3]),
    st.booleans(),
)
def test_what_was_decided_is_decided_again_once_it_is_so(
    status: dict[str, Any], desired: Revision, live: Revision, paused: bool
) -> None:
    before = situation(status=status, desired=desired, live=live, rollout={"paused": paused})
    found = decide(before)
    assert found
    if found.step is Step.MARK_FAILED:
        return
    carried = found.carried.revision if found.carried else desired
    after = replace(before, live=carried, progress=replace(STUCK, observed=False))
    again = decide(after)
    assert again
    assert (again.carried.revision if again.carried else desired) == carried


def test_what_is_carried_is_the_template_whole_and_the_rest_of_the_spec() -> None:
    app = parse_app(app_body(rollout={"maxSurge": 3}))
    manifest = render.deployment(app, Release(version="2.0.0", colour="green", image="x"))
    (back, *_) = holding()
    found = carry(manifest, Decision(step=Step.ROLL_BACK, carried=back, good=R1, frozen=True))
    assert found["spec"]["template"] == template("1.0.0")
    assert found["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 3
    assert found["spec"]["paused"] is True
    assert found["metadata"]["labels"]["app.kubernetes.io/version"] == "1.0.0"
    assert found["metadata"]["labels"]["weather.quantspark.io/colour"] == "yellow"
    assert carry(manifest, Decision()) == manifest


def test_foreign_replica_sets_hold_nothing_and_the_one_that_serves_is_trusted_first() -> None:
    foreign = replica_set("1.0.0", wanted=9, available=9)
    foreign["metadata"]["ownerReferences"][0]["uid"] = "another"
    edited = replica_set("1.0.0", wanted=1, available=0, image="other:1")
    serving = replica_set("1.0.0", wanted=2, available=2)
    found = held([foreign, edited, serving], deployment())
    assert [each.revision.image for each in found] == ["weather:1.0.0", "other:1", "weather:2.0.0"]
    assert "pod-template-hash" not in str(found[0].template)


@pytest.mark.parametrize(
    ("wanted", "unavailable", "expected"),
    [(3, 0, 3), (3, 1, 2), (3, "50%", 2), (10, "25%", 8), (1, 1, 1), (2, "100%", 1), (0, 0, 0)],
)
def test_the_floor(wanted: int, unavailable: int | str, expected: int) -> None:
    assert floor(wanted, unavailable) == expected


def test_a_pod_that_flaps_is_no_progress() -> None:
    status = {"replicas": 3, "updatedReplicas": 1, "availableReplicas": 2, "readyReplicas": 2}
    flapping = deployment(replicas=3, updated=1, available=2)
    flapping["status"]["readyReplicas"] = 3
    assert not progress(flapping, wanted=2).has_progressed_since(status)
    assert progress(deployment(replicas=2, updated=1, available=2), wanted=2).has_progressed_since(
        status
    )
