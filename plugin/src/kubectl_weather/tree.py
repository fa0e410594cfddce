"""A WeatherApp as a tree of lines: versions, readiness, reasons, nodes and ages."""

from collections.abc import Iterator
from datetime import datetime

from kubectl_weather.durations import age
from kubectl_weather.model import (
    ENDING,
    FAILING,
    READY,
    SETTLED_REASONS,
    STARTING,
    Deployment,
    Pod,
    ReplicaSet,
    Site,
)
from kubectl_weather.printing import BAD, GOOD, QUIET, WAITING, Span, TreeNode, version_span
from kubectl_weather.trial import finding, share

_MARKS = {READY: "✔", STARTING: "…", FAILING: "✘", ENDING: "x"}
_VERDICTS = {"Passed": GOOD, "Failed": BAD}
_MEANINGS = {READY: GOOD, STARTING: WAITING, FAILING: BAD, ENDING: QUIET}


def site_tree(site: Site, now: datetime) -> TreeNode:
    """Return a WeatherApp with what it is made of as a tree."""
    return TreeNode(
        [
            Span(f"WeatherApp {site.name}"),
            Span(site.city, QUIET),
            *versions(site),
            Span(site.ready or "?/?"),
            *reason(site),
            Span(age(site.created, now), QUIET),
        ],
        [
            *_message(site),
            *_access(site, now),
            *_deployment(site.deployment, now),
            *_trial(site, now),
        ],
    )


def versions(site: Site) -> Iterator[Span]:
    """Give the version that serves, and the one that is asked for where it is another."""
    yield version_span(site.version, site.colour)
    if site.desired_version and site.desired_version != site.version:
        yield Span(f"→ {site.desired_version}", WAITING)


def reason(site: Site) -> Iterator[Span]:
    """Give how the app is in a word, and whether that is said of an older spec."""
    if not site.reason:
        yield Span("no status yet", WAITING)
    elif site.reason in SETTLED_REASONS:
        yield Span(site.reason, GOOD if site.is_current else WAITING)
    else:
        yield Span(site.reason, BAD if site.stalled else WAITING)
    if site.reason and not site.is_current:
        yield Span("(the status is of an older spec)", WAITING)


def _message(site: Site) -> Iterator[TreeNode]:
    if site.message and site.reason not in SETTLED_REASONS:
        yield TreeNode([Span(site.message, BAD if site.stalled else WAITING)])


def _access(site: Site, now: datetime) -> Iterator[TreeNode]:
    for each in site.access:
        yield TreeNode(
            [
                Span(f"{each.kind} {each.name}"),
                Span(each.summary),
                Span(age(each.created, now), QUIET),
            ]
        )


def _deployment(deployment: Deployment | None, now: datetime) -> Iterator[TreeNode]:
    if deployment is None:
        yield TreeNode([Span("no Deployment", WAITING)])
        return
    shown = [each for each in deployment.replica_sets if each.desired or each.pods]
    children = [_replica_set(each, now) for each in shown]
    if hidden := len(deployment.replica_sets) - len(shown):
        what = "1 more ReplicaSet" if hidden == 1 else f"{hidden} more ReplicaSets"
        children.append(TreeNode([Span(f"{what} without pods", QUIET)]))
    yield TreeNode(
        [
            Span(f"Deployment {deployment.name}"),
            Span(f"{deployment.updated} of {deployment.desired} updated"),
            Span(f"{deployment.available} available"),
            Span(age(deployment.created, now), QUIET),
        ],
        children,
    )


def _trial(site: Site, now: datetime) -> Iterator[TreeNode]:
    """Give the other track: what is tried, its share of the visitors, its checks and pods."""
    if trial := site.trial:
        yield TreeNode(
            [
                Span(trial.strategy),
                version_span(trial.version, trial.colour),
                Span(f"step {trial.step} of {trial.steps}"),
                Span(trial.phase, WAITING),
                Span(share(trial)),
            ],
            [
                TreeNode([Span(finding(each), _VERDICTS.get(each.verdict, WAITING))])
                for each in trial.checks
            ],
        )
    if site.canary:
        yield from _deployment(site.canary, now)


def _replica_set(each: ReplicaSet, now: datetime) -> TreeNode:
    return TreeNode(
        [
            Span(f"ReplicaSet {each.name}"),
            version_span(each.version, each.colour),
            Span(f"{each.ready}/{each.desired}"),
            Span(age(each.created, now), QUIET),
        ],
        [_pod(pod, now) for pod in each.pods],
    )


def _pod(pod: Pod, now: datetime) -> TreeNode:
    restarts = f"{pod.restarts} restarts" if pod.restarts > 1 else "1 restart"
    return TreeNode(
        [
            Span(f"Pod {pod.name}"),
            Span(f"{_MARKS[pod.state]} {pod.reason}", _MEANINGS[pod.state]),
            *([Span(restarts, WAITING)] if pod.restarts else ()),
            Span(pod.node or "no node", "" if pod.node else WAITING),
            Span(age(pod.created, now), QUIET),
        ]
    )
