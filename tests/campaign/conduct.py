"""What had to hold all the while of a plan, told from what was recorded of it.

Each oracle returns what is wrong, in sentences; none means that all is well.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from campaign.api import CHILDREN, Body, Record
from campaign.audit import Write
from campaign.plans import RESTS, Act, Spec

if TYPE_CHECKING:
    from campaign.oracles import Context
    from campaign.play import Done

Found = list[str]

REPLICAS = "weather-operator-replicas"

AT_ONCE_SECONDS = 0.5
"""Within which time an operator at rest knows what others did."""


def replicas_beside_autoscalers(context: "Context", writes: Iterable[Write]) -> Found:
    """The operator sets no number of pods while an autoscaler is there that it can know of."""
    writes = [*writes]
    found = []
    for scaler, app, begin, end in _autoscalers(writes):
        grace = AT_ONCE_SECONDS if scaler == app else context.blind_seconds(begin)
        found += [
            f"replicas of {app} were written beside the autoscaler {scaler}"
            for each in writes
            if (each.manager, each.kind, each.name) == (REPLICAS, "deployments", app)
            and each.is_operators
            and each.code in (200, 201)
            and begin + grace < each.came < end
        ]
    return found


def _autoscalers(writes: list[Write]) -> Iterator[tuple[str, str, float, float]]:
    """Return each autoscaler with its app, and from when to when it was there."""
    of_scalers = [each for each in writes if each.kind == "horizontalpodautoscalers"]
    for made in of_scalers:
        if made.code != 201:
            continue
        ends = (
            each.came
            for each in of_scalers
            if each.verb == "delete"
            and each.name == made.name
            and each.code == 200
            and each.answered > made.came
        )
        yield made.name, made.name.removesuffix("-theirs"), made.answered, min(ends, default=1e18)


def writes_while_suspended(context: "Context", writes: Iterable[Write]) -> Found:
    """Nothing that belongs to a suspended app is written once the operator can know of it."""
    writes = [*writes]
    return [
        f"{name} is suspended, and yet: {each}"
        for name, begin, end in _suspensions(context, writes)
        for each in writes
        if each.is_operators and each.kind in CHILDREN and each.name == name
        if each.code in (200, 201) and begin + context.blind_seconds(begin) < each.came < end
    ]


def _suspensions(context: "Context", writes: list[Write]) -> Iterator[tuple[str, float, float]]:
    """Return each app that its user suspended, from when to when."""
    for name in {step.about for step in context.run.plan.steps if step.act is Act.APPLY}:
        steps = [
            step
            for step in context.run.plan.steps
            if step.about == name and step.act in (Act.APPLY, Act.DELETE)
        ]
        done = [
            each
            for each in writes
            if (each.kind, each.name, each.subresource) == ("weatherapps", name, "")
            and not each.is_operators
            and each.code in (200, 201)
        ]
        if len(steps) != len(done):
            continue  # an answer was lost, and the step was done twice
        ends = [*(each.came for each in done[1:]), 1e18]
        for step, write, end in zip(steps, done, ends, strict=True):
            if step.act is Act.APPLY and step.value.get("suspend"):
                yield name, write.answered, end


def unanswered(context: "Context", writes: Iterable[Write]) -> Found:
    """What was done to children once all faults were over was put back before the next rest.

    A new image is not meant: it waits for its turn among all apps, those of other plans too.
    """
    writes = [*writes]
    found = []
    specs: dict[str, Spec] = {}
    waiting: list[tuple[Done, str, str]] = []
    taken = {app for act, app in context.prediction.foreign if act is Act.ADD_SQUATTER}
    has_settled = False
    for done in context.run.done:
        step = done.step
        if step.act is Act.APPLY:
            specs[step.about] = step.value
        elif step.act is Act.DELETE:
            specs.pop(step.about, None)
        if step.act in RESTS:
            found += [
                f"{each.step} is not answered by a write of {kind}/{name}"
                for each, kind, name in waiting
                if not any(
                    write.is_operators
                    and (write.kind, write.name) == (kind, name)
                    and each.began < write.came < done.at
                    for write in writes
                )
            ]
            waiting = []
        has_settled = has_settled or (step.act is Act.SETTLE and done.rested)
        is_active = step.about not in taken and not specs.get(step.about, {}).get("suspend")
        if has_settled and is_active and step.act in (Act.EDIT, Act.DELETE_CHILD):
            waiting.append((done, step.kind, step.about))
    return found


def needless_writes(context: "Context", writes: Iterable[Write]) -> Found:
    """Nothing is written of an app at rest because somebody added something to a child of it."""
    writes = [*writes]
    done = context.run.done
    found = []
    for number, each in enumerate(done):
        before = done[number - 1].at
        if each.step.act is not Act.ANNOTATE or not context.run.rested_before(before):
            continue
        until = next((later.at for later in done[number:] if later.rested), before)
        found += [
            f"{each.step} needs no write, and yet: {write}"
            for write in writes
            if write.is_operators
            and write.kind in ("weatherapps", *CHILDREN)
            and write.name == each.step.about
            and before < write.came < until
        ]
    return found


def failed_revisions_tried_again(record: Record) -> Found:
    """A Deployment goes to no revision that failed, until a higher attempt is asked for.

    Nor does one that stays with such a revision have it fail again.
    """
    found = []
    apps: dict[str, Body] = {}
    failures: dict[str, dict[tuple[str, int], str]] = {}
    revisions: dict[str, str] = {}
    for _, type_, kind, body in record.in_order():
        name = body["metadata"]["name"]
        if kind == "weatherapps":
            if type_ == "DELETED":
                apps.pop(name, None)
                failures.pop(name, None)
                continue
            before, apps[name], failures[name] = failures.get(name, {}), body, _failures(body)
            found += [
                f"{name} has failed again with revision {revision}, attempt {attempt}"
                for (revision, attempt), at in failures[name].items()
                if before.get((revision, attempt), at) != at
            ]
            continue
        annotations = body["spec"]["template"]["metadata"].get("annotations", {})
        revision = annotations.get("weather.quantspark.io/revision", "")
        changed = type_ == "MODIFIED" and revisions.get(name, revision) != revision
        revisions[name] = revision
        if changed and name in apps and _has_failed(apps[name], revision):
            found.append(f"{name} was brought to revision {revision}, which had failed")
    return found if record.is_whole else []


def _failures(app: Body) -> dict[tuple[str, int], str]:
    """When each revision, at its attempt, has failed."""
    known = app.get("status", {}).get("failedRevisions", ())
    return {(each["revision"], each["attempt"]): each["at"] for each in known}


def _has_failed(app: Body, revision: str) -> bool:
    attempt = app["spec"].get("rollout", {}).get("attempt", 0)
    return any(failed == revision and at >= attempt for failed, at in _failures(app))


def tracebacks(logs: Mapping[Path, int]) -> Found:
    """The operator's log has no traceback since these offsets."""
    found = []
    for log, since in logs.items():
        with log.open() as lines:
            lines.seek(since)
            for line in lines:
                if "exc_info" in line or "Traceback" in line:
                    said = json.loads(line).get("exc_info", line) if line[0] == "{" else line
                    found.append(f"a traceback was logged: {str(said)[-300:]}")
    return found[:3]
