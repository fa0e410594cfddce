"""What an app's pods say about why they are not ready, and what of it condemns their version.

A version is condemned by what its own container does on a node: it crashes, runs for as long as a
rollout may take without getting ready, cannot be made from what the spec says, or its image is not
there. All else is the cluster's: no node, no quota, a registry or a volume that is late, a
readiness gate of somebody else's, a node that is lost, another container that was added, a pod with
the app's labels that none of its own ReplicaSets made. That is told and waited for.
"""

import re
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
from weather_operator.status.blockers import last_seen, may_name_a_cause
from weather_operator.status.container_ends import (
    has_done_its_work,
    how,
    is_its_own,
    is_of_the_node,
    last_end,
)

# What a container waits for while all is well: its pod is on the way, or its events have the cause.
_QUIET = frozenset({"", "ContainerCreating", "PodInitializing"})
_CREATING = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_CRASHES, _UNHEALTHY = "CrashLoopBackOff", "Unhealthy"
# Which container an event is about, in the words of its kubelet.
_FIELD_PATH = re.compile(r"spec\.(containers|initContainers|ephemeralContainers)\{(.+)\}")
_OWN = ("containers", CONTAINER)
_STARTS = 10
"""How many seconds, and so startup probes, a pod may take before that is in the way."""


def of_pods(pods: Sequence[Manifest], observed: Observed | None = None) -> tuple[Blocker, ...]:
    """Return one blocker for each cause that the pods themselves name, what condemns first.

    Without `observed` nothing is known of which revision is tried, and nothing condemns. A pod that
    its node has ended stays as an object, and its successor is what is waited for: it speaks where
    no other pod is there to speak, of the change in which it was made.
    """
    found: dict[str, Blocker] = {}
    awaited = [pod for pod in pods if _is_awaited(pod)]
    others = (pod for pod in pods if not _ended_before(pod, observed))
    for pod in sorted(awaited or others, key=_name):
        for blocker in _of_pod(pod, observed):
            known = found.get(blocker.reason)
            if known is None or (blocker.condemns and not known.condemns):
                found[blocker.reason] = blocker
    return _what_condemns_first(found.values())


def unexplained(pods: Sequence[Manifest]) -> Manifest | None:
    """Return the pod, if any, that is not ready and does not say why itself: its events may.

    None where another one says it.
    """
    unready = [pod for pod in pods if _is_awaited(pod)]
    explained = [pod for pod in unready if _explains_itself(pod)]
    silent = (pod for pod in unready if not _explains_itself(pod))
    return None if explained else min(silent, key=_name, default=None)


def with_events(
    found: tuple[Blocker, ...],
    pod: Manifest,
    events: Sequence[Manifest],
    observed: Observed | None = None,
) -> tuple[Blocker, ...]:
    """Return the blockers with what the newest telling warning about a pod says.

    Those about its own container go before the others'.
    """
    telling = (each for each in events if _names_a_cause(each, pod))
    newest = max(telling, key=lambda each: (_subject(each) == _OWN, last_seen(each)), default=None)
    if newest is None or (not found and _only_starts(newest)):
        return found
    told = _of_event(newest, pod, observed if _is_judged(pod, observed) else None)
    same = next((each for each in found if each.reason == told.reason), None)
    if same and same.condemns and _subject(newest) != _OWN:
        return found  # it is not this that condemns
    told = replace(told, condemns=told.condemns or bool(same and same.condemns))
    others = (each for each in found if each.reason != told.reason)
    return _what_condemns_first((told, *others))


