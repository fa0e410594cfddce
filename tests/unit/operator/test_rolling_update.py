from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.manifests import app_body, deployment, replica_set, template
from weather_operator import render
from weather_operator.kube.resources import DEPLOYMENT
from weather_operator.model import Blocker, Release, WeatherApp
from weather_operator.model.parsing import parse_app
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.plan import with_decision
from weather_operator.rollout.progress import Progress
from weather_operator.rollout.revisions import Revision, replica_set_revisions, revision_in
from weather_operator.rollout.strategies import Action, Decision
from weather_operator.rollout.strategies.rolling_update import decide

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


def under_way(one: Revision, phase: str = "RollingOut") -> dict[str, Any]:
    return {
        "phase": phase,
        "from": "1.0.0",
        "to": one.version,
        "revision": one.revision,
        "colour": one.colour,
        "image": one.image,
        "floor": 2,
        "attempt": 0,
        "reached": {"desired": 2, "updated": 1, "available": 2, "old": 2},
        "startedAt": "2026-01-01T09:58:00Z",
        "progressedAt": "2026-01-01T09:58:00Z",
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
        "rollout": under_way(R2),
        **changes,
    }


STUCK = Progress(desired=2, replicas=3, updated=1, ready=2, available=2, observed=True)
DONE = Progress(desired=2, replicas=2, updated=2, ready=2, available=2, observed=True)


CRASHES = Blocker(reason="CrashLoopBackOff", message="back-off 40s", condemns=True)
NO_NODE = Blocker(reason="Unschedulable", message="0/3 nodes are available")

Sets = tuple[dict[str, Any], ...]


def replica_sets(old: int = 2, new: int = 0, *, desired: int = 2) -> Sets:
    """The ReplicaSets of 2.0.0 and of 1.0.0, by their available pods."""
    return (
        replica_set("2.0.0", desired=1, available=new),
        replica_set("1.0.0", desired=desired, available=old),
    )


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What a decision is made from; `live` is the Deployment's revision, None without one."""

    app: WeatherApp
    desired: Revision = R2
    live: Revision | None = R2
    progress: Progress = STUCK
    now: str = LATER
    sets: Sets | None = field(default_factory=replica_sets)
    pods: tuple[Blocker, ...] | None = (CRASHES,)

    def observed(self) -> Observed:
        live, far = self.live, self.progress
        children = {}
        if live:
            children[DEPLOYMENT, "london"] = deployment(
                desired=far.desired,
                replicas=far.replicas,
                updated=far.updated,
                available=far.available,
                observed=far.observed,
                version=live.version,
            )
        return Observed(
            app=self.app,
            now=self.now,
            children=children,
            replica_sets=self.sets,
            pod_blockers=self.pods,
        )

    def decide(self) -> Decision | None:
        return decide(self.observed(), self.desired)


def situation(
    *,
    status: dict[str, Any] | None = None,
    rollout: dict[str, Any] | None = None,
    generation: int = 1,
    **changes: Any,
) -> Situation:
    body = app_body(status=memory() if status is None else status, rollout=rollout)
    body["metadata"]["generation"] = generation
    return Situation(app=parse_app(body), **changes)


def action(seen: Situation) -> tuple[str, str | None]:
    """What is done, and which version's template the Deployment gets instead of the desired one."""
    found = seen.decide()
    assert found
    return found.action, found.template_from.revision.version if found.template_from else None


BLOCKED = memory(failedRevisions=[failed(R2)], rollout=under_way(R1, "RollingBack"))
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
        (situation(), ("mark failed", None)),
        (situation(pods=(NO_NODE, CRASHES)), ("mark failed", None)),
        (situation(pods=(NO_NODE,)), ("roll out", None)),
        (situation(pods=()), ("roll out", None)),
        (situation(progress=replace(STUCK, updated=2)), ("roll out", None)),
        (situation(progress=replace(STUCK, replicas=2)), ("roll out", None)),
        (situation(progress=replace(STUCK, available=3)), ("mark failed", None)),
        (situation(progress=replace(STUCK, observed=False)), ("roll out", None)),
        (situation(progress=DONE), ("roll out", None)),
        (situation(generation=2), ("mark failed", None)),
        (situation(rollout={"attempt": 1}), ("roll out", None)),
        (situation(rollout={"progressDeadlineSeconds": 900}), ("roll out", None)),
        (situation(rollout={"autoRollback": False}), ("roll out", None)),
        (situation(rollout=PAUSED), ("roll out", None)),
        (situation(progress=replace(STUCK, desired=0)), ("roll out", None)),
        # There is nothing good to go back to.
        (situation(status=memory(history=[]), sets=replica_sets(old=0)), ("roll out", None)),
        (situation(status=memory(history=[good(R2)])), ("roll out", None)),
        (situation(sets=replica_sets(old=0)), ("roll out", None)),
        (situation(sets=replica_sets(old=1, new=2)), ("roll out", None)),
        # There is: by the status, or by what serves; the more so if nothing serves at all.
        (situation(status=memory(history=[])), ("mark failed", None)),
        (situation(sets=replica_sets(old=2, new=6)), ("mark failed", None)),
        (situation(sets=replica_sets(old=0, desired=0)), ("mark failed", None)),
        # It has failed, says the status.
        (situation(status=BLOCKED), ("roll back", "1.0.0")),
        (situation(status=BLOCKED, rollout=PAUSED), ("roll back", "1.0.0")),
        (situation(status=BLOCKED, live=R1), ("hold", "1.0.0")),
        (situation(status=BLOCKED, live=R1, progress=DONE), ("hold", "1.0.0")),
        (situation(status=BLOCKED, live=R3), ("roll back", "1.0.0")),
        (situation(status=BLOCKED, sets=replica_sets(old=0)), ("hold", None)),
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
    assert action(seen) == expected


