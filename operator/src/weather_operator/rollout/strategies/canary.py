"""Canary and BlueGreen: a revision is tried in pods of its own before those that serve change.

| Phase | What follows from it | It is left when |
|---|---|---|
| Preparing | the canary's objects, no visitors | its pods are available; else the deadline |
| Testing | the same | an interval of probes was good |
| Shifting | as many pods as the step takes, then its weight | the weight is taken up |
| Analysing | nothing | enough intervals were good, or its time is over |
| AwaitingApproval | nothing | a person has approved this step of this revision |
| Promoting | the rolling update of the pods that serve, the weight as it is | that is complete |
| Draining, Aborting | weight 0, then the canary's objects go | nothing of it is left |

A pass either goes on to another phase, and then writes the status alone, or carries out what the
phase in the status says. So whatever follows has been said before, and a process that ends anywhere
leaves the next one in no doubt.

Checks go on while a revision is promoted. Where they fail, or a person aborts it, the status says
so, then the visitors leave the canary and the rolling update goes back.
"""

from dataclasses import replace

from weather_operator.kube.resources import DEPLOYMENT
from weather_operator.model import (
    ABORT_ANNOTATION,
    PROMOTE_ANNOTATION,
)
from weather_operator.model.strategies import BLUE_GREEN, CANARY, Analysis
from weather_operator.render import Track, child_name
from weather_operator.render.load_balancers import router_seconds
from weather_operator.render.pods import path_in
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.progress import Reached, reached_before
from weather_operator.rollout.revisions import Revision
from weather_operator.rollout.routes import routed_paths
from weather_operator.rollout.state import ROLLING_BACK, failure, last_good, later
from weather_operator.rollout.strategies import Action, Decision, Ended, rolling_update
from weather_operator.rollout.strategies.judgement import (
    analysis_of,
    counted,
    failed_checks,
    has_done_well,
    is_approved,
    is_said,
    said,
)
from weather_operator.rollout.traffic import (
    is_anything_left,
    is_routed,
    possible_weight,
)
from weather_operator.rollout.trial import (
    ABORTING,
    ANALYSING,
    AWAITING_APPROVAL,
    DRAINING,
    ENDING,
    PREPARING,
    PROMOTING,
    SHIFTING,
    TESTING,
    TRYING,
    Trial,
    step_at,
    steps_of,
    trial_before,
)
from weather_operator.rollout.weights import (
    has_pods_for,
    is_frozen,
    is_held,
    is_held_for_load,
    is_share_unproven,
)
from weather_operator.rollout.windows import closed

_TRYING_STRATEGIES = (CANARY, BLUE_GREEN)
_BY_A_PERSON = "a person has aborted it"


def decide(observed: Observed, desired: Revision) -> Decision | None:
    """Return what to do, None when that takes ReplicaSets or pods that have not been read."""
    app = observed.app
    trial = trial_before(app.status)
    if trial:
        trial = replace(
            trial,
            # A time that a fast clock wrote is not believed, nor waited for.
            set_at=trial.set_at and min(trial.set_at, observed.now),
            # What was taken away may be said again.
            earlier=tuple(each for each in trial.earlier if each in said(app)),
        )
    if trial is None and not is_anything_left(observed):
        plain = rolling_update.decide(observed, desired)
        if plain is None:
            return None
        if not _begins(observed, desired, plain):
            return replace(plain, untried=_why_not_tried(observed))
        return _begin(observed, desired)
    if trial is None:
        return _go_on(_idle(observed), ABORTING)
    if trial.phase in ENDING:
        return _end(observed, desired, trial)
    tried = app.status["rollout"].get("revision")
    if trial.phase not in TRYING:
        return _promote(observed, desired, trial)
    is_same = (tried, trial.strategy) == (desired.revision, app.rollout.strategy.type)
    is_alone = observed.child(DEPLOYMENT) is None and observed.canary_progress.available > 0
    if is_same and is_alone:
        # There is nothing to go back to, and the canary's pods are all that visitors have.
        return _go_on(trial, PROMOTING)
    if not is_same or not _may_be_tried(observed, desired):
        return _go_on(trial, ABORTING, ended=Ended(cause=None))
    if is_said(app, ABORT_ANNOTATION, desired.revision, trial):
        return _fail(trial, _BY_A_PERSON)
    return _try(observed, desired, trial)


