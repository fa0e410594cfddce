"""What has to hold at the end of a plan; what had to hold all the while is asked of `conduct`.

Each oracle returns what is wrong, in sentences; none means that all is well.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.fleet import differences

from campaign import conduct
from campaign.api import CHILDREN, Body, Record
from campaign.audit import AuditLog, Quiet
from campaign.conduct import AT_ONCE_SECONDS, REPLICAS, Found
from campaign.plans import BROKEN, NOTE, Act
from campaign.predictions import End, Prediction, manifest_of

if TYPE_CHECKING:
    from campaign.play import Run

SILENT_RENEWALS = 2
STUCK_RENEWALS = 15
"""After so many renewals of the Lease without a write nothing is to be expected any more."""

_NOTICED_SECONDS = 5.0
"""Within which time the operator knows what others did, unless it stood still."""

_ALLOCATED = frozenset(
    {"clusterIP", "clusterIPs", "nodePort", "healthCheckNodePort", "uid", "creationTimestamp"}
)
_NUMBER = frozenset({"replicas", "minAvailable", "maxUnavailable"})
_OURS = ("app.kubernetes.io/managed-by", "weather-operator")


@dataclass(frozen=True, kw_only=True)
class Context:
    """A run whose steps and faults are over, what it must end in and what was recorded of it."""

    run: "Run"
    prediction: Prediction
    audit: AuditLog
    record: Record
    timeout: float

    @cached_property
    def _blind_seconds(self) -> float:
        return _NOTICED_SECONDS + self.run.plan.longest_stop

    def blind_seconds(self, at: float) -> float:
        """How long after others did something at this time the operator may not know of it."""
        return AT_ONCE_SECONDS if self.run.rested_before(at) else self._blind_seconds

    def quiet(self) -> Quiet:
        """Return what tells for how long nothing has been written for this run from now on."""
        namespaces = (self.run.namespace, self.run.clean_namespace)
        stage = self.run.stage
        return Quiet(stage.cluster.audit_log, stage.lease, namespaces)


def ask(context: Context, logs: Mapping[Path, int]) -> tuple[float, Found]:
    """Return after how many seconds all had come to its end, and what was wrong."""
    began = time.monotonic()
    failures = _awaited(context, final_states)
    settled = time.monotonic() - began
    if not failures:
        failures += clean_start(context)
        failures += _awaited(context, images_beneath_taken_names)
        failures += _awaited(context, orphans)
        failures += silence(context)
    failures += untouched(context)
    writes = context.audit.writes(context.run.namespace)
    failures += conduct.replicas_beside_autoscalers(context, writes)
    failures += conduct.writes_while_suspended(context, writes)
    failures += conduct.needless_writes(context, writes)
    failures += conduct.unanswered(context, writes)
    failures += conduct.failed_revisions_tried_again(context.record)
    failures += conduct.tracebacks(logs)
    return settled, failures


def _awaited(context: Context, oracle: Callable[[Context], Found]) -> Found:
    """Return what an oracle still says when the operator has come to rest, or at the timeout.

    What tries a failed revision again never comes to rest.
    """
    deadline = time.monotonic() + context.timeout
    quiet = context.quiet()
    while found := oracle(context):
        is_hopeless = conduct.failed_revisions_tried_again(context.record)
        if is_hopeless or quiet.renewals() >= STUCK_RENEWALS:
            break
        if time.monotonic() > deadline:
            return [f"{each} (and it goes on)" for each in found]
        time.sleep(1)
    return found


def final_states(context: Context) -> Found:
    """Every app says that it has come to the end that its spec leads to."""
    return _states(context, context.run.namespace, context.prediction.apps)


def _states(context: Context, namespace: str, ends: Mapping[str, End]) -> Found:
    live = {
        each["metadata"]["name"]: each for each in context.run.api.list("weatherapps", namespace)
    }
    missing = [f"{name} is missing" for name in ends.keys() - live.keys()]
    left = [f"{name} is still there" for name in live.keys() - ends.keys()]
    return (
        missing
        + left
        + [
            f"{name} says {reason or 'nothing'}, not {' or '.join(sorted(end.reasons))}: {said}"
            for name, end in sorted(ends.items())
            if name in live
            for reason, said in [_ready(live[name])]
            if reason not in end.reasons
        ]
    )


def _ready(app: Body) -> tuple[str, str]:
    """Return Ready's reason and message, if they are about what the spec says now."""
    status = app.get("status", {})
    if status.get("observedGeneration") != app["metadata"]["generation"]:
        return "", "its status is not about its spec"
    found = [each for each in status.get("conditions", ()) if each["type"] == "Ready"]
    return (found[0]["reason"], found[0]["message"]) if found else ("", "")


