"""A site as a tree of lines: what it is, how far, how old, and why not further."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from kubectl_weather.ages import age
from kubectl_weather.sites import (
    ENDING,
    FAILING,
    READY,
    STARTING,
    Deployment,
    Pod,
    ReplicaSet,
    Site,
)

SHAPES = {"yellow": "▲", "green": "●", "red": "■"}
OTHER_SHAPE = "◆"
MARKS = {READY: "✔", STARTING: "…", FAILING: "✘", ENDING: "x"}

GOOD, WAITING, BAD, QUIET = "good", "waiting", "bad", "quiet"
"""How a word is meant; how it looks is the printer's business."""


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of text, and what it means: one of the above, a version's colour, or nothing."""

    text: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Branch:
    """One line and what is below it."""

    words: list[Word]
    branches: list["Branch"] = field(default_factory=list)


def tree(site: Site, now: datetime) -> Branch:
    """Return a site as a tree."""
    return Branch(
        [
            Word(f"WeatherApp {site.name}"),
            Word(site.city, QUIET),
            *_way(site),
            Word(site.ready or "?/?"),
            *_verdict(site),
            Word(age(site.created, now), QUIET),
        ],
        [*_message(site), *_below(site.deployment, now)],
    )


def version(number: str, colour: str) -> Word:
    """Return a version with its colour's shape and name: never the colour alone."""
    if not number:
        return Word("no version yet", QUIET)
    return Word(f"{SHAPES.get(colour, OTHER_SHAPE)} {number} {colour}".rstrip(), colour)


def _way(site: Site) -> Iterator[Word]:
    yield version(site.version, site.colour)
    if site.wanted_version and site.wanted_version != site.version:
        yield Word(f"→ {site.wanted_version}", WAITING)


def _verdict(site: Site) -> Iterator[Word]:
    if not site.reason:
        yield Word("no status yet", WAITING)
    elif site.reason in ("Serving", "ScaledToZero"):
        yield Word(site.reason, GOOD if site.current else WAITING)
    else:
        yield Word(site.reason, BAD if site.stalled else WAITING)
    if site.reason and not site.current:
        yield Word("(the status is of an older spec)", WAITING)


def _message(site: Site) -> Iterator[Branch]:
    if site.message and site.reason not in ("Serving", "ScaledToZero"):
        yield Branch([Word(site.message, BAD if site.stalled else WAITING)])


def _below(deployment: Deployment | None, now: datetime) -> Iterator[Branch]:
    if deployment is None:
        yield Branch([Word("no Deployment", WAITING)])
        return
    shown = [each for each in deployment.replica_sets if each.wanted or each.pods]
    branches = [_replica_set(each, now) for each in shown]
    if hidden := len(deployment.replica_sets) - len(shown):
        what = "1 more ReplicaSet" if hidden == 1 else f"{hidden} more ReplicaSets"
        branches.append(Branch([Word(f"{what} without pods", QUIET)]))
    yield Branch(
        [
            Word(f"Deployment {deployment.name}"),
            Word(f"{deployment.updated} of {deployment.wanted} updated"),
            Word(f"{deployment.available} available"),
            Word(age(deployment.created, now), QUIET),
        ],
        branches,
    )


def _replica_set(each: ReplicaSet, now: datetime) -> Branch:
    return Branch(
        [
            Word(f"ReplicaSet {each.name}"),
            version(each.version, each.colour),
            Word(f"{each.ready}/{each.wanted}"),
            Word(age(each.created, now), QUIET),
        ],
        [_pod(pod, now) for pod in each.pods],
    )


def _pod(pod: Pod, now: datetime) -> Branch:
    meaning = {READY: GOOD, STARTING: WAITING, FAILING: BAD, ENDING: QUIET}[pod.state]
    restarts = f"{pod.restarts} restarts" if pod.restarts > 1 else "1 restart"
    return Branch(
        [
            Word(f"Pod {pod.name}"),
            Word(f"{MARKS[pod.state]} {pod.reason}", meaning),
            *([Word(restarts, WAITING)] if pod.restarts else ()),
            Word(pod.node or "no node", "" if pod.node else WAITING),
            Word(age(pod.created, now), QUIET),
        ]
    )
