"""Who divides the visitors between two tracks, and how far that has got."""

import math

from weather_operator.kube.resources import HTTP_ROUTE, SERVICE, Manifest
from weather_operator.model import CHILDREN, WeatherApp
from weather_operator.model.strategies import BLUE_GREEN
from weather_operator.render import Track, child_name, selector
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.routes import is_accepted

WHOLE = 100


def canary_size(app: WeatherApp, weight: int, stable: int) -> int:
    """Return how many pods a share of the visitors in percent takes beside so many stable ones.

    Where a Gateway divides by weight that is the same share of pods. Elsewhere pods are the share:
    there are at most as many as stable ones, which is half of the visitors.
    """
    if blue_green := app.rollout.strategy.blue_green:
        share = blue_green.replicas
        if isinstance(share, int):
            return share
        return max(math.ceil(stable * int(share.removesuffix("%")) / WHOLE), 1)
    if app.gateway:
        return max(math.ceil(stable * weight / WHOLE), 1)
    if weight >= WHOLE // 2:
        return max(stable, 1)
    return max(math.ceil(stable * weight / (WHOLE - weight)), 1)


def possible_weight(app: WeatherApp, weight: int, size: int, stable: int) -> int:
    """Return which percentage of the visitors a number of pods comes to."""
    if app.gateway or app.rollout.strategy.type == BLUE_GREEN or weight == 0:
        return weight
    return round(WHOLE * size / max(size + stable, 1))


def divides_requests(app: WeatherApp) -> bool:
    """Tell whether each request goes where the weights say.

    Elsewhere connections are divided, or pods counted: what comes of it is told and proves nothing.
    """
    return app.gateway is not None


def service_selector(app: WeatherApp, weight: int) -> dict[str, str]:
    """Return which pods the Service leads to, where no Gateway divides the visitors."""
    if app.gateway or weight == 0:
        return selector(app)
    if weight == WHOLE and app.rollout.strategy.type == BLUE_GREEN:
        return selector(app, Track.CANARY)
    both = selector(app).items() & selector(app, Track.CANARY).items()
    return {name: value for name, value in selector(app).items() if (name, value) in both}


def is_routed(observed: Observed, weight: int) -> bool:
    """Tell whether visitors are divided so: declared, and taken up by who accepted the route.

    A route that nobody has accepted brings no visitors.
    """
    app = observed.app
    service = observed.child(SERVICE)
    if service and service["spec"].get("selector") != service_selector(app, weight):
        return False
    route = observed.child(HTTP_ROUTE)
    if route is None:
        return app.gateway is None or weight == 0
    if live_weight(observed) != weight:
        return False
    parents = [each for each in route.get("status", {}).get("parents", ()) if is_accepted(each)]
    if not parents:
        return weight == 0
    generation = route["metadata"].get("generation", 0)
    return all(_has_taken_up(each, generation) for each in parents)


def live_weight(observed: Observed) -> float:
    """Return which percentage of the visitors the live route declares for the canary.

    Whoever takes weight off the stable track gives it to the canary as well.
    """
    route = observed.child(HTTP_ROUTE)
    name = child_name(observed.app, Track.CANARY)
    rules = route["spec"]["rules"] if route else ()
    weights: list[tuple[str, int]] = [
        (each["name"], each.get("weight", 1))
        for rule in rules
        for each in rule.get("backendRefs", ())
    ]
    tried = sum(weight for backend, weight in weights if backend == name)
    return WHOLE * tried / max(sum(weight for _, weight in weights), 1)


def is_anything_left(observed: Observed) -> bool:
    """Tell whether there is any child on the canary's track."""
    name = child_name(observed.app, Track.CANARY)
    return any(observed.child(kind, name) for kind in CHILDREN)


def _has_taken_up(parent: Manifest, generation: int) -> bool:
    conditions = {each["type"]: each for each in parent.get("conditions", ())}
    resolved = conditions.get("ResolvedRefs", {})
    return bool(
        resolved.get("status") == "True" and resolved.get("observedGeneration", 0) >= generation
    )
