"""Routes follow what serves: to which path, and when an old way in may go."""

from collections.abc import Sequence

from weather_operator.kube.resources import DEPLOYMENT, HTTP_ROUTE, INGRESS, Kind, Manifest
from weather_operator.render.pods import path_in
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.revisions import Revision, replica_set_revisions
from weather_operator.rollout.strategies import Decision

ROUTES = (INGRESS, HTTP_ROUTE)

ACCEPTED, RESOLVED_REFS = "Accepted", "ResolvedRefs"
"""What a parent says of an HTTPRoute: that it takes it, and that it has found its Services."""


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
    if kind is INGRESS:
        status = route.get("status", {}) if route else {}
        return bool(status.get("loadBalancer", {}).get("ingress"))
    return any(holds(each, ACCEPTED) for each in parents_of(route))


def parents_of(route: Manifest | None) -> Sequence[Manifest]:
    """Return the parents of an HTTPRoute, each as the route's status has it."""
    parents: Sequence[Manifest] = route.get("status", {}).get("parents", ()) if route else ()
    return parents


def holds(parent: Manifest, type_: str, *, generation: int = 0) -> bool:
    """Tell whether one parent of an HTTPRoute says so of this generation of it, or a later one.

    After a change the status has for a while what was said of the route before it. A parent that
    names no generation is believed.
    """
    conditions = (each for each in parent.get("conditions", ()) if each["type"] == type_)
    return any(
        each["status"] == "True" and each.get("observedGeneration", generation) >= generation
        for each in conditions
    )
