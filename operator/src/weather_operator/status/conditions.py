"""From what was observed to the status that people and tools read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weather_operator.kube.resources import Manifest
from weather_operator.model import WeatherApp
from weather_operator.render import selector
from weather_operator.rollout.plan import Decision, Step
from weather_operator.rollout.revisions import Revision, revision_in
from weather_operator.rollout.state import (
    ROLLING_BACK,
    SCALING,
    Progress,
    RolloutState,
    failure,
    floor,
    progress,
    remember,
    rollback,
    rollout_state,
)
from weather_operator.status import url as address
from weather_operator.status.blockers import Blocker
from weather_operator.status.url import Exposure


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Ready's status, reason and message, and the two conditions that tell who has to act."""

    ready: bool
    reason: str
    message: str
    reconciling: bool = False
    stalled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a verdict is about: the wish and what is live, how far it is, and what is in the way.

    `desired` and `decision` are None where the wish could not be looked up or is not acted on.
    """

    app: WeatherApp
    desired: Revision | None
    live: Revision | None
    decision: Decision | None
    progress: Progress
    flight: RolloutState | None
    apply_errors: Sequence[Blocker]
    pod_blockers: Sequence[Blocker]
    now: str


def judge(case: Case) -> Verdict | None:
    """Decide what is the matter, None when nothing is: what only a person can change goes first."""
    if case.app.suspend:
        message = "suspended: the operator changes nothing until spec.suspend is false"
        return Verdict(ready=False, reason="Suspended", message=message)
    if case.apply_errors:
        first = case.apply_errors[0]
        return Verdict(ready=False, reason=first.reason, message=first.message, stalled=True)
    if case.progress.complete and case.progress.wanted == 0:
        return Verdict(ready=True, reason="ScaledToZero", message="switched off: replicas is 0")
    if case.decision and case.decision.good:
        return _judge_rollback(case, case.decision.good)
    if case.decision and (case.decision.step is Step.HOLD or case.decision.frozen):
        return _judge_hold(case, case.decision)
    if case.flight:
        return _judge_flight(case, case.flight)
    if not case.progress.complete:
        return Verdict(
            ready=False,
            reason="RollingOut",
            message=f"rolling out {case.desired or 'the version'}: its Deployment is to be made",
            reconciling=True,
        )
    return None


def why_failed(pod_blockers: Sequence[Blocker]) -> str:
    """Return the causes in one line."""
    told = "; ".join(f"{each.reason}: {each.message}" for each in pod_blockers)
    return told or "its pods were not available in time"


def _judge_rollback(case: Case, good: Revision) -> Verdict:
    failed, before = _failed(case), _named_beside(good, case.desired)
    back = case.flight is not None and case.flight.phase == ROLLING_BACK
    if not back:
        message = f"{failed}; {before} serves on. {_retry(case)}"
        return Verdict(ready=False, reason="RolledBack", message=message, stalled=True)
    if case.flight and case.flight.is_overdue(case.now):
        why = why_failed(case.pod_blockers)
        message = f"{failed}, and {before} does not come back either: {why}. {_retry(case)}"
        return _exceeded(message)
    message = f"{failed}; back to {before}, with {pods(case.progress.available)} available"
    return Verdict(ready=False, reason=ROLLING_BACK, message=message, reconciling=True)


def _named_beside(good: Revision, failed: Revision | None) -> str:
    """Name what serves, so that it is told from what failed where only settings differ."""
    return f"{good} with its former settings" if str(good) == str(failed) else str(good)


def _judge_hold(case: Case, decision: Decision) -> Verdict:
    if decision.rollback_blocked:
        message = f"{_failed(case)}. Not rolled back: {decision.rollback_blocked}. {_retry(case)}"
        return _exceeded(message)
    # A change of number goes on; it is the new version that waits.
    held = case.flight is not None and case.flight.phase != SCALING
    where = f" at {_counts(case)}" if held else ""
    message = f"paused{where}: {_change(case)} waits until spec.rollout.paused is false"
    return Verdict(ready=False, reason="Paused", message=message)


def _judge_flight(case: Case, flight: RolloutState) -> Verdict:
    if flight.is_overdue(case.now):
        message = f"{_way(case)} is stuck: {_counts(case)}. {why_failed(case.pod_blockers)}"
        if case.decision and case.decision.rollback_blocked:
            message += f". Not rolled back: {case.decision.rollback_blocked}"
        return _exceeded(message)
    if case.pod_blockers:
        first = case.pod_blockers[0]
        message = f"{_way(case)} waits, {first.reason}: {first.message}"
        return Verdict(ready=False, reason="Blocked", message=message, reconciling=True)
    message = f"{_way(case)}: {_counts(case)}"
    return Verdict(ready=False, reason=flight.phase, message=message, reconciling=True)


def _exceeded(message: str) -> Verdict:
    return Verdict(ready=False, reason="ProgressDeadlineExceeded", message=message, stalled=True)


def _failed(case: Case) -> str:
    return f"{case.desired} failed, {_failure(case).get('reason') or why_failed(case.pod_blockers)}"


def _retry(case: Case) -> str:
    attempt = max(_failure(case).get("attempt", 0), case.app.rollout.attempt) + 1
    return f"Change the app, or set spec.rollout.attempt to {attempt} to try again"


def _failure(case: Case) -> Manifest:
    """Return what is known of the desired revision's failure; at first only this pass knows."""
    if case.desired is None:
        return {}
    attempt = case.app.rollout.attempt
    return failure(case.app.status, case.desired.revision, attempt=attempt) or {}


def _way(case: Case) -> str:
    if case.flight and case.flight.phase == SCALING:
        return f"scaling {case.flight.target.version}"
    return _change(case)