def without_gates(pods: Sequence[Manifest], revision: Revision, *, since: str) -> tuple[str, ...]:
    """Return a revision's stable pods, made later than this, without a load balancer's gate."""
    return tuple(
        sorted(
            _name(pod)
            for pod in pods
            if not (_is_terminating(pod) or _has_ended(pod))
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
    unready = [pod for pod in pods if _is_awaited(pod)]
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
    if observed and _is_on_lost_node(pod, observed) and not is_ready(pod):
        message = f"its node {pod['spec']['nodeName']} is not ready"
        yield Blocker(reason="NodeNotReady", message=message, object=_reference(pod))
        return
    for kind, container in _containers(pod):
        if kind == "initContainers" and has_done_its_work(container):
            continue
        if blocker := _of_container(pod, container, observed if is_judged else None):
            is_own = (kind, container["name"]) == _OWN
            yield blocker if is_own else _of_another(container, blocker)
    yield from _gates(pod)


def _of_event(event: Manifest, pod: Manifest, judged_by: Observed | None) -> Blocker:
    """Return what a warning says; only one about the pod's own container can condemn."""
    reason, message = event.get("reason") or "Warning", event.get("message", "")
    told = Blocker(reason=reason, message=message, object=_reference(pod))
    subject = _subject(event)
    if subject is None:
        return told
    container = {"name": subject[1]}
    if "pull image" in message:
        told = _of_image(pod, container, reason, message)
        if judged_by is None:
            told = replace(told, condemns=False)
        elif subject == _OWN:
            told = _in_the_catalogues_words(told, pod, judged_by)
    return told if subject == _OWN else _of_another(container, told)


def _subject(event: Manifest) -> tuple[str, str] | None:
    """Return the list and the name of the container that an event is about, None of the pod."""
    found = _FIELD_PATH.fullmatch(event.get("involvedObject", {}).get("fieldPath") or "")
    return (found[1], found[2]) if found else None


def _of_container(pod: Manifest, container: Manifest, judged_by: Observed | None) -> Blocker | None:
    """Return what is wrong with a container; it condemns only what is judged."""
    state, is_judged = container.get("state", {}), judged_by is not None
    about = _reference(pod)
    if ended := state.get("terminated"):
        condemns = is_judged and is_its_own(ended)
        message = f"it {how(ended)}"
        return Blocker(reason=_CRASHES, message=message, object=about, condemns=condemns)
    if (waiting := state.get("waiting")) and (reason := waiting.get("reason", "")) not in _QUIET:
        message = waiting.get("message", reason)
        if image_errors.is_image_error(reason):
            found = _of_image(pod, container, reason, message)
            if judged_by is None:
                return replace(found, condemns=False)
            return _in_the_catalogues_words(found, pod, judged_by)
        ended = last_end(container)
        condemns = (reason == _CRASHES and (ended is None or is_its_own(ended))) or (
            reason in _CREATING and not is_of_the_node(message)
        )
        message += _after(container)
        return Blocker(
            reason=reason, message=message, object=about, condemns=condemns and is_judged
        )
    if "running" not in state or container.get("ready"):
        return None
    if (ended := last_end(container)) and is_its_own(ended):
        message = f"it runs again and is not ready{_after(container)}"
        return Blocker(reason=_CRASHES, message=message, object=about, condemns=is_judged)
    if judged_by is None or not _had_its_time(pod, state["running"], judged_by):
        return None
    message = f"it has run since {state['running']['startedAt']} and is not ready"
    return Blocker(reason=_UNHEALTHY, message=message, object=about, condemns=True)


def _of_another(container: Manifest, blocker: Blocker) -> Blocker:
    message = f"container {container['name']}: {blocker.message}"
    return replace(blocker, message=message, condemns=False, is_of_another=True)


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
    """Tell whether a pod is of the revision that is tried, and has not been disturbed.

    Its containers are started again for ever: only its node ends it. Of a node that is lost nobody
    hears how they are.
    """
    if observed is None or observed.judged is None:
        return False
    if _revision(pod) != observed.judged.revision or _is_terminating(pod):
        return False
    if not _is_of_own_replica_set(pod, observed) or _is_on_lost_node(pod, observed):
        return False
    disturbed = _conditions(pod).get("DisruptionTarget", {}).get("status") == "True"
    return not (disturbed or _has_ended(pod) or pod.get("status", {}).get("reason"))


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
    if any(each.reason != image_errors.REASON for each in _of_pod(pod, None)):
        return True
    return any(_has_explained_image(pod, each) for _, each in _containers(pod))


def _has_explained_image(pod: Manifest, container: Manifest) -> bool:
    """Tell whether a container says why it gets no image."""
    waiting = container.get("state", {}).get("waiting", {})
    reason, text = waiting.get("reason", ""), waiting.get("message", "")
    if not image_errors.is_image_error(reason):
        return False
    return image_errors.image_error(_image(pod, container["name"]), reason, text).is_explained


def _unscheduled(pod: Manifest) -> Blocker | None:
    condition = _conditions(pod).get("PodScheduled", {})
    if condition.get("status") != "False":
        return None
    reason = condition.get("reason", "Unschedulable")
    message = condition.get("message", "no node was found")
    return Blocker(reason=reason, message=message, object=_reference(pod))


def _after(container: Manifest) -> str:
    ended = last_end(container)
    return f"; it last {how(ended)}" if ended else ""


def _names_a_cause(event: Manifest, pod: Manifest) -> bool:
    """Tell whether an event has a cause for which its pod is not ready.

    "Error: ErrImagePull" has none, what is said of a container that is ready is over, and for one
    that somebody added to look at the others nothing waits.
    """
    message: str = event.get("message", "")
    subject = _subject(event)
    if message.startswith("Error: ") or not may_name_a_cause(event):
        return False
    if subject and subject[0] == "ephemeralContainers":
        return False
    return not any(
        subject == (kind, each["name"]) and each.get("ready") for kind, each in _containers(pod)
    )


def _only_starts(event: Manifest) -> bool:
    message: str = event.get("message", "")
    return message.startswith("Startup probe failed") and event.get("count", 1) < _STARTS


def _containers(pod: Manifest) -> Iterator[tuple[str, Manifest]]:
    """Yield the status of each container that a pod waits for, with its list in the spec."""
    for kind in ("initContainers", "containers"):
        for each in pod.get("status", {}).get(f"{kind.removesuffix('s')}Statuses", ()):
            yield kind, each


def _own_container(pod: Manifest) -> Manifest:
    return next((each for kind, each in _containers(pod) if (kind, each["name"]) == _OWN), {})


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


def _is_on_lost_node(pod: Manifest, observed: Observed) -> bool:
    return pod.get("spec", {}).get("nodeName") in observed.lost_nodes


def _is_awaited(pod: Manifest) -> bool:
    """Tell whether a pod may yet get ready."""
    return not (is_ready(pod) or _is_terminating(pod) or _has_ended(pod))


def _has_ended(pod: Manifest) -> bool:
    """Tell whether no container of a pod will run again."""
    return pod.get("status", {}).get("phase") in ("Failed", "Succeeded")


def _ended_before(pod: Manifest, observed: Observed | None) -> bool:
    """Tell whether a pod has ended that was made before the change that is under way."""
    change = observed.app.status.get("rollout", {}) if observed else {}
    since: str = change.get("startedAt", "")
    return _has_ended(pod) and pod["metadata"].get("creationTimestamp", since) < since


def _is_terminating(pod: Manifest) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _reference(pod: Manifest) -> str:
    return f"Pod/{_name(pod)}"


def _name(pod: Manifest) -> str:
    name: str = pod["metadata"]["name"]
    return name
