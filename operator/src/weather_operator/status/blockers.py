"""Why an app waits: read from its pods, their events and what the API refused."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from weather_operator.kube.resources import Manifest
from weather_operator.model import Blocker

# What a container waits for while all is well: its pod is on the way, or its events have the cause.
_QUIET = frozenset({"", "ContainerCreating", "PodInitializing"})
_NEXT = {
    "ImagePullBackOff": "Correct the WeatherRelease's image, or give spec.pod.imagePullSecrets",
    "InvalidImageName": "Correct the WeatherRelease's image",
    "CrashLoopBackOff": "kubectl logs --previous shows its last words",
    "BackOff": "kubectl logs --previous shows its last words",
    "CreateContainerConfigError": "Make the Secret or ConfigMap, or correct its name in the spec",
    "FailedMount": "Make the Secret or the key in it, or correct spec.weather.apiKeySecretRef",
    "Unschedulable": "Add or free nodes, or change spec.pod or spec.resources",
    "Unhealthy": "kubectl logs shows what the app says",
    "QuotaExceeded": "Raise the quota, or lower spec.resources or the number of pods",
    "AdmissionDenied": "Change the spec, or the policy that denies it",
}
_NEXT["ErrImagePull"] = _NEXT["ImagePullBackOff"]
_OUT_OF_MEMORY = "Raise spec.resources.limits.memory"
_STARTS = 10
"""How many seconds, and so startup probes, a pod may take before that is in the way."""
_LIMIT = 10
_LONGEST = 1024


def manifest(blocker: Blocker) -> Manifest:
    """Return the blocker as the status shows it, with what to do about it."""
    out_of_memory = "OOMKilled" in blocker.message
    advice = _OUT_OF_MEMORY if out_of_memory else _NEXT.get(blocker.reason)
    message = f"{blocker.message.rstrip('. ')}. {advice}." if advice else blocker.message
    shown = {"reason": blocker.reason, "message": message[:_LONGEST], "since": blocker.since}
    return {**shown, "object": blocker.object} if blocker.object else shown


def dated(
    found: Iterable[Blocker], previous: Iterable[Mapping[str, Any]], *, at: str
) -> tuple[Blocker, ...]:
    """Return at most ten blockers; what was there before keeps the time it was first seen."""
    known = {(each["reason"], each.get("object", "")): each["since"] for each in previous}
    return tuple(
        replace(each, since=known.get((each.reason, each.object), at))
        for each in list(found)[:_LIMIT]
    )


def of_deployment(deployment: Manifest, failure: str) -> Blocker:
    """Return why the API refuses to make the Deployment's pods."""
    reason = "FailedCreate"
    if "exceeded quota" in failure:
        reason = "QuotaExceeded"
    elif "violates PodSecurity" in failure or "admission webhook" in failure:
        reason = "AdmissionDenied"
    return Blocker(reason=reason, message=failure, object=f"Deployment/{_name(deployment)}")


def of_pods(pods: Sequence[Manifest]) -> tuple[Blocker, ...]:
    """Return one blocker for each cause that the pods themselves name."""
    found: dict[str, Blocker] = {}
    for pod in sorted(pods, key=_name):
        for blocker in (_unscheduled(pod), *_waiting(pod)):
            if blocker and blocker.reason not in found:
                found[blocker.reason] = blocker
    return tuple(found.values())


def unexplained(pods: Sequence[Manifest]) -> Manifest | None:
    """Return the pod, if any, that is not ready and does not say why itself: its events may."""
    silent = (pod for pod in pods if not (_is_ready(pod) or _is_terminating(pod) or of_pods([pod])))
    return min(silent, key=_name, default=None)


def of_events(pod: Manifest, events: Sequence[Manifest]) -> tuple[Blocker, ...]:
    """Return the newest warning about a pod as its blocker."""
    newest = max(events, key=_last_seen, default=None)
    if newest is None or _only_starts(newest):
        return ()
    reason, message = newest.get("reason") or "Warning", newest.get("message", "")
    return (Blocker(reason=reason, message=message, object=f"Pod/{_name(pod)}"),)


def _only_starts(event: Manifest) -> bool:
    message: str = event.get("message", "")
    return message.startswith("Startup probe failed") and event.get("count", 1) < _STARTS


def _unscheduled(pod: Manifest) -> Blocker | None:
    for condition in pod.get("status", {}).get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            reason = condition.get("reason", "Unschedulable")
            message = condition.get("message", "no node was found")
            return Blocker(reason=reason, message=message, object=f"Pod/{_name(pod)}")
    return None


def _waiting(pod: Manifest) -> Iterable[Blocker]:
    for container in pod.get("status", {}).get("containerStatuses", ()):
        waiting = container.get("state", {}).get("waiting", {})
        reason = waiting.get("reason", "")
        if reason not in _QUIET:
            message = waiting.get("message", reason) + _last_end(container)
            yield Blocker(reason=reason, message=message, object=f"Pod/{_name(pod)}")


def _last_end(container: Manifest) -> str:
    ended = container.get("lastState", {}).get("terminated")
    if not ended:
        return ""
    return f"; it last ended with {ended.get('reason', 'Error')}, exit code {ended['exitCode']}"


def _is_ready(pod: Manifest) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _is_terminating(pod: Manifest) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _name(pod: Manifest) -> str:
    name: str = pod["metadata"]["name"]
    return name


def _last_seen(event: Manifest) -> str:
    return event.get("lastTimestamp") or event.get("eventTime") or ""
