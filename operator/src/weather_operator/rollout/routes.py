"""Routes follow what serves: to which path, and when an old way in may go."""

from weather_operator.kube.resources import DEPLOYMENT, HTTP_ROUTE, INGRESS, Kind, Manifest
from weather_operator.render.pods import path_in
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.revisions import Revision, replica_set_revisions
from weather_operator.rollout.strategies import Decision

ROUTES = (INGRESS, HTTP_ROUTE)


def serving_path(observed: Observed, desired: Revision, decision: Decision) -> str | None:
    """Return the path at which the pods that serve answer, None if that takes the ReplicaSets.

    A path is a part of the revision: it changes once that is complete, and goes back with it.
    """
    if decision.template_from:
        return path_in(decision.template_from.template)
    path = observed.app.path
    is_complete = observed.live == desired and observed.progress.complete
    if is_complete or all(each == path for each in routed_paths(observed)):
        return path
    deployment = observed.child(DEPLOYMENT)
    if deployment is None:
        return path
    if observed.replica_sets is None:
        return None
    revisions = replica_set_revisions(observed.replica_sets, deployment)
    serving = (each for each in revisions if each.revision != desired and each.available)
    return next((path_in(each.template) for each in serving), path)


def routed_paths(observed: Observed) -> list[str]:
    """Return to which paths the app's live routes lead."""
    return [path for path in map(path_of, map(observed.child, ROUTES)) if path]


def path_of(route: Manifest | None) -> str | None:
    """Return to which path a live route leads, None without a route."""
    if route is None:
        return None
    rule: Manifest = route["spec"]["rules"][0]
    matches = rule["http"]["paths"] if "http" in rule else [rule["matches"][0]["path"]]
    path: str = matches[0].get("path") or matches[0].get("value", "/")
    return path


def leads_somewhere(kind: Kind, route: Manifest | None) -> bool:
    """Tell whether a controller has taken up a live route."""
    status = route.get("status", {}) if route else {}
    if kind is INGRESS:
        return bool(status.get("loadBalancer", {}).get("ingress"))
    return any(is_accepted(each) for each in status.get("parents", ()))


def is_accepted(parent: Manifest) -> bool:
    """Tell whether one parent of an HTTPRoute, as its status has it, took the route."""
    conditions = parent.get("conditions", ())
    return any(each["type"] == "Accepted" and each["status"] == "True" for each in conditions)


def has_accepted(parent: Manifest, generation: int) -> bool:
    """Tell whether one parent took this generation of the route, or names none.

    After a change the status has for a while what was said of the route before it.
    """
    conditions = (each for each in parent.get("conditions", ()) if each["type"] == "Accepted")
    return is_accepted(parent) and all(
        each.get("observedGeneration", generation) >= generation for each in conditions
    )
