"""The metrics that Prometheus scrapes."""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from weather_operator.kube.cache import Cache
from weather_operator.kube.resources import Key, Manifest, key_of
from weather_operator.model import WEATHER_APP
from weather_operator.model.parsing import UnreadableError, parse_app
from weather_operator.rollout.state import later
from weather_operator.rollout.trial import TRYING, seconds_of, trial_before
from weather_operator.status.conditions import condition

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_CONVERGENCES = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Metrics:
    """All metrics of one process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.reconciles = Counter(
            "weather_operator_reconciles_total",
            "Reconciles by how they ended.",
            ["result"],
            registry=registry,
        )
        self.reconcile_seconds = Histogram(
            "weather_operator_reconcile_duration_seconds",
            "How long one reconcile took.",
            buckets=_DURATIONS,
            registry=registry,
        )
        self.queue_depth = Gauge(
            "weather_operator_queue_depth",
            "WeatherApps that wait for a worker, those that wait for a later try among them.",
            registry=registry,
        )
        self.queue_oldest_age = Gauge(
            "weather_operator_queue_oldest_age_seconds",
            "How long the WeatherApp has waited that is due the longest; 0 when none is due.",
            registry=registry,
        )
        self.requests = Counter(
            "weather_operator_api_requests_total",
            "Requests to the API server, kopf's apart. Code 0 means that none answered.",
            ["verb", "kind", "code"],
            registry=registry,
        )
        self.rollouts = Counter(
            "weather_operator_rollouts_total",
            "Rollouts that ended, by how: the outcomes of the WeatherApps' history.",
            ["outcome"],
            registry=registry,
        )
        self.converge_seconds = Histogram(
            "weather_operator_converge_duration_seconds",
            "From a change of a WeatherApp's spec until it is Ready with it.",
            buckets=_CONVERGENCES,
            registry=registry,
        )
        self.analysis_intervals = Counter(
            "weather_operator_analysis_intervals_total",
            "Complete intervals of the analyses of revisions that are tried, by verdict.",
            ["verdict"],
            registry=registry,
        )
        self.analysis_scrapes = Counter(
            "weather_operator_analysis_scrapes_total",
            "Requests for a pod's metrics, by whether they gave a measurement.",
            ["result"],
            registry=registry,
        )
        self.leader = Gauge(
            "weather_operator_leader",
            "1 while this process holds the Lease.",
            registry=registry,
        )
        self.watch_age = Gauge(
            "weather_operator_watch_age_seconds",
            "Since the last event or complete list of a kind; a resync lists every kind.",
            ["kind"],
            registry=registry,
        )

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class WeatherAppCollector(Collector):
    """Reads the WeatherApps' series from the cache at a scrape: one goes with its WeatherApp."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def collect(self) -> Iterable[Metric]:
        """Return one sample of each metric for each WeatherApp."""
        info = GaugeMetricFamily(
            "weather_app_info",
            "The version that serves, and Ready's reason.",
            labels=["namespace", "name", "version", "colour", "reason"],
        )
        gauges = {
            "replicas_desired": _gauge("weather_app_replicas_desired", "Pods that are wanted."),
            "replicas_ready": _gauge("weather_app_replicas_ready", "Pods that are ready."),
            "ready": _gauge("weather_app_ready", "1 while the condition Ready is True."),
            "stalled": _gauge("weather_app_stalled", "1 while only a person helps."),
        }
        for body in self._cache.all(WEATHER_APP):
            name, status = key_of(body), body.get("status", {})
            labels = (status.get("version", ""), status.get("colour", ""), _reason(status))
            info.add_metric([name.namespace, name.name, *labels], 1)
            for gauge, value in _values(status):
                gauges[gauge].add_metric([name.namespace, name.name], value)
        return (info, *gauges.values(), *_canaries(self._cache.all(WEATHER_APP)))


class ConvergenceTimer:
    """Measures from the change of a WeatherApp's spec until the app is Ready with it."""

    def __init__(
        self, observe: Callable[[float], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._observe = observe
        self._clock = clock
        self._pending: dict[Key, tuple[int, float]] = {}

    def on_event(self, type_: str | None, body: Manifest) -> None:
        """Take in an event of a WeatherApp; of one that a list shows, the beginning is unknown."""
        key, generation = key_of(body), body["metadata"]["generation"]
        status = body.get("status", {})
        if type_ == "DELETED":
            self._pending.pop(key, None)
        elif status.get("observedGeneration") != generation:
            if type_ and self._pending.get(key, (0, 0))[0] != generation:
                self._pending[key] = (generation, self._clock())
        elif key in self._pending and condition(status, "Ready").get("status") == "True":
            self._observe(self._clock() - self._pending.pop(key)[1])


def _gauge(name: str, help_: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_, labels=["namespace", "name", *labels])


def _values(status: Manifest) -> Iterator[tuple[str, float]]:
    pods = re.fullmatch("([0-9]+)/([0-9]+)", status.get("ready", ""))
    yield "replicas_desired", int(pods[2]) if pods else 0
    yield "replicas_ready", int(pods[1]) if pods else 0
    for type_ in ("Ready", "Stalled"):
        yield type_.lower(), condition(status, type_).get("status") == "True"


def _canaries(bodies: Iterable[Manifest]) -> Iterable[Metric]:
    """Return the series of what is tried; there are none where nothing is."""
    step = _gauge("weather_app_canary_step", "The step that a canary is at, from 0.")
    due = _gauge(
        "weather_app_canary_step_due_timestamp_seconds",
        "When a canary's step is over at the earliest, while its weight is taken up.",
    )
    weight = _gauge(
        "weather_app_canary_weight_percent",
        "A canary's share of the visitors, as wanted, set and observed.",
        "kind",
    )
    check = _gauge(
        "weather_app_canary_check",
        "1 with the verdict of a check's last interval.",
        "check",
        "verdict",
    )
    for body in bodies:
        if "strategy" not in body.get("status", {}).get("rollout", {}):
            continue
        try:
            app = parse_app(body)
        except UnreadableError:
            continue  # its reconcile says so
        trial, name = trial_before(app.status), [app.key.namespace, app.key.name]
        if trial is None:
            continue
        step.add_metric(name, trial.step)
        if trial.set_at and trial.step > 0 and trial.phase in TRYING:
            seconds = seconds_of(app, trial.step)
            due.add_metric(name, datetime.fromisoformat(later(trial.set_at, seconds)).timestamp())
        set_ = trial.weight if trial.is_set else None
        for kind, value in (("wanted", trial.weight), ("set", set_), ("observed", trial.share)):
            if value is not None:
                weight.add_metric([*name, kind], value)
        for each in trial.checks:
            check.add_metric([*name, each["name"], each["verdict"]], 1)
    return step, due, weight, check


def _reason(status: Manifest) -> str:
    reason: str = condition(status, "Ready").get("reason", "")
    return reason
