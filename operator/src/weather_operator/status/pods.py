"""What an app's pods say about why they are not ready, and what of it condemns their version.

A version is condemned by what its own container does on a node: it crashes, runs for as long as a
rollout may take without getting ready, cannot be made from what the spec says, or its image is not
there. All else is the cluster's: no node, no quota, a registry or a volume that is late, a
readiness gate of somebody else's, a node that is lost, another container that was added, a pod with
the app's labels that none of its own ReplicaSets made. That is told and waited for.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from weather_operator.kube.resources import REPLICA_SET, Manifest, controller_of
from weather_operator.model import Blocker
from weather_operator.render import child_name
from weather_operator.render.labels import TRACK_LABEL, Track
from weather_operator.render.load_balancers import GATE_PREFIX
from weather_operator.render.pods import CONTAINER, REVISION_ANNOTATION
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.revisions import Revision
from weather_operator.rollout.state import seconds_between
from weather_operator.status import image_errors
from weather_operator.status.blockers import last_seen

# What a container waits for while all is well: its pod is on the way, or its events have the cause.
_QUIET = frozenset({"", "ContainerCreating", "PodInitializing"})
_CREATING = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
# What a kubelet says of a container that it cannot make because it is itself late.
_LATE = ("timed out", "deadline exceeded", "failed to sync", "failed to reserve", "connection re")
# How a container ended of which nobody knows, since its node was away.
_UNSEEN = frozenset({"ContainerStatusUnknown", "Unknown"})
_CRASHES, _UNHEALTHY = "CrashLoopBackOff", "Unhealthy"
_STARTS = 10
"""How many seconds, and so startup probes, a pod may take before that is in the way."""


def of_pods(pods: Sequence[Manifest], observed: Observed | None = None) -> tuple[Blocker, ...]:
    """Return one blocker for each cause that the pods themselves name, what condemns first.

    Without `observed` nothing is known of which revision is tried, and nothing condemns.
    """
    found: dict[str, Blocker] = {}
    for pod in sorted(pods, key=_name):
        for blocker in _of_pod(pod, observed):
            known = found.get(blocker.reason)
            if known is None or (blocker.condemns and not known.condemns):
                found[blocker.reason] = blocker
    return _what_condemns_first(found.values())


def unexplained(pods: Sequence[Manifest]) -> Manifest | None:
    """Return the pod, if any, that is not ready and does not say why itself: its events may.

    None where another one says it.
    """
    unready = [pod for pod in pods if not (is_ready(pod) or _is_terminating(pod))]
    explained = [pod for pod in unready if _explains_itself(pod)]
    silent = (pod for pod in unready if not _explains_itself(pod))
    return None if explained else min(silent, key=_name, default=None)


def with_events(
    found: tuple[Blocker, ...],
    pod: Manifest,
    events: Sequence[Manifest],
    observed: Observed | None = None,
) -> tuple[Blocker, ...]:
    """Return the blockers with what the newest telling warning about a pod says."""
    newest = max(filter(_names_a_cause, events), key=last_seen, default=None)
    if newest is None or (not found and _only_starts(newest)):
        return found
    reason, message = newest.get("reason") or "Warning", newest.get("message", "")
    told = Blocker(reason=reason, message=message, object=_reference(pod))
    if "pull image" in message:
        told = _of_image(pod, _own_container(pod), reason, message)
        if observed and _is_judged(pod, observed):
            told = _in_the_catalogues_words(told, pod, observed)
        else:
            told = replace(told, condemns=False)
    same = (each.condemns for each in found if each.reason == told.reason)
    told = replace(told, condemns=told.condemns or any(same))
    others = (each for each in found if each.reason != told.reason)
    return _what_condemns_first((told, *others))


def without_gates(pods: Sequence[Manifest], revision: Revision, *, since: str) -> tuple[str, ...]:
    """Return a revision's stable pods, made later than this, without a load balancer's gate."""
    return tuple(
        sorted(
            _name(pod)
            for pod in pods
            if not _is_terminating(pod)
            and pod["metadata"].get("labels", {}).get(TRACK_LABEL) == Track.STABLE
            and _revision(pod) == revision.revision
            and pod["metadata"].get("creationTimestamp", "") > since
            and not any(
                each["conditionType"].startswith(GATE_PREFIX)
                for each in pod.get("spec", {}).get("readinessGates", ())
            )
        )
    )


def late(pods: Sequence[Manifest]) -> Blocker | None:
    """Return the first pod that is on its way for too long although nothing says why."""
    unready = [pod for pod in pods if not (is_ready(pod) or _is_terminating(pod))]
    pod = min(unready, key=_name, default=None)
    if pod is None:
        return None
    if "running" in _own_container(pod).get("state", {}):
        return Blocker(
            reason="NotReady", message="it runs and is not ready yet", object=_reference(pod)
        )
    message = "its node has not started it yet"
    return Blocker(reason="NotStarted", message=message, object=_reference(pod))


def _what_condemns_first(found: Iterable[Blocker]) -> tuple[Blocker, ...]:
    return tuple(sorted(found, key=lambda each: not each.condemns))


def _of_pod(pod: Manifest, observed: Observed | None) -> Iterator[Blocker]:
    if _is_terminating(pod):
        return
    status, is_judged = pod.get("status", {}), _is_judged(pod, observed)
    if unscheduled := _unscheduled(pod):
        yield unscheduled
    if status.get("reason"):
        message = status.get("message") or status["reason"]
        yield Blocker(reason=status["reason"], message=message, object=_reference(pod))
        return
    for name in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(name, ()):
            if name == "initContainerStatuses" and _has_done_its_work(container):
                continue
            is_own = name == "containerStatuses" and container["name"] == CONTAINER
            if blocker := _of_container(pod, container, observed if is_judged else None):
                yield blocker if is_own else _of_another(container, blocker)
    yield from _gates(pod)


def _of_container(pod: Manifest, container: Manifest, judged_by: Observed | None) -> Blocker | None:
    """Return what is wrong with a container; it condemns only what is judged."""
    state, is_judged = container.get("state", {}), judged_by is not None
    about = _reference(pod)
    if ended := state.get("terminated"):
        condemns = is_judged and ended.get("reason") not in _UNSEEN
        message = f"it {_how(ended)}"
        return Blocker(reason=_CRASHES, message=message, object=about, condemns=condemns)
    if (waiting := state.get("waiting")) and (reason := waiting.get("reason", "")) not in _QUIET:
        message = waiting.get("message", reason)
        if image_errors.is_image_error(reason):
            found = _of_image(pod, container, reason, message)
            if judged_by is None:
                return replace(found, condemns=False)
            return _in_the_catalogues_words(found, pod, judged_by)
        condemns = reason == _CRASHES or (
            reason in _CREATING and not any(each in message for each in _LATE)
        )
        message += _last_end(container)
        return Blocker(
            reason=reason, message=message, object=about, condemns=condemns and is_judged
        )
    if "running" not in state or container.get("ready"):
        return None
    if (ended := _last(container)) and ended.get("reason") not in _UNSEEN:
        message = f"it runs again and is not ready{_last_end(container)}"
        return Blocker(reason=_CRASHES, message=message, object=about, condemns=is_judged)
    if judged_by is None or not _had_its_time(pod, state["running"], judged_by):
        return None
    message = f"it has run since {state['running']['startedAt']} and is not ready"
    return Blocker(reason=_UNHEALTHY, message=message, object=about, condemns=True)


def _of_another(container: Manifest, blocker: Blocker) -> Blocker:
    message = f"container {container['name']}: {blocker.message}"
    return replace(blocker, message=message, condemns=False)


def _of_image(pod: Manifest, container: Manifest, reason: str, text: str) -> Blocker:
    image = _image(pod, container.get("name", CONTAINER))
    error = image_errors.image_error(image, reason, text)
    name = reason if reason == image_errors.INVALID_NAME else image_errors.REASON
    return Blocker(
        reason=name, message=error.message, object=_reference(pod), condemns=error.condemns
    )


def _in_the_catalogues_words(blocker: Blocker, pod: Manifest, observed: Observed) -> Blocker:
    """Say it as the release's status does, which knows what exactly the registry lacks."""
    release = observed.release
    if not (blocker.condemns and release and release.missing):
        return blocker
    is_same = _image(pod, CONTAINER) == release.image
    return replace(blocker, message=release.missing) if is_same else blocker


