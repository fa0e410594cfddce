"""RollingUpdate: the Deployment's own rollout, with a deadline and a way back.

One decision for all changes; an upgrade, a downgrade and a changed mind do not differ. It is made
anew in every pass from what the objects say, so that nothing is lost when a process ends.
"""

from collections.abc import Sequence
from dataclasses import replace

from weather_operator.kube.resources import DEPLOYMENT
from weather_operator.model import WeatherApp
from weather_operator.render import pod_template
from weather_operator.rollout.image_wait import missing_image
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.revisions import (
    ReplicaSetRevision,
    Revision,
    genuine,
    replica_set_revisions,
    revision_in,
)
from weather_operator.rollout.state import (
    failure,
    last_good,
    recorded_image,
    recorded_releases,
    rollout_state,
)
from weather_operator.rollout.strategies import Action, Decision
from weather_operator.rollout.windows import closed

_NOWHERE = "there is no other version that has served to go back to"


def decide(observed: Observed, desired: Revision) -> Decision | None:
    """Return what to do, None when that takes ReplicaSets or pods that have not been read."""
    app, live = observed.app, observed.live
    if live == desired and observed.progress.complete:
        return Decision()  # it serves, whatever its status said before
    if failure(app.status, desired.revision, attempt=app.rollout.attempt):
        return go_back(observed, desired)
    if live is None:
        return _make(observed, desired)
    if live == desired:
        return _supervise(observed, desired)
    if app.rollout.paused and desired.revision != last_good(app.status):
        revisions = _revisions(observed)
        return None if revisions is None else _hold(observed, desired, live, revisions)
    if desired.revision != last_good(app.status) and (
        outside := closed(app.rollout.windows, observed.now)
    ):
        revisions = _revisions(observed)
        if revisions is None:
            return None
        return replace(_hold(observed, desired, live, revisions), outside_window=outside)
    missing = missing_image(observed, desired)
    if missing and missing.until > observed.now:
        revisions = _revisions(observed)
        if revisions is None:
            return None
        return replace(_hold(observed, desired, live, revisions), missing_image=missing)
    if observed.waits_for:
        # Since when the image is missing is kept: whose turn it is waits for it no second time.
        return Decision(action=Action.HOLD, waits_for=observed.waits_for, missing_image=missing)
    return Decision(missing_image=missing)


def is_paused(observed: Observed, revision: Revision | None) -> bool:
    """Tell whether a pause holds this revision back: all but the one that serves."""
    if revision is None or not observed.app.rollout.paused:
        return False
    return revision.revision != last_good(observed.app.status)


def _supervise(observed: Observed, desired: Revision) -> Decision | None:
    """Let the desired revision come up until its deadline, and on where it is not to blame."""
    app, progress = observed.app, observed.progress
    if observed.gates and observed.gates.missing:
        return Decision(paused=True, lacks_gates=observed.gates.missing)
    paused = is_paused(observed, desired)
    go_on = Decision(paused=paused)
    state = rollout_state(app, desired, progress, now=observed.now, has_deadline=not paused)
    if state is None or not state.is_overdue(observed.now) or not progress.observed:
        return go_on
    if not app.rollout.auto_rollback or progress.desired == 0:
        return go_on
    if observed.pod_blockers is None:
        return None
    failed = mark_failed(observed, desired, go_on) if observed.evidence else go_on
    is_marked = failed is not None and failed.action is Action.MARK_FAILED
    return go_on if is_marked and observed.is_early else failed


def mark_failed(
    observed: Observed, desired: Revision, go_on: Decision, *, serves_badly: bool = False
) -> Decision | None:
    """Say that a revision has failed, or go on where what it would go back to is worse.

    Of one that `serves_badly` available pods are nothing to keep.
    """
    revisions = _revisions(observed)
    if revisions is None:
        return None
    good = _last_good(observed, desired, revisions)
    if good is None:
        return replace(go_on, rollback_blocked=_NOWHERE)
    blocked = _rollback_blocked(observed, good, desired, revisions, serves_badly=serves_badly)
    if blocked:
        return replace(go_on, rollback_blocked=blocked)
    return Decision(action=Action.MARK_FAILED, rollback_to=good.revision)