def clean_start(context: Context) -> Found:
    """The children are those that the same specs lead to where nothing else ever happened."""
    run, prediction = context.run, context.prediction
    ends = {name: end for name, end in prediction.apps.items() if end.is_determined}
    run.make_namespace(run.clean_namespace)
    for act, app in sorted(prediction.foreign):
        if app in ends:
            kind, body = manifest_of(act, app, run.clean_namespace)
            run.api.apply(kind, body)
    for name, end in ends.items():
        run.apply_app(name, end.spec, run.clean_namespace)

    def clean(context: Context) -> Found:
        return _states(context, run.clean_namespace, ends)

    def same(context: Context) -> Found:
        there, here = (_children(context, each) for each in (run.namespace, run.clean_namespace))
        return [
            f"{kind}/{name} is not as after a clean start: {'; '.join(found[:4])}"
            for name, end in ends.items()
            for kind in CHILDREN
            if (
                found := differences(
                    _shown(there.get((kind, name)), end), _shown(here.get((kind, name)), end)
                )
            )
        ]

    if found := _awaited(context, clean):
        return [f"a clean start: {each}" for each in found]
    return _awaited(context, same)


def _children(context: Context, namespace: str) -> dict[tuple[str, str], Body]:
    return {
        (kind, body["metadata"]["name"]): body
        for kind in CHILDREN
        for body in context.run.api.list(kind, namespace)
    }


def _shown(body: Body | None, end: End) -> Any:
    """Return what is compared of a child, None where there is none."""
    if body is None:
        return None
    metadata, masked = body["metadata"], _ALLOCATED | (_NUMBER if end.number_is_free else set())
    annotations = dict(metadata.get("annotations", {}))
    for others in ("deployment.kubernetes.io/revision", NOTE):
        annotations.pop(others, None)
    owners = [(each["kind"], each["name"]) for each in metadata.get("ownerReferences", ())]
    return {
        "labels": metadata.get("labels", {}),
        "annotations": annotations,
        "owners": owners,
        "spec": _masked(body["spec"], masked),
    }


def _masked(value: Any, names: frozenset[str] | set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _masked(item, names) for key, item in value.items() if key not in names}
    return [_masked(item, names) for item in value] if isinstance(value, list) else value


def images_beneath_taken_names(context: Context) -> Found:
    """The Deployment of an app whose name somebody else's object has goes to its release's image.

    Its Ready says NameConflict meanwhile, so only the Deployment tells whether it still has to.
    """
    live = _children(context, context.run.namespace)
    return [
        f"deployments/{name} has {image}, not {wanted}"
        for name, end in sorted(context.prediction.apps.items())
        if "NameConflict" in end.reasons and not end.spec["rollout"].get("paused")
        if (wanted := context.prediction.releases[end.spec["version"]]) != BROKEN
        if (deployment := live.get(("deployments", name)))
        for image in [deployment["spec"]["template"]["spec"]["containers"][0]["image"]]
        if image != wanted
    ]


def orphans(context: Context) -> Found:
    """Nothing of the operator's is there without its app.

    What somebody took its owner off just before the app was deleted is nobody's to delete.
    """
    apps = context.prediction.apps
    unowned = {
        (step.kind, step.about)
        for step in context.run.plan.steps
        if step.act is Act.EDIT and "ownerReferences" in step.value.get("metadata", {})
    }
    return [
        f"{kind}/{name} is left without its app"
        for (kind, name), body in _children(context, context.run.namespace).items()
        if _OURS in body["metadata"].get("labels", {}).items()
        and name not in apps
        and (kind, name) not in unowned
    ]


def silence(context: Context) -> Found:
    """Once all has come to its end nothing is written.

    But the message about an unknown version lists the releases, and those of other plans change;
    and beneath a name that is taken pods may still be made, and the status tell of it.
    """
    log = AuditLog.from_now(context.run.stage.cluster.audit_log)
    deadline = time.monotonic() + context.timeout
    quiet = Quiet(log.file, context.run.stage.lease, ())
    while quiet.renewals() < SILENT_RENEWALS and time.monotonic() < deadline:
        time.sleep(0.5)
    excused = {
        name
        for name, end in context.prediction.apps.items()
        if end.reasons & {"UnknownVersion", "NameConflict"}
    }
    written = [
        str(write)
        for write in log.writes(context.run.namespace)
        if write.is_operators and write.kind != "events"
        if write.kind != "weatherapps" or write.name not in excused
    ]
    return [f"not silent: {', '.join(written[:5])}"] if written else []


def untouched(context: Context) -> Found:
    """What others made is as they made it."""
    namespace = context.run.namespace
    live = _children(context, namespace)
    found = []
    for act, app in sorted(context.prediction.foreign):
        kind, made = manifest_of(act, app, namespace)
        body = live.get((kind, made["metadata"]["name"]))
        if body is None:
            found.append(f"somebody else's {kind}/{made['metadata']['name']} is gone")
            continue
        managers = {each["manager"] for each in body["metadata"].get("managedFields", ())}
        if managers & {"weather-operator", REPLICAS} or body["metadata"].get("ownerReferences"):
            found.append(f"somebody else's {kind}/{made['metadata']['name']} was written")
    return found
