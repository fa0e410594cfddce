"""What to do next for one app, and what is known of its rollout meanwhile.

`plan` is all of the operator's judgement in one pure function: the reconciler carries out what it
says, the plugin shows it. From the app and its release come the manifests (`render`); the strategy
decides which template the Deployment gets (`strategies`); routes follow what serves (`routes`);
what there is already decides what is deleted, who sets the number of pods, and in which order.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from weather_operator import render
from weather_operator.kube.apply import Cause, Field, difference
from weather_operator.kube.resources import (
    AUTOSCALER,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    SERVICE,
    Kind,
    Manifest,
)
from weather_operator.model import CHILDREN, FIELD_MANAGER, REPLICAS_MANAGER, WeatherApp
from weather_operator.render import Track, child_name
from weather_operator.render.labels import COLOUR_LABEL, VERSION_LABEL
from weather_operator.render.load_balancers import (
    divides_by_rule,
    progress_deadline_seconds,
    sends_to_pods,
)
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.progress import Progress, min_available
from weather_operator.rollout.revisions import Revision, as_declared, revision_in
from weather_operator.rollout.routes import ROUTES, leads_somewhere, routes_traffic, serving_path
from weather_operator.rollout.state import (
    ROLLING_BACK,
    RolloutState,
    later,
    progressed_at,
    revision_tried,
    rollback_state,
    rollout_state,
    started_at,
)
from weather_operator.rollout.strategies import Action, Decision, canary, rolling_update
from weather_operator.rollout.strategies.canary import canary_reached
from weather_operator.rollout.traffic import (
    canary_size,
    divides_requests,
    is_bound,
    service_selector,
)
from weather_operator.rollout.trial import (
    ENDING,
    PREPARING,
    PROMOTING,
    TRYING,
    Trial,
    step_at,
    trial_before,
)
from weather_operator.rollout.weights import least_stable, routed_weight

_ROLLS = (PROMOTING, ROLLING_BACK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One step: a child is deleted where there is no manifest, else applied by the manager."""

    kind: Kind
    name: str
    manifest: Manifest | None = None
    manager: str = FIELD_MANAGER


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done, in this order, and why.

    `desired` is what the spec asks for, None where the catalogue does not have it. `decision` is
    None where the app is left as it is: it is suspended, or its release is not known. `rollout` is
    the change that is under way.
    """

    desired: Revision | None = None
    decision: Decision | None = None
    rollout: RolloutState | None = None
    writes: tuple[Write, ...] = ()


def plan(observed: Observed) -> Plan | None:
    """Return what to do, None when that takes ReplicaSets or pods that have not been read."""
    app, release = observed.app, observed.release
    if release is None or app.suspend or observed.is_digest_pending:
        return no_action(observed)
    manifests = dict(render.children(app, release))
    desired = revision_in(manifests[DEPLOYMENT]["spec"]["template"])
    if desired is None:
        return no_action(observed)  # never: what is rendered has a revision
    decision = canary.decide(observed, desired)
    if decision is None:
        return None
    if decision.action.only_says:
        rollout = current_rollout(observed, desired, decision)
        return Plan(desired=desired, decision=decision, rollout=rollout)
    stable = _with_edits_undone(observed, manifests[DEPLOYMENT], decision)
    if stable is None or (path := serving_path(observed, desired, stable)) is None:
        return None
    trial = decision.trial if not decision.removes_canary else None
    weight = routed_weight(observed, trial) if trial else None
    # Visitors that a route sends to a Service which is not there get errors.
    share = weight if observed.child(SERVICE, child_name(app, Track.CANARY)) else None
    routes = render.routes_at(app, path, None if _is_off_route(app, trial) else share)
    manifests |= routes | _previous_routes(observed, routes, path, share)
    if trial:
        manifests[SERVICE] = render.service(app, service_selector(app, weight or 0))
    if decision.trial and app.autoscaling:
        least = least_stable(observed, decision.trial)
        manifests[AUTOSCALER] = render.autoscaler(app, app.autoscaling, least=least)
    manifests[DEPLOYMENT] = with_decision(manifests[DEPLOYMENT], stable)
    rollout = current_rollout(observed, desired, decision)
    if sends_to_pods(app):
        template = manifests[DEPLOYMENT]["spec"]["template"]
        begins = _writes_deployment(stable) and revision_in(template) != observed.live
        is_settled = not (begins or decision.lacks_gates) and _is_settled(observed, rollout)
        # First of all: no pod is to be evicted for one that is yet to come.
        budget = render.disruption_budget(app, is_settled=is_settled)
        del manifests[DISRUPTION_BUDGET]
        manifests = {DISRUPTION_BUDGET: budget, **manifests}
    if observed.is_scaled_by_others():
        manifests.pop(AUTOSCALER, None)
    return Plan(
        desired=desired,
        decision=decision,
        rollout=rollout,
        writes=(
            *_deletions(observed, manifests),
            *(_canary_applies(observed, trial, decision) if trial else ()),
            *_applies(observed, manifests, stable),
            *(_canary_deletions(observed) if decision.removes_canary else ()),
        ),
    )


def _with_edits_undone(
    observed: Observed, manifest: Manifest, decision: Decision
) -> Decision | None:
    """Return what is decided for the stable pods, None if that takes the ReplicaSets.

    A trial leaves them as they are, but not as others make them.
    """
    live = observed.child(DEPLOYMENT)
    if live is None or not decision.keeps_stable:
        return decision
    suspects = _differing(manifest, live, Cause.EDITED, Cause.MISSING, Cause.UNOWNED)
    if not suspects:
        return decision
    name = f"f:{render.REVISION_ANNOTATION}"
    is_other = any(each.keys[-1] == name and each.cause is not Cause.MISSING for each in suspects)
    undone = rolling_update.put_back(observed, decision, is_other=is_other)
    if undone is None or undone is decision:
        return undone
    # What the trial's own template has beside it is nobody's edit.
    edits = _differing(with_decision(manifest, undone), live, Cause.EDITED, Cause.MISSING)
    return undone if edits else decision


def _differing(manifest: Manifest, live: Manifest, *causes: Cause) -> list[Field]:
    """Return the fields of a Deployment that differ for one of these causes."""
    found = difference(manifest, live, manager=FIELD_MANAGER).fields
    return [each for each in found if each.cause in causes]


def no_action(observed: Observed) -> Plan:
    """Return the plan that leaves everything as it is, and says what is asked for and under way."""
    app, release = observed.app, observed.release
    desired = revision_in(render.pod_template(app, release)) if release else None
    return Plan(desired=desired, rollout=current_rollout(observed, desired, None))


def with_decision(manifest: Manifest, decision: Decision) -> Manifest:
    """Return the Deployment's manifest as decided."""
    metadata, spec = manifest["metadata"], {**manifest["spec"], "paused": decision.paused}
    if source := decision.template_from:
        spec["template"] = source.template
        labels = {VERSION_LABEL: source.revision.version, COLOUR_LABEL: source.revision.colour}
        metadata = {**metadata, "labels": {**metadata["labels"], **labels}}
    return {**manifest, "metadata": metadata, "spec": spec}


