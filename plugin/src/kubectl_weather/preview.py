"""What an apply would change: the edits of each child, and the pods that are replaced."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from weather_operator.kube.resources import SERVICE, Manifest
from weather_operator.model import WeatherApp
from weather_operator.render import REVISION_ANNOTATION
from weather_operator.rollout.plan import Plan
from weather_operator.rollout.progress import min_available
from weather_operator.rollout.revisions import Revision, revision_in
from weather_operator.rollout.state import failure
from weather_operator.rollout.strategies import Action
from weather_operator.rollout.traffic import canary_size, possible_weight
from weather_operator.rollout.trial import TRYING, Trial, steps_of

from kubectl_weather.model import json_name
from kubectl_weather.printing import BAD, GOOD, QUIET, WAITING, Span, TreeNode, version_span

CREATED = "is made"
CHANGED = "changes"
UNCHANGED = "stays"
RECREATED = "is made anew"
DELETED = "is deleted"
REFUSED = "is refused"

_MEANINGS = {
    CREATED: GOOD,
    CHANGED: WAITING,
    UNCHANGED: QUIET,
    RECREATED: WAITING,
    DELETED: BAD,
    REFUSED: BAD,
}
_BOOKKEEPING = {"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid"}
_LONGEST = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A field with its values before and after, None where it is not there."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """What becomes of a child: `fate` is one of the above, `why` the reason of a refusal."""

    kind: str
    name: str
    fate: str
    edits: tuple[Edit, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an apply of one WeatherApp would do.

    `version` is what the spec asks for, `template_version` what the Deployment's pods will be of,
    `replaced` the names of the pods that go, `min_available` how many serve meanwhile. Where only
    the status is written at first (`says_first`) everything else follows from what it says.
    """

    namespace: str
    name: str
    version: str
    colour: str
    template_version: str = field(metadata=json_name("carried_version"))
    template_colour: str = field(metadata=json_name("carried_colour"))
    notes: tuple[str, ...]
    children: tuple[Child, ...]
    replaced: tuple[str, ...]
    min_available: int = field(metadata=json_name("floor"))
    says_first: bool = False

    @property
    def differs(self) -> bool:
        """Whether anything would become other than it is."""
        return self.says_first or any(each.fate != UNCHANGED for each in self.children)


def edits(before: Manifest, after: Manifest) -> tuple[Edit, ...]:
    """Return what differs in what people declare of two states of an object."""
    return tuple(_edits(_declared(before), _declared(after), ""))


def replaced(
    pods: Sequence[Manifest], before: Manifest | None, after: Manifest | None
) -> tuple[str, ...]:
    """Return the names of the pods that a change of the Deployment's template replaces."""
    if before is None or after is None:
        return ()
    old, new = before["spec"]["template"], after["spec"]["template"]
    if old == new:
        return ()
    # One revision in both means that somebody changed the template by hand: all pods have that.
    kept = None if _revision(old) == _revision(new) else _revision(new)
    return tuple(
        sorted(
            pod["metadata"]["name"]
            for pod in pods
            if kept is None or _revision(pod) != kept
            if "deletionTimestamp" not in pod["metadata"]
        )
    )


def revision_of(deployment: Manifest | None) -> Revision | None:
    """Return what a Deployment's pods are of."""
    return revision_in(deployment["spec"]["template"]) if deployment else None


def notes(app: WeatherApp, plan: Plan) -> Iterator[str]:
    """Say what the operator does otherwise than the spec alone would suggest, and why."""
    if app.suspend:
        yield "spec.suspend is true: the operator leaves everything as it is"
    if plan.decision and plan.desired:
        yield from _rollout_notes(app, plan)
    services = [each.name for each in plan.writes if each.kind is SERVICE and each.manifest]
    if services.count(app.key.name) > 1:
        yield (
            "the Service gives up its load balancer in between: "
            "the class of a load balancer cannot change"
        )


def _rollout_notes(app: WeatherApp, plan: Plan) -> Iterator[str]:
    decision, desired = plan.decision, plan.desired
    if decision is None:
        return
    if decision.outside_window:
        yield f"no change window is open: {decision.outside_window.message}"
        return
    if decision.missing_image and decision.action is Action.HOLD:
        yield (
            f"{desired} is waited for until {decision.missing_image.until}, then rolled out all "
            f"the same: {decision.missing_image.message}"
        )
        return
    if decision.trial and desired:
        yield from _trial_notes(app, desired, decision.trial)
        return
    if decision.untried and desired:
        yield f"{desired} is not tried in pods of its own: {decision.untried}"
    if decision.action is Action.ROLL_OUT:
        if decision.paused:
            yield "spec.rollout.paused is true: no pod is replaced before kubectl weather resume"
        return
    if decision.action is Action.MARK_FAILED:
        yield f"{desired} has failed: the pods go back to {decision.rollback_to}"
        return
    kept = decision.template_from.revision if decision.template_from else desired
    known = desired and failure(app.status, desired.revision, attempt=app.rollout.attempt)
    if known:
        goes_back = decision.action is Action.ROLL_BACK
        yield (
            f"{desired} failed before ({known['reason']}): "
            f"the pods {'go back to' if goes_back else 'stay'} {kept} "
            f"until kubectl weather retry {app.key.name}"
        )
    else:
        yield f"spec.rollout.paused is true: the pods stay {kept} until kubectl weather resume"
    if decision.rollback_blocked:
        yield decision.rollback_blocked