def _begins(observed: Observed, desired: Revision, plain: Decision) -> bool:
    """Tell whether a rollout that would begin now is tried first."""
    if plain.action is not Action.ROLL_OUT or plain.paused or observed.live is None:
        return False
    return observed.live != desired and _is_to_be_tried(observed, desired)


def _is_to_be_tried(observed: Observed, desired: Revision) -> bool:
    """Tell whether a trial of a revision may begin: beside something that serves."""
    return _may_be_tried(observed, desired) and observed.progress.available > 0


def _may_be_tried(observed: Observed, desired: Revision) -> bool:
    """Tell whether a revision is one for a trial: it is new, and asked for with pods.

    How many there are just now somebody else may have set. Of what served before none may be left:
    a canary that is well is no worse for that. The path is every route's alone, so a revision with
    another one cannot be beside what serves.
    """
    app, deployment = observed.app, observed.child(DEPLOYMENT)
    if app.rollout.strategy.type not in _TRYING_STRATEGIES or deployment is None:
        return False
    if desired.revision == last_good(app.status) or observed.live == desired:
        return False
    if failure(app.status, desired.revision, attempt=app.rollout.attempt):
        return False
    if path_in(deployment["spec"]["template"]) != app.path:
        return False
    return app.first_replicas > 0


def _why_not_tried(observed: Observed) -> str:
    """Say why a rollout is none in steps although the strategy says so; empty where that is plain.

    The pods have the new path as soon as it begins, the routes once it is complete.
    """
    app, deployment = observed.app, observed.child(DEPLOYMENT)
    if app.rollout.strategy.type not in _TRYING_STRATEGIES or deployment is None:
        return ""
    paths = (path_in(deployment["spec"]["template"]), *routed_paths(observed))
    before = next((each for each in paths if each not in (None, app.path)), None)
    if before is None:
        return ""
    return f"its path changes from {before} to {app.path}, and a route leads to one path alone"


def _idle(observed: Observed) -> Trial:
    strategy = observed.app.rollout.strategy
    steps = len(steps_of(observed.app))
    stable = observed.progress.desired
    return Trial(
        phase=PREPARING, strategy=strategy.type, step=0, steps=steps, weight=0, stable=stable
    )


def _begin(observed: Observed, desired: Revision) -> Decision:
    revision = desired.revision
    earlier = tuple(
        each for each in said(observed.app) if each.partition("=")[2].startswith(revision)
    )
    return _go_on(replace(_idle(observed), earlier=earlier), PREPARING)


def _go_on(
    trial: Trial,
    phase: str,
    *,
    step: int | None = None,
    weight: int | None = None,
    ended: Ended | None = None,
) -> Decision:
    """Say that the trial is in another phase now; what follows from it comes after."""
    if phase in ENDING:
        weight = 0
    return Decision(
        action=Action.MARK, trial=trial.at(phase, step=step, weight=weight), ended=ended
    )


def _fail(trial: Trial, cause: str) -> Decision:
    return _go_on(trial, ABORTING, ended=Ended(cause=cause))


def _stay(trial: Trial, *, paused: bool = False) -> Decision:
    """Stay in the phase: leave the pods that serve as they are, and do what it says."""
    return Decision(action=Action.HOLD, trial=trial, keeps_stable=True, paused=paused)