def current_rollout(
    observed: Observed, desired: Revision | None, decision: Decision | None
) -> RolloutState | None:
    """Return the change that is under way once this was decided."""
    app, now = observed.app, observed.now
    trial = decision.trial if decision else trial_before(app.status)
    if decision is None and trial:
        desired = revision_tried(app.status)
    if trial and trial.phase not in _ROLLS:
        return _trial_state(observed, desired, trial)
    begins_rollback = decision and decision.action in (Action.MARK_FAILED, Action.ROLL_BACK)
    if begins_rollback and decision and decision.rollback_to and desired:
        state = rollback_state(app, desired, decision.rollback_to, now=now)
        return replace(state, trial=trial and replace(trial, phase=ROLLING_BACK))
    runs = decision is not None and not decision.paused
    live = as_declared(observed.live, desired)
    rolling = rollout_state(app, live, observed.progress, now=now, has_deadline=runs)
    if trial is None:
        return rolling
    if rolling is None or observed.live != desired:
        return _trial_state(observed, desired or observed.live, trial)
    return replace(rolling, trial=replace(trial, phase=rolling.phase))


def _trial_state(observed: Observed, tried: Revision | None, trial: Trial) -> RolloutState | None:
    """Return the trial as the change that is under way: its deadline is that of its first pods."""
    app, now = observed.app, observed.now
    before = app.status.get("rollout", {})
    ends = trial.phase in ENDING
    is_same = trial_before(app.status) is not None
    if ends and is_same:
        tried = revision_tried(app.status)
    if tried is None:
        return None
    before = before if is_same else {}
    rolls = trial.phase == PROMOTING
    reached = None if ends or rolls else canary_reached(observed)
    at = None if reached is None else progressed_at(before, reached, now)
    limit = progress_deadline_seconds(app)
    if trial.phase in TRYING and at is None and not rolls:
        at = min(before.get("progressedAt", now), now)
    return RolloutState(
        phase=trial.phase,
        source=before.get("from") or app.status.get("version"),
        target=tried,
        min_available=min_available(observed.progress.desired, app.rollout),
        attempt=app.rollout.attempt,
        started_at=started_at(before, now),
        reached=reached,
        progressed_at=at,
        deadline=later(at, limit) if at and trial.phase == PREPARING else None,
        trial=trial,
    )


