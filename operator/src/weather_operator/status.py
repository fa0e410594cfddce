"""From what was observed to the status that people and tools read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weather_operator import address
from weather_operator.address import Ways
from weather_operator.blockers import Blocker
from weather_operator.flight import Flight, flight, rollback
from weather_operator.history import remember
from weather_operator.kinds import Manifest
from weather_operator.model import WeatherApp
from weather_operator.progress import Progress, floor, progress
from weather_operator.render import selector
from weather_operator.revisions import Revision, revision_in
from weather_operator.rollout import Decision, Step
from weather_operator.verdict import Case, Verdict, judge, pods, why_failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """All that a status is made from.

    `desired` is what the spec asks for, None when the catalogue does not have it, and `decision`
    what is done about it, None while nothing is. `refusals` came from the catalogue or the API and
    need a person; `hindrances` were found at the pods.
    """

    desired: Revision | None
    deployment: Manifest | None
    ways: Ways
    decision: Decision | None = None
    refusals: tuple[Blocker, ...] = ()
    hindrances: tuple[Blocker, ...] = ()


def status(app: WeatherApp, seen: Observation, *, now: str) -> Manifest:
    """Return the whole status. The same observation gives the same one, but for what changed `now`.

    `now` is a time in RFC 3339.
    """
    far = progress(seen.deployment, wanted=app.first_replicas)
    live = revision_in(seen.deployment["spec"]["template"]) if seen.deployment else None
    change = _change(app, seen, live, far, now)
    url = address.url(app, seen.ways)
    case = Case(
        app=app,
        desired=seen.desired,
        live=live,
        decision=seen.decision,
        progress=far,
        flight=change,
        refusals=seen.refusals,
        hindrances=seen.hindrances,
        now=now,
    )
    verdict = judge(case) or _judge_serving(app, seen, live, far, url)
    failing = seen.decision is not None and seen.decision.step is Step.FAIL
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
        "blockers": [each.manifest() for each in (*seen.refusals, *seen.hindrances)],
        **remember(app, live, far, cause=why_failed(seen.hindrances) if failing else None, now=now),
        "conditions": _conditions(app, far, change, verdict, now),
    }
    return {name: value for name, value in shown.items() if value is not None and value != []}


def condition(status: Mapping[str, Any], type_: str) -> Manifest:
    """Return a condition of a status, empty when it has none of this type."""
    conditions = status.get("conditions", ())
    return next((each for each in conditions if each["type"] == type_), {})


def _change(
    app: WeatherApp, seen: Observation, live: Revision | None, far: Progress, now: str
) -> Flight | None:
    decision = seen.decision
    if decision and decision.good and decision.step in (Step.FAIL, Step.RESTORE) and seen.desired:
        return rollback(app, seen.desired, decision.good, now=now)
    standing = decision is None or decision.frozen
    return flight(app, live, far, now=now, standing=standing)


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
    app: WeatherApp, far: Progress, change: Flight | None, verdict: Verdict, now: str
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