def _try(observed: Observed, desired: Revision, trial: Trial) -> Decision | None:
    app, tried = observed.app, observed.canary_progress
    trial = replace(trial, steps=len(steps_of(app)))
    step = step_at(app, trial.step)
    rises = step is not None and step.weight > trial.weight
    if step and step.weight != trial.weight and not (rises and is_frozen(observed)):
        return _go_on(trial, SHIFTING, weight=step.weight)  # it was edited meanwhile
    if trial.phase in (ANALYSING, AWAITING_APPROVAL) and not is_held(observed, trial):
        return _go_on(trial, SHIFTING)
    if app.rollout.paused or observed.apply_errors:
        return _stay(trial, paused=app.rollout.paused)
    analysis = analysis_of(observed)
    trial = counted(observed, desired, trial, analysis)
    if analysis and trial.failed >= analysis.failure_limit:
        return _fail(trial, failed_checks(trial))
    if trial.step > 0 and not tried.available:
        return _go_on(trial, PREPARING, step=0, weight=0)
    is_there = tried.complete and tried.available > 0 and observed.tried == desired
    if trial.phase == PREPARING and not is_there:
        return _wait_for_pods(observed, trial)
    if _may_go_straight_on(observed, trial, analysis):
        if observed.pod_blockers is None:
            return None
        if observed.evidence and not observed.is_early:
            return _go_on(trial, PROMOTING)
    outside = closed(app.rollout.windows, observed.now)
    if outside:
        return replace(_stay(trial), outside_window=outside)
    if is_said(app, PROMOTE_ANNOTATION, desired.revision, trial) and tried.complete:
        return _go_on(trial, PROMOTING)
    if trial.phase in (PREPARING, TESTING):
        return _from_no_visitors(observed, desired, trial, analysis)
    return _at_step(observed, desired, trial, analysis)


def _wait_for_pods(observed: Observed, trial: Trial) -> Decision | None:
    """Wait for the canary's pods until the deadline, and on where they are not to blame."""
    deadline: str | None = observed.app.status["rollout"].get("deadline")
    if deadline is None or deadline > observed.now:
        return _stay(trial)
    if observed.pod_blockers is None:
        return None if observed.child(DEPLOYMENT, _name(observed)) else _stay(trial)
    if not observed.evidence or observed.is_early:
        return _stay(trial)
    causes = "; ".join(f"{each.reason}: {each.message}" for each in observed.evidence)
    return _fail(trial, causes)


def _from_no_visitors(
    observed: Observed, desired: Revision, trial: Trial, analysis: Analysis | None
) -> Decision:
    has_probes = analysis is not None and any(each.probe for each in analysis.checks)
    if has_probes and trial.phase == PREPARING:
        return _go_on(trial, TESTING)
    if has_probes and not trial.passed:
        return _stay(trial)
    blue_green = observed.app.rollout.strategy.blue_green
    if blue_green and blue_green.approval and not is_approved(observed, desired, trial):
        return _stay(trial) if trial.phase == AWAITING_APPROVAL else _wait(trial)
    return _next_step(observed, trial)


def _wait(trial: Trial) -> Decision:
    return _go_on(trial, AWAITING_APPROVAL)


def _at_step(
    observed: Observed, desired: Revision, trial: Trial, analysis: Analysis | None
) -> Decision:
    if trial.step == 0:  # a BlueGreen that waits for its switch
        return _from_no_visitors(observed, desired, trial, analysis)
    if trial.phase == SHIFTING:
        if not has_pods_for(observed, trial) or not is_routed(observed, trial.weight):
            return _stay(trial)
        app, stable = observed.app, observed.progress.available
        possible = possible_weight(app, trial.weight, observed.canary_progress.available, stable)
        moved = replace(trial, set_at=observed.now, possible=possible)
        return _go_on(moved, ANALYSING)
    if trial.phase == ANALYSING and not has_done_well(observed, trial, analysis):
        return _stay(trial)
    if is_share_unproven(observed, trial):
        return _stay(trial)
    step = step_at(observed.app, trial.step)
    if step and step.approval and not is_approved(observed, desired, trial):
        return _stay(trial) if trial.phase == AWAITING_APPROVAL else _wait(trial)
    return _next_step(observed, trial)


def _next_step(observed: Observed, trial: Trial) -> Decision:
    steps = steps_of(observed.app)
    if trial.step >= len(steps):
        return _go_on(trial, PROMOTING)
    return _go_on(trial, SHIFTING, step=trial.step + 1, weight=steps[trial.step].weight)