def _is_settled(observed: Observed, rollout: RolloutState | None) -> bool:
    """Tell whether no pod counts, or may count at any moment, that a load balancer does not know.

    It may not know one that is ready for a short time alone. What a rollout brings can become ready
    at once; after its deadline that is waited for no longer: it may be for want of another node.
    """
    progress, deadline = observed.progress, rollout.deadline if rollout else None
    if progress.complete or not _are_known(progress):
        return progress.complete
    return deadline is None or deadline <= observed.now


def _are_known(progress: Progress) -> bool:
    """Tell whether as many pods as wanted are ready, and all of them for long enough."""
    return progress.observed and progress.available >= max(progress.desired, progress.ready)


def _is_off_route(app: WeatherApp, trial: Trial | None) -> bool:
    """Tell whether a canary that gets no more visitors needs its Service in no route either.

    A load balancer that sends to pods themselves lets those go whose Service is in a rule.
    """
    return trial is not None and trial.phase in ENDING and not divides_by_rule(app)


def _canary_applies(observed: Observed, trial: Trial, decision: Decision) -> Iterator[Write]:
    """Return the canary's own children, after the deletion of what it asks for no longer.

    Those that only wait for their end are left alone.
    """
    app, release = observed.app, observed.release
    if release is None or trial.phase not in (*TRYING, PROMOTING):
        return
    size = observed.canary_progress.desired
    if step := step_at(app, max(trial.step, 1)):
        size = max(size, canary_size(app, step.weight, observed.progress.desired))
    is_scaled_by_others = observed.is_scaled_by_others(Track.CANARY)
    children = render.canary_children(app, release, size)
    asked_for = [kind for kind, _ in children]
    yield from (each for each in _canary_deletions(observed) if each.kind not in asked_for)
    for kind, manifest in children:
        name: str = manifest["metadata"]["name"]
        if kind is not SERVICE and observed.tried is None and not is_bound(observed):
            return
        if kind is AUTOSCALER and is_scaled_by_others:
            continue
        if kind is DEPLOYMENT:
            manifest["spec"]["paused"] = decision.paused
        if kind is DISRUPTION_BUDGET and sends_to_pods(app) and trial.weight:
            is_known = _are_known(observed.canary_progress)
            manifest = render.disruption_budget(app, Track.CANARY, is_settled=is_known)
        yield Write(kind=kind, name=name, manifest=manifest)
        if kind is DEPLOYMENT and app.autoscaling is None and not is_scaled_by_others:
            number = render.replicas(app, Track.CANARY, size)
            yield Write(kind=kind, name=name, manifest=number, manager=REPLICAS_MANAGER)


def _canary_deletions(observed: Observed) -> Iterator[Write]:
    name = child_name(observed.app, Track.CANARY)
    for kind in reversed(CHILDREN):
        child = observed.child(kind, name)
        if child and "deletionTimestamp" not in child["metadata"]:
            yield Write(kind=kind, name=name)


