"""Why a WeatherApp waits, in sentences, and which command helps."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from weather_operator.status.blockers import Blocker

from kubectl_weather.advice import commands
from kubectl_weather.ages import age, length
from kubectl_weather.leadership import Leadership
from kubectl_weather.sites import FAILING, Deployment, Site, condition

Body = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What is the matter with an app; `waits` is false when nothing is. `next` are commands."""

    namespace: str
    name: str
    waits: bool
    sentences: tuple[str, ...]
    next: tuple[str, ...]

    def json(self) -> Body:
        """Return everything as plain values."""
        return asdict(self)

    def spelled(self, spell: Callable[[str, str], str]) -> "Explanation":
        """Return the same with commands that reach this namespace from where the viewer is."""
        return replace(self, next=tuple(spell(each, self.namespace) for each in self.next))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that an explanation is made from; `found` are the causes that the pods tell."""

    app: Body
    site: Site
    found: Sequence[Blocker]
    leadership: Leadership
    now: datetime

    @property
    def is_told(self) -> bool:
        """Whether the status speaks of this spec, by an operator that is there to know."""
        return self.site.current and bool(self.site.reason) and self.leadership.works is not False

    def with_causes(self, found: Sequence[Blocker]) -> "Evidence":
        """Return the same with the causes that the pods tell."""
        return replace(self, found=found)


def explain(seen: Evidence) -> Explanation:
    """Return the explanation."""
    ready = condition(seen.app, "Ready").get("status") == "True"
    waits = not (seen.is_told and ready)
    blockers = _blockers(seen)
    return Explanation(
        namespace=seen.site.namespace,
        name=seen.site.name,
        waits=waits,
        sentences=tuple(_told(seen, blockers) if seen.is_told else _from_children(seen, blockers)),
        next=tuple(commands(seen.site, blockers, seen.leadership, waits)),
    )


def _blockers(seen: Evidence) -> Sequence[Blocker]:
    """Return the status's causes while it is fresh, else those found at the pods just now."""
    if not seen.is_told:
        return seen.found
    names = ("reason", "message", "object", "since")
    told = seen.app["status"].get("blockers", ())
    return [Blocker(**{name: each.get(name, "") for name in names}) for each in told]


def _told(seen: Evidence, blockers: Sequence[Blocker]) -> Iterator[str]:
    ready, available = condition(seen.app, "Ready"), condition(seen.app, "Available")
    site = seen.site
    if ready["status"] == "True":
        place = f" at {site.url}" if site.url and site.reason == "Serving" else ""
        yield f"{site.name} waits for nothing: {ready['message']}{place}."
        if condition(seen.app, "Paused").get("status") == "True":
            yield "The next change will wait: spec.rollout.paused is true."
        return
    since = age(ready.get("lastTransitionTime"), seen.now)
    message = ready["message"].rstrip(".")
    yield f"{site.name} has not been ready for {since}, {ready['reason']}: {message}."
    for each in blockers:
        if each.message not in ready["message"]:
            yield _cause(each, seen.now)
    if available:
        served = "Visitors are served" if available["status"] == "True" else "Visitors may notice"
        yield f"{served}: {available['message']}."
    yield from _outlook(seen)


def _outlook(seen: Evidence) -> Iterator[str]:
    """Say who acts next, and until when it waits."""
    if seen.site.stalled:
        yield "The operator cannot go on by itself: a person must."
        return
    change = seen.app["status"].get("rollout", {})
    if deadline := change.get("deadline"):
        left = (datetime.fromisoformat(deadline) - seen.now).total_seconds()
        if left > 0:
            yield f"The operator waits for progress {length(left)} more, then it {_end(seen)}."
    if condition(seen.app, "Reconciling").get("status") == "True":
        yield "The operator goes on by itself."


def _end(seen: Evidence) -> str:
    """Say what the operator does at the deadline."""
    if not seen.site.version:
        return "gives up: nothing has served to go back to"
    rolls_back = seen.app["spec"].get("rollout", {}).get("autoRollback", True)
    return "rolls back by itself" if rolls_back else "gives up"


def _from_children(seen: Evidence, blockers: Sequence[Blocker]) -> Iterator[str]:
    site = seen.site
    if seen.leadership.works is False:
        yield f"{_capital(seen.leadership.said)}, so nothing changes and no status is new."
    elif seen.leadership.said and not site.reason:
        yield f"{_capital(seen.leadership.said)}."
    if not site.reason:
        yield f"{site.name} has no status yet: the operator has not seen it."
    elif not site.current:
        generation = seen.app["metadata"]["generation"]
        of = seen.app["status"].get("observedGeneration", 0)
        yield (
            f"{site.name} was changed and the operator has not said anything since: "
            f"its status is of generation {of}, the spec of {generation}."
        )
    else:
        yield f"Its last status said {site.reason}: {site.message}."
    yield from _deployed(site, site.deployment)
    for each in blockers:
        yield _cause(each, seen.now)


def _deployed(site: Site, deployment: Deployment | None) -> Iterator[str]:
    if deployment is None:
        yield "Seen now: there is no Deployment of it."
        return
    failing = sum(pod.state == FAILING for each in deployment.replica_sets for pod in each.pods)
    trouble = f", {failing} in trouble" if failing else ""
    yield (
        f"Seen now: the Deployment has {deployment.updated} of {deployment.wanted} pods updated, "
        f"{deployment.available} available{trouble}."
    )


def _cause(each: Blocker, now: datetime) -> str:
    where = f" at {each.object}" if each.object else ""
    since = f", since {age(each.since, now)}" if each.since else ""
    return f"{each.reason}{where}{since}: {each.message.rstrip('.')}."


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