def go_back(
    observed: Observed, desired: Revision, *, serves_badly: bool = False
) -> Decision | None:
    """Leave a failed revision for the last good one, or stay where that would make it worse."""
    live, revisions = observed.live, _revisions(observed)
    if live is None:
        again = _made_again(observed.app)
        if again is None:
            return Decision()
        return Decision(action=Action.ROLL_BACK, template_from=again, rollback_to=again.revision)
    if revisions is None:
        return None
    good = _last_good(observed, desired, revisions)
    if good and live == good.revision:
        return Decision(action=Action.HOLD, template_from=good, rollback_to=good.revision)
    blocked = _NOWHERE
    if good:
        blocked = _rollback_blocked(observed, good, live, revisions, serves_badly=serves_badly)
    if good and not blocked:
        return Decision(action=Action.ROLL_BACK, template_from=good, rollback_to=good.revision)
    return replace(_hold(observed, desired, live, revisions), rollback_blocked=blocked)


def _make(observed: Observed, desired: Revision) -> Decision:
    """Make the Deployment: what served last comes again while what is desired has to wait."""
    app = observed.app
    outside = None if app.rollout.paused else closed(app.rollout.windows, observed.now)
    waits = app.rollout.paused or outside or observed.waits_for
    good = _made_again(app) if waits and desired.revision != last_good(app.status) else None
    if good is None:
        return Decision(paused=is_paused(observed, desired))
    return Decision(
        action=Action.HOLD,
        template_from=good,
        waits_for=observed.waits_for,
        outside_window=outside,
    )


def _made_again(app: WeatherApp) -> ReplicaSetRevision | None:
    """Return the last good revision, whose ReplicaSets went with their Deployment or before it.

    The history has its image; where the app's other settings are not those of then, it is lost.
    """
    name = last_good(app.status)
    for recorded, release in recorded_releases(app.status):
        template = pod_template(app, release)
        revision = revision_in(template)
        if revision and name == recorded == revision.revision:
            return ReplicaSetRevision(revision=revision, template=template, desired=0, available=0)
    return None


def _hold(
    observed: Observed,
    desired: Revision,
    live: Revision,
    revisions: Sequence[ReplicaSetRevision],
) -> Decision:
    """Keep what the Deployment has. A pause holds nothing where that is complete."""
    kept = None if live == desired else _find(observed, revisions, live.revision)
    paused = is_paused(observed, live) and not observed.progress.complete
    return Decision(action=Action.HOLD, template_from=kept, paused=paused)


def put_back(observed: Observed, decision: Decision, *, is_other: bool) -> Decision | None:
    """Give the Deployment its own template again, which somebody edited, whatever is paused.

    Where it `is_other` revision than the one that we wrote, that is the one which served last.
    None when that takes ReplicaSets that have not been read.
    """
    revisions, live = _revisions(observed), observed.live
    if revisions is None:
        return None
    name = live.revision if live and not is_other else last_good(observed.app.status)
    kept = _find(observed, revisions, name) if name else None
    if kept is None:
        return decision
    return replace(decision, template_from=kept, keeps_stable=False, paused=False)


def _revisions(observed: Observed) -> Sequence[ReplicaSetRevision] | None:
    if observed.replica_sets is None:
        return None
    deployment = observed.child(DEPLOYMENT)
    return replica_set_revisions(observed.replica_sets, deployment) if deployment else ()


def _last_good(
    observed: Observed, desired: Revision, revisions: Sequence[ReplicaSetRevision]
) -> ReplicaSetRevision | None:
    """Return what to go back to: the last success or, where that is lost, what serves most."""
    status = observed.app.status
    revision = last_good(status)
    if revision == desired.revision:
        return None
    found = _find(observed, revisions, revision) if revision else None
    if found := found or _made_again(observed.app):
        return found
    failed = {each["revision"] for each in status.get("failedRevisions", ())}
    others = (
        each
        for each in revisions
        if each.revision != desired and each.revision.revision not in failed
    )
    return next((each for each in others if each.available), None)


def _rollback_blocked(
    observed: Observed,
    good: ReplicaSetRevision,
    live: Revision,
    revisions: Sequence[ReplicaSetRevision],
    *,
    serves_badly: bool,
) -> str:
    """Return why a return to the last good revision would make it worse, empty if it would not.

    The Deployment's controller keeps the minimum available in any case; but it would trade pods
    that serve for pods of a revision that, by its own pods, does not.
    """
    if good.is_broken:
        return f"{good.revision} has no available pod either"
    if serves_badly:
        return ""
    current = _find(observed, revisions, live.revision)
    serving = current.available if current else 0
    if not good.is_intact and good.available < serving:
        return f"{good.revision} serves with {good.available} pods, this with {serving}"
    return ""


def _find(
    observed: Observed, revisions: Sequence[ReplicaSetRevision], revision: str
) -> ReplicaSetRevision | None:
    image = recorded_image(observed.app.status, revision)
    return genuine(revisions, revision, image=image)