def _deletions(observed: Observed, manifests: dict[Kind, Manifest]) -> Iterator[Write]:
    """Return what the app asks for no longer, and an autoscaler that has to begin anew."""
    recreate_autoscaler = _starts_from_no_pods(observed)
    name = child_name(observed.app)
    for kind in CHILDREN:
        child = observed.child(kind, name)
        if child is None or "deletionTimestamp" in child["metadata"]:
            continue
        if kind not in manifests or (kind is AUTOSCALER and recreate_autoscaler):
            yield Write(kind=kind, name=name)


def _applies(
    observed: Observed, manifests: dict[Kind, Manifest], decision: Decision
) -> Iterator[Write]:
    app = observed.app
    for kind, manifest in manifests.items():
        name: str = manifest["metadata"]["name"]
        if kind is DEPLOYMENT and _begins_without_pods(observed):
            held = {**manifest, "spec": {**manifest["spec"], "paused": True}}
            yield Write(kind=kind, name=name, manifest=held)
            yield _set_replicas(app)
        if kind is SERVICE and _changes_load_balancer_class(observed, manifest):
            between = render.service_without_load_balancer(app)
            yield Write(kind=kind, name=name, manifest=between)
        if kind is not DEPLOYMENT or _writes_deployment(decision):
            yield Write(kind=kind, name=name, manifest=manifest)
        if kind is DEPLOYMENT and _sets_replicas(observed):
            yield _set_replicas(app)


def _writes_deployment(decision: Decision) -> bool:
    """Tell whether the Deployment is not left as it is: what served last may have to come again."""
    return bool(decision.template_from) or not (decision.waits_for or decision.keeps_stable)


def _set_replicas(app: WeatherApp) -> Write:
    manifest = render.replicas(app)
    return Write(kind=DEPLOYMENT, name=child_name(app), manifest=manifest, manager=REPLICAS_MANAGER)


def _begins_without_pods(observed: Observed) -> bool:
    """Tell whether a Deployment is made for no pods: the API server would begin with one."""
    return observed.child(DEPLOYMENT) is None and observed.app.first_replicas == 0


def _previous_routes(
    observed: Observed, asked_for: dict[Kind, Manifest], path: str, weight: int | None
) -> dict[Kind, Manifest]:
    """Return the routes that go once those that the app asks for lead somewhere.

    Until then visitors come through them, so they follow what serves as any other.
    """
    if all(leads_somewhere(kind, observed.child(kind)) for kind in asked_for):
        return {}
    app, kept = observed.app, {}
    for kind in ROUTES:
        live = observed.child(kind)
        if live and kind not in asked_for and routes_traffic(live):
            canary = weight if divides_requests(app) else None
            kept[kind] = render.previous_route(app, kind, live, path, canary)
    return kept


def _starts_from_no_pods(observed: Observed) -> bool:
    """Tell whether the pods begin at 0 or with a new Deployment: so must their autoscaler.

    It stops where somebody scaled to 0, and only before it is there is the first number ours.
    """
    deployment = observed.child(DEPLOYMENT)
    return deployment is None or deployment["spec"]["replicas"] == 0


def _sets_replicas(observed: Observed) -> bool:
    """Tell whether the number of pods is ours to set: never while an autoscaler is there."""
    app = observed.app
    if observed.is_scaled_by_others():
        return False
    autoscaler = observed.child(AUTOSCALER)
    if autoscaler:
        goes = app.autoscaling is None or _starts_from_no_pods(observed)
        if not goes or "deletionTimestamp" in autoscaler["metadata"]:
            return False
    if app.autoscaling is None:
        return True
    deployment = observed.child(DEPLOYMENT)
    # The API server makes a Deployment that says nothing of it with one pod.
    replicas: int = deployment["spec"]["replicas"] if deployment else 1
    return replicas < app.first_replicas


def _changes_load_balancer_class(observed: Observed, manifest: Manifest) -> bool:
    """Tell whether a load balancer is to become one of another class, which the API refuses."""
    live = observed.child(SERVICE)
    if live is None or not manifest["spec"]["type"] == live["spec"]["type"] == "LoadBalancer":
        return False
    found = difference(manifest, live, manager=FIELD_MANAGER)
    return any(
        each.path == "spec.loadBalancerClass" and each.cause is not Cause.UNOWNED
        for each in found.fields
    )
