"""What others do to an app's objects while the site serves all the same: said, and not fought."""

from collections.abc import Iterator, Mapping, Sequence

from weather_operator.kube.resources import (
    AUTOSCALER,
    DISRUPTION_BUDGET,
    HTTP_ROUTE,
    INGRESS,
    Manifest,
    controller_of,
)
from weather_operator.model import Blocker
from weather_operator.render import Track, selector
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.routes import ROUTES
from weather_operator.status.blockers import of_deletion

AUTOSCALER_CONFLICT = "AutoscalerConflict"
"""The reason where somebody else's autoscaler sets the number of pods."""


def conflicts(observed: Observed) -> tuple[Blocker, ...]:
    """Return the conflicts that were noted, and those that others' objects are."""
    app = observed.app
    tracks = [Track.STABLE, *([Track.CANARY] if observed.tried else [])]
    labels = [{**app.pod.get("labels", {}), **selector(app, track)} for track in tracks]
    return (
        *observed.conflicts,
        *map(_of_autoscaler, observed.autoscalers),
        *(
            _of_budget(each)
            for each in observed.disruption_budgets
            if any(_matches(each["spec"].get("selector"), track) for track in labels)
        ),
        *_of_previous_routes(observed),
    )


def _of_autoscaler(autoscaler: Manifest) -> Blocker:
    name, owner = autoscaler["metadata"]["name"], controller_of(autoscaler)
    whose = f", which {owner['kind']} {owner['name']} controls," if owner else ""
    message = (
        f"the {AUTOSCALER.name} {name}{whose} sets the number of pods, not this WeatherApp: delete "
        "it, and give spec.autoscaling if the load is to decide"
    )
    about = f"{AUTOSCALER.name}/{name}"
    return Blocker(reason=AUTOSCALER_CONFLICT, message=message, object=about)


def _of_budget(budget: Manifest) -> Blocker:
    name = budget["metadata"]["name"]
    message = (
        f"the {DISRUPTION_BUDGET.name} {name} selects this site's pods too, and of pods with two "
        "budgets the API server evicts none, so no node can be drained: delete it"
    )
    about = f"{DISRUPTION_BUDGET.name}/{name}"
    return Blocker(reason="DisruptionBudgetConflict", message=message, object=about)


def _of_previous_routes(observed: Observed) -> Iterator[Blocker]:
    """Say which route is asked for no longer and still leads here, held by a finalizer."""
    app = observed.app
    asked_for = {INGRESS: app.ingress, HTTP_ROUTE: app.gateway}
    for kind in ROUTES:
        child = observed.child(kind)
        if child and asked_for[kind] is None and "deletionTimestamp" in child["metadata"]:
            consequence = ", and may lead visitors here until then"
            yield of_deletion(kind, child, consequence=consequence)


def _matches(label_selector: Manifest | None, labels: Mapping[str, str]) -> bool:
    """Tell whether a label selector selects pods with these labels, and perhaps more of them."""
    if label_selector is None:
        return False
    required: Mapping[str, str] = label_selector.get("matchLabels", {})
    expressions: Sequence[Manifest] = label_selector.get("matchExpressions", ())
    return required.items() <= labels.items() and all(_holds(each, labels) for each in expressions)


def _holds(expression: Manifest, labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case _:
            return value is None