def _gates(pod: Manifest) -> Iterator[Blocker]:
    """Return the gates that keep a pod from being ready whose containers are."""
    conditions = _conditions(pod)
    if conditions.get("ContainersReady", {}).get("status") != "True":
        return
    for each in pod.get("spec", {}).get("readinessGates", ()):
        gate = conditions.get(each["conditionType"], {})
        if gate.get("status") == "True":
            continue
        why = gate.get("message") or gate.get("reason")
        message = f"readiness gate {each['conditionType']} is not True"
        message += f": {why}" if why else ", nobody has said anything about it yet"
        yield Blocker(reason="ReadinessGate", message=message, object=_reference(pod))


def _is_judged(pod: Manifest, observed: Observed | None) -> bool:
    """Tell whether a pod is of the revision that is tried, and has not been disturbed."""
    if observed is None or observed.judged is None:
        return False
    if _revision(pod) != observed.judged.revision or _is_terminating(pod):
        return False
    if not _is_of_own_replica_set(pod, observed):
        return False
    disturbed = _conditions(pod).get("DisruptionTarget", {}).get("status") == "True"
    return not disturbed and not pod.get("status", {}).get("reason")


def _is_of_own_replica_set(pod: Manifest, observed: Observed) -> bool:
    """Tell whether a pod belongs to a ReplicaSet of the app: labels can be on anybody's."""
    owner = controller_of(pod)
    if owner is None or owner["kind"] != REPLICA_SET.name:
        return False
    deployment, _, _ = owner["name"].rpartition("-")
    return deployment in {child_name(observed.app, track) for track in Track}


