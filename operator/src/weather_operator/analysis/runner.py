"""The analyses that are under way: one task a trial, each measuring interval after interval.

    first samples → probes at once, queries at the end → second samples → evaluate → latest

An interval's second samples are the next one's first, so that nothing is left out. A pod is asked
by its address. Which pods there are is read from the API server only when one of the two
Deployments has changed, a pod did not answer, or a minute is over.
"""

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from yarl import URL

from weather_operator.analysis.counters import Counters, Sample, add_up, increase
from weather_operator.analysis.evaluate import (
    Measured,
    ProbeAnswers,
    QueryAnswer,
    evaluate,
    share_of,
)
from weather_operator.analysis.fetch import SourceError
from weather_operator.analysis.sources import Sources
from weather_operator.kube.cache import Cache
from weather_operator.kube.errors import ApiError
from weather_operator.kube.resources import DEPLOYMENT, POD, SERVICE, Key, Kind, Manifest
from weather_operator.metrics import Metrics
from weather_operator.model.strategies import Check
from weather_operator.render import Track, child_name
from weather_operator.render.labels import TRACK_LABEL, VERSION_LABEL, app_labels
from weather_operator.render.pods import METRICS_PORT, REVISION_ANNOTATION
from weather_operator.rollout.interval import AnalysisTarget, CheckResult, Interval, Verdict
from weather_operator.status.pods import is_ready

log = logging.getLogger(__name__)

LOG_LAG_SECONDS = 1.0
"""How long a page may take to count a request that it has answered."""

_LIST_SECONDS = 60.0
_SPREAD_FROM = 20

PodKey = tuple[Track, str]
"""A pod is known by its track and its uid."""


class ListsPods(Protocol):
    """The one verb of the API that is needed."""

    async def list(
        self, kind: Kind, *, namespace: str = "", labels: str = ""
    ) -> tuple[list[Manifest], str]:
        """Return the objects of a kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod that is asked. A `ready` one that does not answer leaves a gap in the evidence."""

    track: Track
    uid: str
    name: str
    address: str
    version: str
    ready: bool


@dataclass(slots=True)
class _Watched:
    trial: AnalysisTarget
    task: asyncio.Task[None] | None = None
    latest: Interval | None = None
    pods: Sequence[Pod] = ()
    listed_for: tuple[str, ...] = ()
    listed_at: float = float("-inf")
    is_listed: bool = False
    samples: dict[PodKey, Sample] = field(default_factory=dict)
    known: set[PodKey] = field(default_factory=set)