def _trial_notes(app: WeatherApp, desired: Revision, trial: Trial) -> Iterator[str]:
    """Say by which steps a revision is tried, and how many pods of its own each of them takes."""
    name = app.key.name
    if trial.phase not in TRYING:
        yield f"the canary of {name} is {trial.phase}: the pods that serve are as they end"
        return
    yield f"{desired} is tried in pods of its own; those that serve stay as they are meanwhile"
    blue_green = app.rollout.strategy.blue_green
    if blue_green and blue_green.approval:
        yield f"no visitors before kubectl weather approve {name}"
    for number, step in enumerate(steps_of(app), start=1):
        size = canary_size(app, step.weight, trial.stable)
        possible = possible_weight(app, step.weight, size, trial.stable)
        share = f"{step.weight} %" + (f" ({possible} % possible)" * (possible != step.weight))
        lasts = f" for {step.duration_seconds} s" * bool(step.duration_seconds)
        until = f", until kubectl weather approve {name}" * step.approval
        pods = "1 pod" if size == 1 else f"{size} pods"
        yield f"step {number}: {share} of the visitors{lasts}, {pods}{until}"
    yield f"then {desired} replaces what serves"


def least_available(app: WeatherApp, before: Manifest | None, after: Manifest | None) -> int:
    """Return how many pods serve at any time between two states of the Deployment."""
    desired = [each["spec"].get("replicas", 1) for each in (before, after) if each]
    return min((min_available(number, app.rollout) for number in desired), default=0)


def preview_tree(preview: Preview) -> TreeNode:
    """Return a preview as a tree."""
    heading = [Span(f"WeatherApp {preview.name}"), version_span(preview.version, preview.colour)]
    if (preview.version, preview.colour) != (preview.template_version, preview.template_colour):
        heading = [heading[0], Span("asks for"), heading[1], Span("carries")]
        heading.append(version_span(preview.template_version, preview.template_colour))
    return TreeNode(
        heading,
        [
            *(TreeNode([Span(each, WAITING)]) for each in preview.notes),
            *(_child(each) for each in preview.children),
            _pods(preview),
        ],
    )


def _child(child: Child) -> TreeNode:
    words = [Span(f"{child.kind} {child.name}"), Span(child.fate, _MEANINGS[child.fate])]
    if child.why:
        words.append(Span(child.why, BAD))
    lines = [TreeNode([Span(_line(each))]) for each in child.edits]
    return TreeNode(words, lines)


def _line(edit: Edit) -> str:
    if edit.before is None:
        return f"+ {edit.path}: {_short(edit.after)}"
    if edit.after is None:
        return f"- {edit.path}: {_short(edit.before)}"
    return f"~ {edit.path}: {_short(edit.before)} → {_short(edit.after)}"


def _pods(preview: Preview) -> TreeNode:
    if not preview.replaced:
        at_first = " at first" * preview.says_first
        return TreeNode([Span(f"no pod is replaced{at_first}", GOOD)])
    number = len(preview.replaced)
    what = "1 pod is replaced" if number == 1 else f"{number} pods are replaced"
    serving = f"never fewer than {preview.min_available} serve"
    return TreeNode(
        [Span(f"{what}, {serving}", WAITING)],
        [TreeNode([Span(f"Pod {name}")]) for name in preview.replaced],
    )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _declared(body: Manifest) -> Manifest:
    """Leave out what the API server keeps for itself, and the status."""
    fields = {name: value for name, value in body.items() if name != "status"}
    metadata = {name: value for name, value in body["metadata"].items() if name not in _BOOKKEEPING}
    annotations = {
        name: value
        for name, value in metadata.get("annotations", {}).items()
        if not name.startswith("deployment.kubernetes.io/")
    }
    return {**fields, "metadata": {**metadata, "annotations": annotations}}


def _edits(before: Any, after: Any, path: str) -> Iterator[Edit]:
    if before == after:
        return
    old, new = _by_name(before), _by_name(after)
    if old is None or new is None:
        yield Edit(path=path, before=before, after=after)
        return
    form = f"{path}[{{}}]" if isinstance(before, list) else f"{path}.{{}}" if path else "{}"
    for name in dict.fromkeys((*old, *new)):
        yield from _edits(old.get(name), new.get(name), form.format(name))


def _by_name(value: Any) -> dict[str, Any] | None:
    """Return the parts of a value, None where it is compared whole."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and all(isinstance(each, dict) and "name" in each for each in value):
        return {each["name"]: each for each in value}
    return None


def _revision(body: Manifest) -> str | None:
    found: str | None = body["metadata"].get("annotations", {}).get(REVISION_ANNOTATION)
    return found
