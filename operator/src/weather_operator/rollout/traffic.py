"""Who divides the visitors between two tracks, and how far that has got."""

import json
import math
from collections.abc import Collection

from weather_operator.kube.resources import HTTP_ROUTE, INGRESS, SERVICE
from weather_operator.model import CHILDREN, WeatherApp
from weather_operator.model.strategies import BLUE_GREEN
from weather_operator.render import Track, child_name, selector
from weather_operator.render.load_balancers import divides_by_rule
from weather_operator.render.routes import forward_action
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.routes import (
    ACCEPTED,
    RESOLVED_REFS,
    holds,
    leads_somewhere,
    parent_key,
    parents_of,
)
from weather_operator.rollout.state import seconds_between

WHOLE = 100

_LEAST_BEHIND_A_RULE = 2
_BINDING_SECONDS = 5
"""More than the 1.4 that an AWS Load Balancer Controller took to bind what a rule names."""


def canary_size(app: WeatherApp, weight: int, stable: int) -> int:
    """Return how many pods a share of the visitors in percent takes beside so many stable ones.

    Where a route divides by weight that is the same share of pods. A load balancer's rule goes on
    sending to a pod that is evicted alone, so there are two. Elsewhere pods are the share: there
    are at most as many as stable ones, which is half of the visitors.
    """
    if blue_green := app.rollout.strategy.blue_green:
        share = blue_green.replicas
        if isinstance(share, int):
            return share
        return max(math.ceil(stable * int(share.removesuffix("%")) / WHOLE), 1)
    if divides_requests(app):
        least = min(stable, _LEAST_BEHIND_A_RULE) if divides_by_rule(app) else 1
        return max(math.ceil(stable * weight / WHOLE), least, 1)
    if weight >= WHOLE // 2:
        return max(stable, 1)
    return max(math.ceil(stable * weight / (WHOLE - weight)), 1)


def possible_weight(app: WeatherApp, weight: int, size: int, stable: int) -> int:
    """Return which percentage of the visitors a number of pods comes to."""
    if divides_requests(app) or app.rollout.strategy.type == BLUE_GREEN or weight == 0:
        return weight
    return round(WHOLE * size / max(size + stable, 1))


def divides_requests(app: WeatherApp) -> bool:
    """Tell whether each request goes where the weights say.

    Elsewhere connections are divided, or pods counted: what comes of it is told and proves nothing.
    """
    return app.gateway is not None or divides_by_rule(app)


def service_selector(app: WeatherApp, weight: int) -> dict[str, str]:
    """Return which pods the Service leads to, where no route divides the visitors."""
    if divides_requests(app) or weight == 0:
        return selector(app)
    if weight == WHOLE and app.rollout.strategy.type == BLUE_GREEN:
        return selector(app, Track.CANARY)
    both = selector(app).items() & selector(app, Track.CANARY).items()
    return {name: value for name, value in selector(app).items() if (name, value) in both}


def is_routed(observed: Observed, weight: int) -> bool:
    """Tell whether visitors are divided so: declared, and taken up by who accepted the route.

    A route that nobody has accepted brings no visitors. One of another kind than the app asks for
    may still bring some; where that divides no requests, the Service does, behind either.
    """
    app = observed.app
    service = observed.child(SERVICE)
    if service and service["spec"].get("selector") != service_selector(app, weight):
        return False
    in_routes = weight if divides_requests(app) else 0
    if divides_by_rule(app):
        if not _is_in_rule(observed, weight):
            return False
    elif weight_in_rule(observed) not in (None, in_routes):
        return False
    route = observed.child(HTTP_ROUTE)
    if route is None:
        return app.gateway is None or weight == 0
    if live_weight(observed) != in_routes:
        return False
    parents = [each for each in parents_of(route) if holds(each, ACCEPTED)]
    if not parents:
        return app.gateway is None or weight == 0
    generation = route["metadata"].get("generation", 0)
    # What a parent that names no generation does with the visitors is counted at the pods. One that
    # has another controller by now has the former one's word too, which nobody renews.
    taken_up = {
        parent_key(route, each["parentRef"])
        for each in parents
        if holds(each, RESOLVED_REFS, generation=generation)
    }
    return all(parent_key(route, each["parentRef"]) in taken_up for each in parents)


def weight_in_rule(observed: Observed) -> float | None:
    """Return which percentage of the visitors the live Ingress declares for the canary.

    None where there is no Ingress, or it knows of no canary; what nobody can read is everything.
    """
    ingress = observed.child(INGRESS)
    annotations = ingress["metadata"].get("annotations", {}) if ingress else {}
    text = annotations.get(forward_action(observed.app))
    if text is None:
        return None
    try:
        groups = json.loads(text)["forwardConfig"]["targetGroups"]
        weights = {each["serviceName"]: float(each.get("weight", 1)) for each in groups}
    except (LookupError, TypeError, ValueError):
        return WHOLE
    return _canarys_part(observed, weights.items())


def is_bound(observed: Observed) -> bool:
    """Tell whether a load balancer can know the canary's pods from their first moment.

    Its controller gives a pod a readiness gate only where the pod's Service is in a rule by then.
    """
    if not divides_by_rule(observed.app):
        return True
    begun = observed.app.status.get("rollout", {}).get("startedAt")
    is_in_rule = weight_in_rule(observed) is not None
    return is_in_rule and bool(begun) and seconds_between(begun, observed.now) >= _BINDING_SECONDS


def live_weight(observed: Observed) -> float:
    """Return which percentage of the visitors the live route declares for the canary.

    Whoever takes weight off the stable track gives it to the canary as well.
    """
    route = observed.child(HTTP_ROUTE)
    rules = route["spec"]["rules"] if route else ()
    weights: list[tuple[str, float]] = [
        (each["name"], each.get("weight", 1))
        for rule in rules
        for each in rule.get("backendRefs", ())
    ]
    return _canarys_part(observed, weights)


def _canarys_part(observed: Observed, weights: Collection[tuple[str, float]]) -> float:
    """Return in percent what of the weights of Services, by name, is the canary's."""
    name = child_name(observed.app, Track.CANARY)
    tried = sum(weight for service, weight in weights if service == name)
    return WHOLE * tried / max(sum(weight for _, weight in weights), 1)


def is_anything_left(observed: Observed) -> bool:
    """Tell whether there is any child on the canary's track."""
    name = child_name(observed.app, Track.CANARY)
    return any(observed.child(kind, name) for kind in CHILDREN)


def _is_in_rule(observed: Observed, weight: int) -> bool:
    """Tell whether the Ingress declares a weight, and has a load balancer if visitors are to come.

    Nobody says when a load balancer has taken up a weight: seconds later, as was measured.
    """
    ingress = observed.child(INGRESS)
    if weight == 0:
        return not weight_in_rule(observed)
    return leads_somewhere(INGRESS, ingress) and weight_in_rule(observed) == weight
