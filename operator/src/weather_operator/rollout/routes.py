"""Routes follow what serves: to which path, and when an old way in may go."""

from collections.abc import Iterator, Sequence
from typing import Any

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


def routed_paths(observed: Observed) -> list[str | None]:
    """Return to which path each of the app's live routes leads."""
    return [path_of(route) for route in map(observed.child, ROUTES) if route]


def path_of(route: Manifest | None) -> str | None:
    """Return at which path a live route leads to the site, None where it leads there at none.

    Others may have given it any shape that is valid, and have put paths of theirs before ours.
    """
    return next(_paths(route), None) if route else None


def _paths(route: Manifest) -> Iterator[str]:
    service = route["metadata"]["name"]
    for rule in route["spec"].get("rules", ()):
        for each in rule.get("http", {}).get("paths", ()):
            if each["backend"].get("service", {}).get("name") == service:
                yield each.get("path", "/")
        for each in rule.get("matches", ()):
            yield each.get("path", {}).get("value", "/")


def routes_traffic(route: Manifest) -> bool:
    """Tell whether a live route leads to the site: others may have taken it apart, or it goes."""
    is_whole = path_of(route) and route["spec"].keys() & {"ingressClassName", "parentRefs"}
    return bool(is_whole) and "deletionTimestamp" not in route["metadata"]


def leads_somewhere(kind: Kind, route: Manifest | None) -> bool:
    """Tell whether a controller has taken up a live route."""
    if kind is INGRESS:
        status = route.get("status", {}) if route else {}
        return bool(status.get("loadBalancer", {}).get("ingress"))
    return any(holds(each, ACCEPTED) for each in parents_of(route))


def parents_of(route: Manifest | None) -> Sequence[Manifest]:
    """Return what the status of an HTTPRoute has of each Gateway that the route names.

    Of one that it names no longer the status may tell for ever.
    """
    if route is None:
        return ()
    named = {parent_key(route, each)[:2] for each in route["spec"].get("parentRefs", ())}
    said: Sequence[Manifest] = route.get("status", {}).get("parents", ())
    return [each for each in said if parent_key(route, each["parentRef"])[:2] in named]


def parent_key(route: Manifest, ref: Manifest) -> tuple[Any, ...]:
    """Return by what one parent of an HTTPRoute is known: its Gateway, and the listener there."""
    namespace = ref.get("namespace", route["metadata"]["namespace"])
    return namespace, ref["name"], ref.get("sectionName"), ref.get("port")


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