def _change(case: Case) -> str:
    target, served = case.desired or case.live, case.app.status.get("version")
    if target and served and served != target.version:
        return f"{served} to {target.version}"
    return f"rolling out {target.version if target else 'the version'}"


def _counts(case: Case) -> str:
    progress = case.progress
    told = f"{progress.updated} of {pods(progress.wanted)} updated, {progress.available} available"
    old = progress.replicas - progress.updated
    if not old or progress.updated < progress.wanted:
        return told  # while new ones come up it is no news that there are old ones
    return f"{told}, {pods(old)} of before left"


def pods(number: int) -> str:
    """Return a number of pods in words."""
    return "1 pod" if number == 1 else f"{number} pods"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """All that a status is made from.

    `desired` is what the spec asks for, None when the catalogue does not have it, and `decision`
    what is done about it, None while nothing is. `apply_errors` came from the catalogue or the API and
    need a person; `pod_blockers` were found at the pods.
    """

    desired: Revision | None
    deployment: Manifest | None
    ways: Exposure
    decision: Decision | None = None
    apply_errors: tuple[Blocker, ...] = ()
    pod_blockers: tuple[Blocker, ...] = ()


def status(app: WeatherApp, seen: Observation, *, now: str) -> Manifest:
    """Return the whole status. The same observation gives the same one, but for what changed `now`.

    `now` is a time in RFC 3339.
    """
    far = progress(seen.deployment, wanted=app.first_replicas)
    live = revision_in(seen.deployment["spec"]["template"]) if seen.deployment else None
    change = _rollout_state(app, seen, live, far, now)
    url = address.url(app, seen.ways)
    case = Case(
        app=app,
        desired=seen.desired,
        live=live,
        decision=seen.decision,
        progress=far,
        flight=change,
        apply_errors=seen.apply_errors,
        pod_blockers=seen.pod_blockers,
        now=now,
    )
    verdict = judge(case) or _judge_serving(app, seen, live, far, url)
    failing = seen.decision is not None and seen.decision.step is Step.MARK_FAILED
    scaling = app.autoscaling
    shown = {
        "observedGeneration": app.generation,
        **_version(app, live if far.complete else None),
        "desiredVersion": seen.desired.version if seen.desired else app.version,
        "url": url,
        "ready": f"{far.ready}/{far.wanted}",
        "autoscaling": scaling and f"{scaling.min_replicas}–{scaling.max_replicas}",
        "ignoredReplicas": scaling and app.scaled_to,
        "selector": ",".join(f"{name}={value}" for name, value in selector(app).items()),
        "replicas": far.replicas,
        "readyReplicas": far.ready,
        "updatedReplicas": far.updated,
        "availableReplicas": far.available,
        "rollout": change and change.manifest(),
        "blockers": [each.manifest() for each in (*seen.apply_errors, *seen.pod_blockers)],
        **remember(
            app, live, far, cause=why_failed(seen.pod_blockers) if failing else None, now=now
        ),
        "conditions": _conditions(app, far, change, verdict, now),
    }
    return {name: value for name, value in shown.items() if value is not None and value != []}


def condition(status: Mapping[str, Any], type_: str) -> Manifest:
    """Return a condition of a status, empty when it has none of this type."""
    conditions = status.get("conditions", ())
    return next((each for each in conditions if each["type"] == type_), {})


def _rollout_state(
    app: WeatherApp, seen: Observation, live: Revision | None, far: Progress, now: str
) -> RolloutState | None:
    decision = seen.decision
    if (
        decision
        and decision.good
        and decision.step in (Step.MARK_FAILED, Step.ROLL_BACK)
        and seen.desired
    ):
        return rollback(app, seen.desired, decision.good, now=now)
    standing = decision is None or decision.frozen
    return rollout_state(app, live, far, now=now, standing=standing)


def _version(app: WeatherApp, complete: Revision | None) -> Manifest:
    """Return what last became fully available: it changes only when a rollout is complete."""
    names = ("version", "colour", "image")
    if complete:
        return {name: getattr(complete, name) for name in names}
    return {name: app.status[name] for name in names if name in app.status}


def _judge_serving(
    app: WeatherApp, seen: Observation, live: Revision | None, far: Progress, url: str | None
) -> Verdict:
    if url is None:
        return Verdict(
            ready=False,
            reason="AddressPending",
            message=address.pending(app, seen.ways),
            reconciling=True,
        )
    return Verdict(
        ready=True, reason="Serving", message=f"{live} serves with {pods(far.available)}"
    )


def _conditions(
    app: WeatherApp, far: Progress, change: RolloutState | None, verdict: Verdict, now: str
) -> list[Manifest]:
    least = change.floor if change else floor(far.wanted, app.rollout.max_unavailable)
    available = far.available >= least
    serving = f"{pods(far.available)} available, at least {least} wanted"
    paused = app.rollout.paused
    pause = f"spec.rollout.paused is {str(paused).lower()}"
    said = [
        ("Ready", verdict.ready, verdict.reason, verdict.message),
        ("Available", available, "EnoughPods" if available else "TooFewPods", serving),
        ("Reconciling", verdict.reconciling, verdict.reason, verdict.message),
        ("Stalled", verdict.stalled, verdict.reason, verdict.message),
        ("Paused", paused, "Paused" if paused else "NotPaused", pause),
    ]
    return [
        _condition(app, type_, holds, reason, message, now)
        for type_, holds, reason, message in said
    ]


def _condition(
    app: WeatherApp, type_: str, holds: bool, reason: str, message: str, now: str
) -> Manifest:
    before, value = condition(app.status, type_), str(holds)
    return {
        "type": type_,
        "status": value,
        "reason": reason,
        "message": message,
        "observedGeneration": app.generation,
        "lastTransitionTime": before["lastTransitionTime"]
        if before.get("status") == value
        else now,
    }