def _had_its_time(pod: Manifest, running: Manifest, observed: Observed) -> bool:
    """Tell whether a container has run for as long as a rollout may take to get further.

    What a pod waited for its node is not its own. A node's clock that is behind ours makes no
    container older than its pod.
    """
    since = running.get("startedAt")
    if since is None:
        return False
    since = max(since, pod["metadata"].get("creationTimestamp", since))
    limit = observed.app.rollout.progress_deadline_seconds
    return seconds_between(since, observed.now) >= limit


def _explains_itself(pod: Manifest) -> bool:
    """Tell whether a pod says more than that it does not get ready, or gets no image."""
    for blocker in _of_pod(pod, None):
        if blocker.reason != image_errors.REASON:
            return True
        waiting = _own_container(pod).get("state", {}).get("waiting", {})
        image = _image(pod, CONTAINER)
        text = waiting.get("message", "")
        if image_errors.image_error(image, waiting.get("reason", ""), text).is_explained:
            return True
    return False


def _unscheduled(pod: Manifest) -> Blocker | None:
    condition = _conditions(pod).get("PodScheduled", {})
    if condition.get("status") != "False":
        return None
    reason = condition.get("reason", "Unschedulable")
    message = condition.get("message", "no node was found")
    return Blocker(reason=reason, message=message, object=_reference(pod))


def _has_done_its_work(container: Manifest) -> bool:
    ended = container.get("state", {}).get("terminated")
    return ended is not None and ended["exitCode"] == 0


def _last(container: Manifest) -> Manifest | None:
    ended: Manifest | None = container.get("lastState", {}).get("terminated")
    return ended


def _last_end(container: Manifest) -> str:
    ended = _last(container)
    return f"; it last {_how(ended)}" if ended else ""


def _how(ended: Manifest) -> str:
    return f"ended with {ended.get('reason', 'Error')}, exit code {ended['exitCode']}"


def _names_a_cause(event: Manifest) -> bool:
    """Tell whether an event has a cause: "Error: ErrImagePull" has none."""
    message: str = event.get("message", "")
    return not message.startswith("Error: ")


def _only_starts(event: Manifest) -> bool:
    message: str = event.get("message", "")
    return message.startswith("Startup probe failed") and event.get("count", 1) < _STARTS


def _own_container(pod: Manifest) -> Manifest:
    statuses = pod.get("status", {}).get("containerStatuses", ())
    return next((each for each in statuses if each["name"] == CONTAINER), {})


def _image(pod: Manifest, container: str) -> str:
    spec = pod.get("spec", {})
    named = (*spec.get("containers", ()), *spec.get("initContainers", ()))
    return next((each["image"] for each in named if each["name"] == container), "the image")


def _conditions(pod: Manifest) -> dict[str, Manifest]:
    return {each["type"]: each for each in pod.get("status", {}).get("conditions", ())}


def is_ready(pod: Manifest) -> bool:
    """Tell whether a pod gets requests, as its kubelet says."""
    return _conditions(pod).get("Ready", {}).get("status") == "True"


def _revision(pod: Manifest) -> str | None:
    revision: str | None = pod["metadata"].get("annotations", {}).get(REVISION_ANNOTATION)
    return revision


def _is_terminating(pod: Manifest) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _reference(pod: Manifest) -> str:
    return f"Pod/{_name(pod)}"


def _name(pod: Manifest) -> str:
    name: str = pod["metadata"]["name"]
    return name