@pytest.mark.parametrize(
    ("seen", "paused"),
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
def test_a_pause_stops_what_does_not_serve_yet(seen: Situation, paused: bool) -> None:
    found = seen.decide()
    assert found
    assert found.paused is paused


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (situation(sets=replica_sets(old=0)), "1.0.0 (yellow) has no available pod either"),
        (situation(sets=replica_sets(old=1, new=2)), "serves with 1 pods, this with 2"),
        (situation(status=memory(history=[good(R2)])), "no other version"),
        (
            situation(status=BLOCKED, sets=replica_sets(old=0)),
            "1.0.0 (yellow) has no available pod",
        ),
    ],
)
def test_why_nothing_is_undone_is_said(seen: Situation, words: str) -> None:
    found = seen.decide()
    assert found
    assert words in found.rollback_blocked


def test_what_the_cluster_lacks_is_no_reason_to_say_that_nothing_is_undone() -> None:
    found = situation(pods=(NO_NODE,), sets=replica_sets(old=0)).decide()
    assert found
    assert found.rollback_blocked == ""


def test_pods_are_read_only_to_condemn_a_revision() -> None:
    assert situation(pods=None).decide() is None
    for seen in (
        situation(progress=DONE),
        situation(now="2026-01-01T09:59:59Z"),
        situation(status=BLOCKED),
        situation(rollout={"autoRollback": False}),
    ):
        assert replace(seen, pods=None).decide()


def test_the_replica_sets_are_read_only_when_they_matter() -> None:
    assert situation(sets=None).decide() is None
    assert situation(sets=None, status=BLOCKED).decide() is None
    assert situation(sets=None, rollout=PAUSED, desired=R3).decide() is None
    for seen in (
        situation(progress=DONE),
        situation(now=NOW.replace("10:", "09:")),
        situation(live=R1, progress=DONE),
    ):
        assert replace(seen, sets=None).decide()


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
        status=status,
        sets=replica_sets(old, new, desired=wanted),
        live=live,
        rollout={"paused": paused},
    )
    found = seen.decide()
    assert found
    if found.action in (Action.MARK_FAILED, Action.ROLL_BACK) and live == R2:
        is_intact = old >= wanted > 0
        assert is_intact or (old >= new and not (wanted > 0 == old))


@given(st.sampled_from([R1, R3, None]), st.integers(0, 3), st.integers(0, 3), st.booleans())
def test_a_failed_revision_is_never_rolled_out_while_there_is_another(
    live: Revision | None, old: int, attempt: int, paused: bool
) -> None:
    status = {**BLOCKED, "failedRevisions": [failed(R2, attempt=3)]}
    seen = situation(
        status=status,
        live=live,
        sets=replica_sets(old),
        rollout={"attempt": attempt, "paused": paused},
    )
    found = seen.decide()
    assert found
    assert (found.action is Action.ROLL_OUT) == (live is None)


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
    found = before.decide()
    assert found
    if found.action is Action.MARK_FAILED:
        return
    given = found.template_from.revision if found.template_from else desired
    after = replace(before, live=given, progress=replace(STUCK, observed=False))
    again = after.decide()
    assert again
    assert (again.template_from.revision if again.template_from else desired) == given


def test_what_is_brought_back_is_the_template_whole_and_the_rest_of_the_spec() -> None:
    app = parse_app(app_body(rollout={"maxSurge": 3}))
    manifest = render.deployment(app, Release(version="2.0.0", colour="green", image="x"))
    (back, *_) = replica_set_revisions(replica_sets(), deployment())
    decision = Decision(action=Action.ROLL_BACK, template_from=back, rollback_to=R1, paused=True)
    found = with_decision(manifest, decision)
    assert found["spec"]["template"] == template("1.0.0")
    assert found["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 3
    assert found["spec"]["paused"] is True
    assert found["metadata"]["labels"]["app.kubernetes.io/version"] == "1.0.0"
    assert found["metadata"]["labels"]["weather.quantspark.io/colour"] == "yellow"
    assert with_decision(manifest, Decision()) == manifest


def test_foreign_replica_sets_count_for_nothing_and_the_one_that_serves_is_trusted_first() -> None:
    foreign = replica_set("1.0.0", desired=9, available=9)
    foreign["metadata"]["ownerReferences"][0]["uid"] = "another"
    edited = replica_set("1.0.0", desired=1, available=0, image="other:1")
    serving = replica_set("1.0.0", desired=2, available=2)
    found = replica_set_revisions([foreign, edited, serving], deployment())
    assert [each.revision.image for each in found] == ["weather:1.0.0", "other:1", "weather:2.0.0"]
    assert "pod-template-hash" not in str(found[0].template)


def test_what_waits_for_others_stays_as_it_is() -> None:
    body = app_body(status={"history": [good(R1)]})
    waits = replace(
        Situation(app=parse_app(body), live=R1, progress=DONE).observed(), waits_for="2 others"
    )
    assert decide(waits, R2) == Decision(action=Action.HOLD, waits_for="2 others")
    assert decide(waits, R1) == Decision()
