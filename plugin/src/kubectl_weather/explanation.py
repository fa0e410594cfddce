"""Why a WeatherApp waits, in sentences, and which commands help."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from weather_operator.model import Blocker
from weather_operator.rollout.strategies import Action, Decision

from kubectl_weather.diagnostics import Diagnostics
from kubectl_weather.durations import age, short
from kubectl_weather.model import FAILING, TERMINATING, Deployment, condition
from kubectl_weather.next_steps import next_steps
from kubectl_weather.trial import sentences as trial_sentences


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Whether an app waits for something, for what, and the commands to type next."""

    namespace: str
    name: str
    waits: bool
    sentences: tuple[str, ...]
    next: tuple[str, ...]

    def with_flags(self, add_flags: Callable[[str, str], str]) -> "Explanation":
        """Return the same with commands that reach this namespace from where the user is."""
        return replace(self, next=tuple(add_flags(each, self.namespace) for each in self.next))


def explain(diagnostics: Diagnostics) -> Explanation:
    """Return the explanation: from the status where it can be trusted, else from the children."""
    is_ready = condition(diagnostics.app, "Ready").get("status") == "True"
    waits = not (diagnostics.is_status_trusted and is_ready)
    blockers = _blockers(diagnostics)
    describe = _from_status if diagnostics.is_status_trusted else _from_children
    return Explanation(
        namespace=diagnostics.site.namespace,
        name=diagnostics.site.name,
        waits=waits,
        sentences=tuple(describe(diagnostics, blockers)),
        next=tuple(next_steps(diagnostics.site, blockers, diagnostics.lease, waits)),
    )


def _blockers(diagnostics: Diagnostics) -> Sequence[Blocker]:
    """Return the status's blockers where it can be trusted, else those of the pods."""
    if not diagnostics.is_status_trusted:
        return diagnostics.pod_blockers
    names = ("reason", "message", "object", "since")
    blockers = diagnostics.app.get("status", {}).get("blockers", ())
    return [Blocker(**{name: each.get(name, "") for name in names}) for each in blockers]


def _from_status(diagnostics: Diagnostics, blockers: Sequence[Blocker]) -> Iterator[str]:
    app, site = diagnostics.app, diagnostics.site
    ready, available = condition(app, "Ready"), condition(app, "Available")
    if ready["status"] == "True":
        at = f" at {site.url}" if site.url and site.reason == "Serving" else ""
        yield f"{site.name} waits for nothing: {ready['message']}{at}."
        if condition(app, "Paused").get("status") == "True":
            yield "The next change will wait: spec.rollout.paused is true."
        return
    since = age(ready.get("lastTransitionTime"), diagnostics.now)
    message = ready["message"].rstrip(".")
    yield f"{site.name} has not been ready for {since}, {ready['reason']}: {message}."
    for each in blockers:
        if each.message not in ready["message"]:
            yield _blocker_sentence(each, diagnostics.now)
    if trial := diagnostics.site.trial:
        yield from trial_sentences(trial)
    if available:
        served = "Visitors are served" if available["status"] == "True" else "Visitors may notice"
        yield f"{served}: {available['message']}."
    yield from _outlook(diagnostics)


def _outlook(diagnostics: Diagnostics) -> Iterator[str]:
    """Say who acts next, and until when the operator waits."""
    if diagnostics.site.reason == TERMINATING:
        return
    if diagnostics.site.stalled:
        yield "The operator cannot go on by itself: a person must."
        return
    rollout = diagnostics.app["status"].get("rollout", {})
    if deadline := rollout.get("deadline"):
        left = (datetime.fromisoformat(deadline) - diagnostics.now).total_seconds()
        if left > 0:
            decision = diagnostics.at_deadline
            then = f", then it {_after_deadline(decision)}" if decision else ""
            yield f"The operator waits for progress {short(left)} more{then}."
    if condition(diagnostics.app, "Reconciling").get("status") == "True":
        yield "The operator goes on by itself."


def _after_deadline(decision: Decision) -> str:
    if decision.action is Action.MARK_FAILED:
        return f"rolls back by itself to {decision.rollback_to}"
    blocked = decision.rollback_blocked
    return f"gives up: {blocked}" if blocked else "gives up"


def _from_children(diagnostics: Diagnostics, blockers: Sequence[Blocker]) -> Iterator[str]:
    site, lease = diagnostics.site, diagnostics.lease
    if lease.is_held is False:
        yield f"{_capitalised(lease.message)}, so nothing changes and no status is new."
    elif lease.message and not site.reason:
        yield f"{_capitalised(lease.message)}."
    if not site.reason:
        yield f"{site.name} has no status yet: the operator has not seen it."
    elif not site.is_current:
        generation = diagnostics.app["metadata"]["generation"]
        observed = diagnostics.app["status"].get("observedGeneration", 0)
        yield (
            f"{site.name} was changed and the operator has not said anything since: "
            f"its status is of generation {observed}, the spec of {generation}."
        )
    else:
        yield f"Its last status said {site.reason}: {site.message}."
    yield _deployment_sentence(site.deployment)
    for each in blockers:
        yield _blocker_sentence(each, diagnostics.now)


def _deployment_sentence(deployment: Deployment | None) -> str:
    if deployment is None:
        return "Seen now: there is no Deployment of it."
    pods = [pod for each in deployment.replica_sets for pod in each.pods]
    failing = sum(pod.state == FAILING for pod in pods)
    suffix = f", {failing} in trouble" if failing else ""
    return (
        f"Seen now: the Deployment has {deployment.updated} of {deployment.desired} pods updated, "
        f"{deployment.available} available{suffix}."
    )


def _blocker_sentence(blocker: Blocker, now: datetime) -> str:
    at = f" at {blocker.object}" if blocker.object else ""
    since = f", since {age(blocker.since, now)}" if blocker.since else ""
    return f"{blocker.reason}{at}{since}: {blocker.message.rstrip('.')}."


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