class AnalysisRunner:
    """Analyses the trials that it is given, for as long as `run` runs.

    `wake` is called with an app's key when an interval of it is complete.
    """

    def __init__(
        self,
        client: ListsPods,
        cache: Cache,
        sources: Sources,
        metrics: Metrics,
        *,
        wake: Callable[[Key], None],
        metrics_port: int = METRICS_PORT,
    ) -> None:
        self._client = client
        self._cache = cache
        self._sources = sources
        self._metrics = metrics
        self._wake = wake
        self._metrics_port = metrics_port
        self._epoch = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._watched: dict[Key, _Watched] = {}
        self._group: asyncio.TaskGroup | None = None

    def watch(self, trial: AnalysisTarget) -> None:
        """Analyse this trial from now on, in place of any former one of the same app."""
        key = trial.app.key
        known = self._watched.get(key)
        if known and _identity(known.trial) == _identity(trial):
            return
        self.forget(key)
        watched = self._watched[key] = _Watched(trial)
        if self._group is not None:
            watched.task = self._group.create_task(self._analyse(watched))

    def forget(self, key: Key) -> None:
        """Analyse an app no longer. Nothing happens where none was watched."""
        watched = self._watched.pop(key, None)
        if watched and watched.task:
            watched.task.cancel()

    def latest(self, key: Key) -> Interval | None:
        """Return the newest complete interval of the trial that is watched, None before."""
        watched = self._watched.get(key)
        return watched.latest if watched else None

    async def run(self) -> None:
        """Analyse for ever; a trial that was given before begins now."""
        async with self._sources, asyncio.TaskGroup() as group:
            self._group = group
            try:
                for watched in self._watched.values():
                    watched.task = group.create_task(self._analyse(watched))
                await asyncio.Event().wait()
            finally:
                self._group = None

    async def _analyse(self, watched: _Watched) -> None:
        trial = watched.trial
        seconds = trial.analysis.interval_seconds
        # A leader that begins with many trials asks their pods one after the other.
        spread = min(len(self._watched) / (10 * _SPREAD_FROM), 1.0) * seconds
        await asyncio.sleep(spread * (hash(trial.app.uid) % 1000) / 1000)
        clock = asyncio.get_running_loop().time
        await self._sample(watched)
        while True:
            begun = clock()
            try:
                interval = await self._interval(watched, begun + seconds)
            except Exception as error:
                # A stranger's answer must not take the operator away; what it was is Unknown.
                about = {"app": str(trial.app.key), "error": str(error)}
                log.exception("an analysis broke", extra=about)
                interval = self._broken(trial, error)
                await asyncio.sleep(max(begun + seconds - clock(), 1.0))
            watched.latest = interval
            self._metrics.analysis_intervals.labels(interval.verdict.value).inc()
            self._wake(trial.app.key)

    async def _interval(self, watched: _Watched, ends: float) -> Interval:
        """Measure until the moment it ends, and evaluate."""
        trial, clock = watched.trial, asyncio.get_running_loop().time
        probes = await self._probes(watched, ends - LOG_LAG_SECONDS - clock())
        await asyncio.sleep(ends - clock())
        checks = trial.analysis.checks
        if trial.step == 0:
            due = tuple(check for check in checks if check.probe)
            measured = Measured(canary=None, stable=None, probes=probes, queries={})
            return self._complete(trial, due, measured, None, 0)
        (canary, stable), queries = await asyncio.gather(
            self._sample(watched), self._queries(checks)
        )
        own: dict[str, int] = {}
        for answers in probes.values():
            for status, number in answers.statuses.items():
                own[status] = own.get(status, 0) + number
        canary = canary.without(own)
        share, requests = share_of(canary, stable)
        measured = Measured(canary=canary, stable=stable, probes=probes, queries=queries)
        return self._complete(trial, checks, measured, share, requests)

    def _complete(
        self,
        trial: AnalysisTarget,
        checks: Iterable[Check],
        measured: Measured,
        share: float | None,
        requests: int,
    ) -> Interval:
        least = trial.analysis.min_requests
        return Interval(
            epoch=self._epoch,
            number=next(self._numbers),
            revision=trial.revision,
            step=trial.step,
            since=trial.since,
            results=tuple(evaluate(each, measured, min_requests=least) for each in checks),
            share=None if share is None else round(share, 2),
            requests=requests,
        )

    def _broken(self, trial: AnalysisTarget, error: Exception) -> Interval:
        message = f"the analysis broke: {type(error).__name__}: {error}"
        checks = [check for check in trial.analysis.checks if trial.step or check.probe]
        return Interval(
            epoch=self._epoch,
            number=next(self._numbers),
            revision=trial.revision,
            step=trial.step,
            since=trial.since,
            results=tuple(
                CheckResult(name=each.name, verdict=Verdict.UNKNOWN, message=message)
                for each in checks
            ),
        )

    async def _probes(self, watched: _Watched, seconds: float) -> dict[str, ProbeAnswers]:
        app = watched.trial.app
        found: dict[str, ProbeAnswers] = {}
        checks = [check for check in watched.trial.analysis.checks if check.probe]
        if not checks:
            return found
        pods = await self._pods(watched)
        versions = {pod.version for pod in pods if pod.track is Track.CANARY}
        version = versions.pop() if len(versions) == 1 else ""
        base = self._address_of_canary(watched.trial)
        left = seconds / len(checks)
        for check in checks:
            if check.probe is None:
                continue
            if base is None:
                name = child_name(app, Track.CANARY)
                problem = f"Service {name} has no address yet"
                found[check.name] = ProbeAnswers(statuses={}, problem=problem)
                continue
            prefix = app.path.rstrip("/")
            url = base.join(URL(f"{prefix}/{check.probe.path.lstrip('/')}"))
            found[check.name] = await self._sources.probe(
                url, requests=check.probe.requests, version=version, seconds=max(left, 0.1)
            )
        return found

    def _address_of_canary(self, trial: AnalysisTarget) -> URL | None:
        """Return where the canary's Service answers inside the cluster, without a name server."""
        app = trial.app
        key = Key(namespace=app.key.namespace, name=child_name(app, Track.CANARY))
        spec: Manifest = (self._cache.get(SERVICE, key) or {}).get("spec", {})
        address, ports = spec.get("clusterIP", ""), spec.get("ports", ())
        if address in ("", "None") or not ports:
            return None
        return URL.build(scheme="http", host=address, port=ports[0]["port"])

    async def _queries(self, checks: Iterable[Check]) -> dict[str, QueryAnswer]:
        asked = [(check.name, check.prometheus.query) for check in checks if check.prometheus]
        answers = await asyncio.gather(*(self._sources.query(query) for _, query in asked))
        return {name: answer for (name, _), answer in zip(asked, answers, strict=True)}

    async def _sample(self, watched: _Watched) -> tuple[Counters, Counters]:
        """Return what the canary's and the stable pods have answered since they were last asked.

        A pod that comes after the first time began to count in between. The first time tells
        nothing: it is where the others stand.
        """
        if watched.trial.step == 0:
            return Counters(), Counters()
        first = not watched.is_listed
        pods = await self._pods(watched)
        if not watched.is_listed:
            return Counters(), Counters()
        answers = await asyncio.gather(*(self._scrape(pod) for pod in pods))
        increases: dict[Track, list[Sample]] = {track: [] for track in Track}
        silent: dict[Track, list[str]] = {track: [] for track in Track}
        for pod, sample in zip(pods, answers, strict=True):
            key = (pod.track, pod.uid)
            # Of one that was there before, and has not said where it stood, nothing is known.
            if sample is not None and (key in watched.samples or key not in watched.known):
                increases[pod.track].append(increase(watched.samples.get(key), sample))
            elif pod.ready:
                silent[pod.track].append(pod.name)
            watched.known.add(key)
            if sample is not None:
                watched.samples[key] = sample
        gone = watched.known - {(pod.track, pod.uid) for pod in pods}
        watched.known -= gone
        for key in gone:
            watched.samples.pop(key, None)
        if any(silent.values()):
            watched.listed_at = float("-inf")
        if first:
            return Counters(), Counters()
        canary, stable = (
            add_up(increases[track], silent_pods=silent[track])
            for track in (Track.CANARY, Track.STABLE)
        )
        return canary, stable

    async def _scrape(self, pod: Pod) -> Sample | None:
        try:
            sample = await self._sources.scrape(pod.address, self._metrics_port)
        except SourceError as error:
            self._metrics.analysis_scrapes.labels("failed").inc()
            log.debug("a pod gave no sample", extra={"pod": pod.name, "error": str(error)})
            return None
        self._metrics.analysis_scrapes.labels("done").inc()
        return sample

    async def _pods(self, watched: _Watched) -> Sequence[Pod]:
        app, now = watched.trial.app, asyncio.get_running_loop().time()
        keys = (Key(namespace=app.key.namespace, name=child_name(app, each)) for each in Track)
        live = [self._cache.get(DEPLOYMENT, key) for key in keys]
        versions = tuple(each["metadata"]["resourceVersion"] if each else "" for each in live)
        is_old = now - watched.listed_at > _LIST_SECONDS
        if versions == watched.listed_for and not is_old:
            return watched.pods
        labels = ",".join(f"{name}={value}" for name, value in app_labels(app).items())
        try:
            found, _ = await self._client.list(POD, namespace=app.key.namespace, labels=labels)
        except ApiError as error:
            about = {"app": str(app.key), "error": error.message}
            log.warning("an app's pods could not be listed", extra=about)
            return watched.pods
        watched.pods = pods_of(found, revision=watched.trial.revision)
        watched.listed_for, watched.listed_at, watched.is_listed = versions, now, True
        return watched.pods


def pods_of(bodies: Iterable[Manifest], *, revision: str) -> tuple[Pod, ...]:
    """Return the pods that may answer: the stable ones, and the canary's of this revision."""
    found = []
    for body in bodies:
        metadata, status = body["metadata"], body.get("status", {})
        labels, address = metadata.get("labels", {}), status.get("podIP", "")
        track = labels.get(TRACK_LABEL)
        if track not in set(Track) or not address or status.get("phase") != "Running":
            continue
        its_revision = metadata.get("annotations", {}).get(REVISION_ANNOTATION)
        if track == Track.CANARY and its_revision != revision:
            continue
        found.append(
            Pod(
                track=Track(track),
                uid=metadata["uid"],
                name=metadata["name"],
                address=address,
                version=labels.get(VERSION_LABEL, ""),
                ready=is_ready(body) and "deletionTimestamp" not in metadata,
            )
        )
    return tuple(found)


def _identity(trial: AnalysisTarget) -> tuple[object, ...]:
    """Return what a trial is another one by: no number of pods, which may change all the time."""
    app = trial.app
    return app.key, app.uid, trial.analysis, trial.revision, trial.step, trial.since