def _promote(observed: Observed, desired: Revision, trial: Trial) -> Decision | None:
    """Roll the pods that serve; the canary stays, with its visitors, until they are complete.

    It goes on to be judged by what they get, unless a person has promoted it. Another wish that is
    to be tried waits for the end of this trial, and not for what is half-way.
    """
    app = observed.app
    is_taken_back = trial.phase == ROLLING_BACK and _why_taken_back(observed, desired, trial)
    if is_taken_back and observed.live == desired:
        plain = rolling_update.go_back(observed, desired, serves_badly=True)
        return plain and replace(plain, trial=trial)
    if observed.progress.complete and (trial.phase != PROMOTING or observed.live == desired):
        return _go_on(trial, DRAINING)
    rolled = app.status["rollout"].get("revision")
    is_tried = rolled == desired.revision
    if not is_tried and _may_be_tried(observed, desired):
        if observed.live and observed.live.revision == rolled:
            return _go_on(trial, DRAINING)  # the Deployment's controller completes it
        if trial.phase == PROMOTING:
            return _go_on(trial, ABORTING, ended=Ended(cause=None))
    plain = rolling_update.decide(observed, desired)
    if plain is None or plain.rollback_to or not is_tried:
        return plain and replace(plain, trial=_without_visitors(observed, desired, trial))
    if not app.rollout.paused:
        now = counted(observed, desired, trial, analysis_of(observed))
        trial = now if _says_more(now, trial) else trial
    cause = _why_taken_back(observed, desired, trial)
    if not cause:
        return replace(plain, trial=trial)
    if observed.live != desired:
        return _fail(trial, cause)
    failed = rolling_update.mark_failed(observed, desired, plain, serves_badly=True)
    if failed is None or failed.action is not Action.MARK_FAILED:
        return failed and replace(failed, trial=trial)
    back = replace(trial.at(ROLLING_BACK, weight=0), failed=trial.failed)
    return replace(failed, trial=back, ended=Ended(cause=cause))


def _says_more(now: Trial, before: Trial) -> bool:
    """Tell whether an interval is more than one more that came out as the one before."""
    verdicts = [{each["name"]: each["verdict"] for each in trial.checks} for trial in (now, before)]
    return now.failed != before.failed or verdicts[0] != verdicts[1]


def _why_taken_back(observed: Observed, desired: Revision, trial: Trial) -> str:
    """Return why what is promoted is taken back half-way, empty where it is not."""
    app, analysis = observed.app, analysis_of(observed)
    if is_said(app, ABORT_ANNOTATION, desired.revision, trial):
        return _BY_A_PERSON
    if analysis is None or trial.failed < analysis.failure_limit:
        return ""
    if not app.rollout.auto_rollback or is_said(app, PROMOTE_ANNOTATION, desired.revision, trial):
        return ""
    return failed_checks(trial)


def _without_visitors(observed: Observed, desired: Revision, trial: Trial) -> Trial:
    """Return the trial without visitors where what served before is wished again."""
    if trial.phase == PROMOTING and desired.revision == last_good(observed.app.status):
        return trial.at(PROMOTING, weight=0)
    return trial


def _end(observed: Observed, desired: Revision, trial: Trial) -> Decision | None:
    """Take the visitors off the canary, wait for those that are there, and let it go."""
    plain = _stay(trial)
    if not _is_to_be_tried(observed, desired):
        decided = rolling_update.decide(observed, desired)
        if decided is None:
            return None
        plain = replace(decided, trial=trial)
    if not is_anything_left(observed) and not is_held_for_load(observed, trial):
        return replace(plain, trial=None, action=Action.MARK)
    if trial.set_at is None:
        if not is_routed(observed, 0):
            return plain
        return replace(plain, action=Action.MARK, trial=replace(trial, set_at=observed.now))
    return replace(
        plain, removes_canary=later(trial.set_at, router_seconds(observed.app)) <= observed.now
    )


def _may_go_straight_on(observed: Observed, trial: Trial, analysis: Analysis | None) -> bool:
    """Tell whether a good canary need not wait any longer, if what serves is broken by itself.

    There is nothing left that steps and approvals would protect. What is unknown promotes nothing.
    """
    stable = observed.progress
    if stable.available or not stable.desired or not observed.canary_progress.complete:
        return False
    return trial.step > 0 and trial.failed == 0 and (analysis is None or trial.passed > 0)


def _name(observed: Observed) -> str:
    return child_name(observed.app, Track.CANARY)


def canary_reached(observed: Observed) -> Reached | None:
    """Return how far the canary's pods have been at most in this trial."""
    known = reached_before(observed.app.status.get("rollout", {}))
    progress = observed.canary_progress
    if not progress.observed:
        return known
    return known.after(progress) if known else Reached.of(progress)
