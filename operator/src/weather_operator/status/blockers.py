"""Why an app waits, as its status shows it, with what to do about each cause."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from weather_operator.kube.resources import Kind, Manifest
from weather_operator.model import CHILDREN, Blocker
from weather_operator.render import Track, child_name
from weather_operator.rollout.image_wait import IMAGE_NOT_FOUND, MissingImage
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.state import RolloutState
from weather_operator.rollout.trial import ENDING
from weather_operator.status import image_errors

GATE_MISSING = "ReadinessGateMissing"

WAITING_FOR_DELETION = "WaitingForDeletion"
"""The reason where an object is being deleted, and its name is not free before."""

_NEXT = {
    "InvalidImageName": "Correct the WeatherRelease's image",
    "CrashLoopBackOff": "kubectl logs --previous shows its last words",
    "BackOff": "kubectl logs --previous shows its last words",
    "CreateContainerConfigError": "Make the Secret or ConfigMap, or correct its name in the spec",
    "FailedMount": "Make the Secret or the key in it, or correct spec.weather.apiKeySecretRef",
    "Unschedulable": "Add or free nodes, or change spec.pod or spec.resources",
    "Unhealthy": "kubectl logs shows what the app says",
    "QuotaExceeded": "Raise the quota, or lower spec.resources or the number of pods",
    "ReadinessGate": "kubectl describe pod shows who is to set it: often a load balancer",
    GATE_MISSING: "Once the controller runs delete the pod, and the next one has its gate",
    IMAGE_NOT_FOUND: "Push it, or correct the WeatherRelease's image",
    "AdmissionDenied": "Change the spec, or the policy that denies it",
}
_DENIALS = ("violates PodSecurity", "admission webhook", "ValidatingAdmissionPolicy")
# Warnings that come again and again with objects that are well: what a policy engine audits, how
# many name servers a node has, a password that an image may do without.
_NO_CAUSES = frozenset({"PolicyViolation", "DNSConfigForming", "FailedToRetrieveImagePullSecret"})
_OUT_OF_MEMORY = "Raise spec.resources.limits.memory"
_ADDED = "Whoever adds it to the pods, often a webhook, has to correct it"
_LIMIT = 10
_LONGEST = 1024


def manifest(blocker: Blocker) -> Manifest:
    """Return the blocker as the status shows it, with what to do about it."""
    advice = _advice(blocker)
    message = f"{blocker.message.rstrip('. ')}. {advice}." if advice else blocker.message
    shown = {"reason": blocker.reason, "message": message[:_LONGEST], "since": blocker.since}
    return {**shown, "object": blocker.object} if blocker.object else shown


def _advice(blocker: Blocker) -> str | None:
    if blocker.is_of_another:
        return _ADDED
    if "OOMKilled" in blocker.message:
        return _OUT_OF_MEMORY
    if blocker.reason != image_errors.REASON:
        return _NEXT.get(blocker.reason)
    if blocker.condemns:
        return "Correct the WeatherRelease's image"
    return "The nodes try again by themselves; spec.pod.imagePullSecrets may give a password"


def dated(
    found: Iterable[Blocker], previous: Iterable[Mapping[str, Any]], *, at: str
) -> tuple[Blocker, ...]:
    """Return at most ten blockers; what was there before keeps the time it was first seen."""
    known = {(each["reason"], each.get("object", "")): each.get("since", at) for each in previous}
    return tuple(
        replace(each, since=known.get((each.reason, each.object), at))
        for each in list(found)[:_LIMIT]
    )


def of_deployment(deployment: Manifest, failure: str) -> tuple[Blocker, ...]:
    """Return why the API refuses to make the Deployment's pods, nothing where it does not."""
    if not failure:
        return ()
    reason = "FailedCreate"
    if "exceeded quota" in failure:
        reason = "QuotaExceeded"
    elif any(each in failure for each in _DENIALS):
        reason = "AdmissionDenied"
    return (Blocker(reason=reason, message=failure, object=_reference(deployment)),)


def of_warnings(about: str, events: Sequence[Manifest]) -> tuple[Blocker, ...]:
    """Return what the newest of these warnings about an object says."""
    newest = max(filter(may_name_a_cause, events), key=last_seen, default=None)
    if newest is None:
        return ()
    reason, message = newest.get("reason") or "Warning", newest.get("message", "")
    return (Blocker(reason=reason, message=message, object=about),)


def of_gates(missing: Sequence[str]) -> tuple[Blocker, ...]:
    """Return that pods came without the readiness gates that their namespace promises."""
    first = next(iter(missing), None)
    if first is None:
        return ()
    message = (
        "it came without the readiness gate that its namespace's label promises, so nobody knows "
        "whether the load balancer sends to it: its controller, or that one's webhook, was away"
    )
    return (Blocker(reason=GATE_MISSING, message=message, object=f"Pod/{first}"),)


def of_image(missing: MissingImage | None) -> tuple[Blocker, ...]:
    """Return what the registry lacks of what is rolled out."""
    if missing is None:
        return ()
    return (Blocker(reason=IMAGE_NOT_FOUND, message=missing.message, object=missing.object),)


def of_canarys_end(observed: Observed, rollout: RolloutState | None) -> tuple[Blocker, ...]:
    """Return what of a canary that ends does not go, and so keeps another one from coming."""
    trial = rollout.trial if rollout else None
    if trial is None or trial.phase not in ENDING:
        return ()
    name = child_name(observed.app, Track.CANARY)
    children = {kind: observed.child(kind, name) for kind in CHILDREN}
    return tuple(
        of_deletion(kind, child)
        for kind, child in children.items()
        if child and "deletionTimestamp" in child["metadata"]
    )


def of_deletion(kind: Kind, live: Manifest, *, consequence: str = "") -> Blocker:
    """Return that an object waits for its end, and what follows from that."""
    about = f"{kind.name}/{live['metadata']['name']}"
    message = deletion(kind, live) + consequence
    return Blocker(reason=WAITING_FOR_DELETION, message=message, object=about)


def deletion(kind: Kind, live: Manifest) -> str:
    """Say for whom an object waits that is being deleted."""
    metadata = live["metadata"]
    finalizers = ", ".join(metadata.get("finalizers", ()))
    cause = f"for whoever is to remove {finalizers}" if finalizers else "until its pods are gone"
    return f"the {kind.name} {metadata['name']} is being deleted and waits {cause}"


def may_name_a_cause(event: Manifest) -> bool:
    """Tell whether a warning may say why something waits."""
    return event.get("reason") not in _NO_CAUSES


def last_seen(event: Manifest) -> str:
    """Return when an event came last, in RFC 3339."""
    return event.get("lastTimestamp") or event.get("eventTime") or ""


def no_pods(deployment: Manifest, *, observed: bool) -> Blocker:
    """Return what there is to say where the pods that there are are well, but too few."""
    behind = "made the new pods" if observed else "seen the change"
    message = f"its controller has not {behind} yet"
    return Blocker(reason="PodsMissing", message=message, object=_reference(deployment))


def _reference(deployment: Manifest) -> str:
    return f"Deployment/{deployment['metadata']['name']}"
