"""From what was observed and planned to the status that people and tools read."""

from collections.abc import Mapping
from typing import Any

from weather_operator.kube.resources import Manifest
from weather_operator.render import selector
from weather_operator.render.load_balancers import (
    GATES_LABEL,
    GATES_PROMISED,
    min_ready_seconds,
    sends_to_pods,
)
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.plan import Plan
from weather_operator.rollout.progress import min_available
from weather_operator.rollout.revisions import Revision, as_declared
from weather_operator.rollout.spec_change import is_spec_change_pending
from weather_operator.rollout.state import record_outcome, revision_tried
from weather_operator.rollout.strategies import Action
from weather_operator.status import blockers
from weather_operator.status.columns import short_image, summary
from weather_operator.status.ready import (
    ReadyCondition,
    pods,
    ready_condition,
    updated_pods,
    why_failed,
)
from weather_operator.status.url import serving_class, url

_LONGEST = 4096
"""How long a message may be: what a webhook says in it has no bound, and each is kept thrice."""


def status(observed: Observed, plan: Plan) -> Manifest:
    """Return the whole status.

    The same observation gives the same one, but for what changed at `observed.now`.
    """
    app, progress = observed.app, observed.progress
    address = url(observed)
    action = plan.decision.action if plan.decision else None
    cause = why_failed(observed) if action is Action.MARK_FAILED else None
    ended = plan.decision.ended if plan.decision else None
    scaling = app.autoscaling
    ready = ready_condition(observed, plan, address)
    in_the_way = [
        blockers.manifest(each)
        for each in (*observed.apply_errors, *(observed.pod_blockers or ()), *observed.conflicts)
    ]
    shown = {
        "observedGeneration": app.generation,
        **_version(observed),
        "desiredVersion": plan.desired.version if plan.desired else app.version,
        "url": address,
        "ingressClass": serving_class(observed, address),
        # More than all is no news: it is a pod that comes before another one goes.
        "ready": f"{min(progress.ready, progress.desired)}/{progress.desired}",
        "autoscaling": scaling and f"{scaling.min_replicas}–{scaling.max_replicas}",
        "ignoredReplicas": scaling and app.scaled_to,
        "selector": ",".join(f"{name}={value}" for name, value in selector(app).items()),
        "replicas": progress.replicas,
        "readyReplicas": progress.ready,
        "updatedReplicas": updated_pods(observed, plan.rollout),
        "availableReplicas": progress.available,
        "specChangePending": is_spec_change_pending(observed) or None,
        "rollout": plan.rollout and plan.rollout.manifest(),
        "summary": summary(ready.message, in_the_way),
        "blockers": in_the_way,
        **record_outcome(
            app,
            # What is taken back has not succeeded, though all of its pods may be there.
            None if action is Action.ROLL_BACK else as_declared(observed.live, plan.desired),
            progress,
            cause=ended.cause if ended else cause,
            now=observed.now,
            tried=revision_tried(app.status) if ended else None,
            gave_up=ended is not None,
        ),
        "conditions": _conditions(observed, plan, ready),
    }
    return {name: value for name, value in shown.items() if value is not None and value != []}


def condition(status: Mapping[str, Any], type_: str) -> Manifest:
    """Return a condition of a status, empty when it has none of this type."""
    conditions = status.get("conditions", ())
    return next((each for each in conditions if each["type"] == type_), {})


def _version(observed: Observed) -> Manifest:
    """Return what last became fully available: it changes only when a rollout is complete."""
    names = ("version", "colour", "image")
    live: Revision | None = observed.live
    if live and observed.progress.complete:
        found = {name: getattr(live, name) for name in names}
    else:
        before = observed.app.status
        found = {name: before[name] for name in names if name in before}
    return found | ({"shortImage": short_image(found["image"])} if "image" in found else {})


def _conditions(observed: Observed, plan: Plan, ready: ReadyCondition) -> list[Manifest]:
    app, progress = observed.app, observed.progress
    least = (
        plan.rollout.min_available if plan.rollout else min_available(progress.desired, app.rollout)
    )
    available = progress.available >= least
    serving = f"{pods(progress.available)} available, at least {least} wanted"
    paused = app.rollout.paused
    pause = f"spec.rollout.paused is {str(paused).lower()}"
    conditions: list[tuple[str, bool | None, str, str]] = [
        ("Ready", ready.ready, ready.reason, ready.message),
        ("Available", available, "EnoughPods" if available else "TooFewPods", serving),
        ("Reconciling", ready.reconciling, ready.reason, ready.message),
        ("Stalled", ready.stalled, ready.reason, ready.message),
        ("Paused", paused, "Paused" if paused else "NotPaused", pause),
    ]
    if sends_to_pods(app):
        conditions.append(("ReadinessGates", *_gates(observed)))
    return [_condition(observed, *each) for each in conditions]


def _gates(observed: Observed) -> tuple[bool | None, str, str]:
    """Tell whether new pods wait until their load balancer sends to them."""
    gates, namespace = observed.gates, observed.app.key.namespace
    if gates is None:
        message = f"the operator may not read whether the namespace {namespace} has the label"
        return None, "NotReadable", message
    if gates.missing:
        lacking = f"{pods(len(gates.missing))} of the new version came without: {gates.missing[0]}"
        return False, "Missing", lacking
    if gates.promised:
        return True, "Promised", "new pods wait until the load balancer has found them healthy"
    message = (
        f"the load balancer is given {min_ready_seconds(observed.app)} s to find new pods healthy, "
        f"and is not asked. kubectl label namespace {namespace} {GATES_LABEL}={GATES_PROMISED} "
        "lets each pod made from then on wait"
    )
    return False, "NotPromised", message


def _condition(
    observed: Observed, type_: str, holds: bool | None, reason: str, message: str
) -> Manifest:
    before = condition(observed.app.status, type_)
    value = "Unknown" if holds is None else str(holds)
    is_same = before.get("status") == value
    return {
        "type": type_,
        "status": value,
        "reason": reason,
        "message": message if len(message) <= _LONGEST else f"{message[: _LONGEST - 1]}…",
        "observedGeneration": observed.app.generation,
        "lastTransitionTime": before["lastTransitionTime"] if is_same else observed.now,
    }
