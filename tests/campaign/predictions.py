"""What a plan has to end in, told from its steps alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from campaign.plans import BROKEN, GOOD, RELEASES, Act, Plan, Spec, Step

FOREIGN = {
    Act.ADD_AUTOSCALER: "horizontalpodautoscalers",
    Act.ADD_BUDGET: "poddisruptionbudgets",
    Act.ADD_SQUATTER: "services",
}
_DROPPED = {
    Act.DROP_AUTOSCALER: Act.ADD_AUTOSCALER,
    Act.DROP_BUDGET: Act.ADD_BUDGET,
    Act.DROP_SQUATTER: Act.ADD_SQUATTER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How one app ends: with one of these reasons of Ready.

    Where `is_determined`, its children are those of a clean start with the same spec. Its number of
    pods is that too, unless `number_is_free`: then an autoscaler may have chosen it.
    """

    spec: Spec
    reasons: frozenset[str]
    is_determined: bool
    number_is_free: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """How all ends: the apps that there are, the releases' images and what is not the operator's.

    `foreign` holds acts that add something, with the app they are about.
    """

    apps: dict[str, End]
    releases: dict[str, str]
    foreign: frozenset[tuple[Act, str]]


def predict(plan: Plan) -> Prediction:
    """Return how a plan ends once its faults are over."""
    specs: dict[str, Spec] = {}
    releases = dict.fromkeys(releases_of(plan), GOOD)
    foreign: set[tuple[Act, str]] = set()
    suspended: set[str] = set()
    for step in plan.steps:
        _follow_apps(step, specs, suspended)
        if step.act is Act.SET_IMAGE:
            releases[step.about] = step.value
        elif step.act is Act.DELETE_RELEASE:
            releases.pop(step.about, None)
        elif step.act in FOREIGN:
            foreign.add((step.act, step.about))
        elif step.act in _DROPPED:
            foreign.discard((_DROPPED[step.act], step.about))
    apps = {
        name: _end(spec, releases.get(spec["version"]), {a for a, app in foreign if app == name})
        for name, spec in specs.items()
    }
    return Prediction(apps=apps, releases=releases, foreign=frozenset(foreign))


def releases_of(plan: Plan) -> tuple[str, ...]:
    """Return the releases that a plan is about, each once."""
    changed = (step.about for step in plan.steps if step.act is Act.SET_IMAGE)
    return tuple(dict.fromkeys((*RELEASES, *changed)))


def _follow_apps(step: Step, specs: dict[str, Spec], suspended: set[str]) -> None:
    if step.act is Act.APPLY:
        specs[step.about] = step.value
    elif step.act is Act.DELETE:
        specs.pop(step.about, None)


def _end(spec: Spec, image: str | None, foreign: set[Act]) -> End:
    reasons = _reasons(spec, image, foreign)
    is_plain = image not in (None, BROKEN) and not spec["rollout"].get("paused")
    return End(
        spec=spec,
        reasons=frozenset(reasons),
        is_determined=is_plain and not spec.get("suspend") and Act.ADD_SQUATTER not in foreign,
        number_is_free="autoscaling" in spec or Act.ADD_AUTOSCALER in foreign,
    )


def _reasons(spec: Spec, image: str | None, foreign: set[Act]) -> Iterable[str]:
    if spec.get("suspend"):
        return {"Suspended"}
    if image is None:
        return {"UnknownVersion"}
    if Act.ADD_SQUATTER in foreign:
        return {"NameConflict"}
    is_off = spec.get("replicas") == 0 and "autoscaling" not in spec
    has_address = "ingress" not in spec and "service" not in spec
    found = {"ScaledToZero"} if is_off else {"Serving" if has_address else "AddressPending"}
    if Act.ADD_AUTOSCALER in foreign:
        # Another's autoscaler on no pods leaves them so, and on some keeps some.
        found |= {"AutoscalerConflict", *(() if has_address else ("AddressPending",))}
    if Act.ADD_BUDGET in foreign:
        found |= {"DisruptionBudgetConflict"}
    if image == BROKEN:
        # Where it has failed in many apps it is not brought to more.
        found = (found if is_off else set()) | {"RolledBack", "ProgressDeadlineExceeded", "Waiting"}
    if spec["rollout"].get("paused"):
        found |= {"Paused", "RolledBack", "ProgressDeadlineExceeded"}
    return found


def manifest_of(act: Act, app: str, namespace: str) -> tuple[str, dict[str, Any]]:
    """Return the kind and the manifest of what somebody else adds about an app."""
    kind = FOREIGN[act]
    name = app if act is Act.ADD_SQUATTER else f"{app}-theirs"
    metadata = {"name": name, "namespace": namespace, "labels": {"whose": "theirs"}}
    if act is Act.ADD_AUTOSCALER:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": app}
        spec: dict[str, Any] = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 4}
        head = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}
    elif act is Act.ADD_BUDGET:
        selector = {"matchLabels": {"app.kubernetes.io/instance": app}}
        spec = {"minAvailable": 1, "selector": selector}
        head = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget"}
    else:
        spec = {"selector": {"whose": "theirs"}, "ports": [{"port": 80, "protocol": "TCP"}]}
        head = {"apiVersion": "v1", "kind": "Service"}
    return kind, {**head, "metadata": metadata, "spec": spec}
