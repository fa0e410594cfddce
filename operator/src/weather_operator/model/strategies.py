"""How a new revision is tried beside the one that serves, as a WeatherApp's spec says it."""

from dataclasses import dataclass

from weather_operator.kube.resources import Manifest

ROLLING_UPDATE, CANARY, BLUE_GREEN = "RollingUpdate", "Canary", "BlueGreen"
"""The types of strategies."""

HOLD, ABORT = "Hold", "Abort"
"""What an interval without evidence does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryStep:
    """A share of the visitors in percent, for how long at least, and who lets it go on."""

    weight: int
    duration_seconds: int
    approval: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BlueGreen:
    """One switch to so many pods, and how long the old ones stay whole after it."""

    replicas: int | str
    approval: bool
    retain_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How a revision is tried. `steps` are a Canary's, `blue_green` is a BlueGreen's alone."""

    type: str
    steps: tuple[CanaryStep, ...] = ()
    blue_green: BlueGreen | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessRate:
    """Bounds in percent, and in percentage points below the revision that serves."""

    min_percent: float | None
    max_below_stable: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Bounds of a quantile in milliseconds, and in milliseconds above the revision that serves."""

    quantile_percent: float
    max_milliseconds: int | None
    max_above_stable: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Requests of our own in each interval, to a path below the one that the app serves under."""

    path: str
    requests: int
    min_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusQuery:
    """An expression that gives one number, and its bounds."""

    query: str
    min: float | None
    max: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of an analysis: exactly one of its kinds is there."""

    name: str
    success_rate: SuccessRate | None = None
    latency: Latency | None = None
    probe: Probe | None = None
    prometheus: PrometheusQuery | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """By what a revision is judged while it is tried.

    Of fewer than `min_requests` in an interval the verdict is Unknown. `failure_limit` failed
    intervals in a row end the trial; `on_unknown` is HOLD or ABORT.
    """

    interval_seconds: int
    min_requests: int
    failure_limit: int
    on_unknown: str
    checks: tuple[Check, ...]


def parse_strategy(spec: Manifest) -> Strategy:
    """Read `spec.rollout.strategy`."""
    type_: str = spec.get("type", ROLLING_UPDATE)
    steps = spec["canary"]["steps"] if type_ == CANARY else ()
    return Strategy(
        type=type_,
        steps=tuple(map(_parse_step, steps)),
        blue_green=_parse_blue_green(spec.get("blueGreen", {})) if type_ == BLUE_GREEN else None,
    )


def parse_analysis(spec: Manifest) -> Analysis:
    """Read `spec.rollout.analysis`."""
    return Analysis(
        interval_seconds=spec.get("intervalSeconds", 10),
        min_requests=spec.get("minRequests", 20),
        failure_limit=spec.get("failureLimit", 2),
        on_unknown=spec.get("onUnknown", HOLD),
        checks=tuple(map(_parse_check, spec["checks"])),
    )


def _parse_step(spec: Manifest) -> CanaryStep:
    return CanaryStep(
        weight=spec["weight"],
        duration_seconds=spec.get("durationSeconds", 0),
        approval=spec.get("approval", False),
    )


def _parse_blue_green(spec: Manifest) -> BlueGreen:
    return BlueGreen(
        replicas=spec.get("replicas", "100%"),
        approval=spec.get("approval", False),
        retain_seconds=spec.get("retainSeconds", 30),
    )


def _parse_check(spec: Manifest) -> Check:
    return Check(
        name=spec["name"],
        success_rate=_parse_success_rate(spec["successRate"]) if "successRate" in spec else None,
        latency=_parse_latency(spec["latency"]) if "latency" in spec else None,
        probe=_parse_probe(spec["probe"]) if "probe" in spec else None,
        prometheus=_parse_prometheus(spec["prometheus"]) if "prometheus" in spec else None,
    )


def _parse_success_rate(spec: Manifest) -> SuccessRate:
    return SuccessRate(
        min_percent=spec.get("minPercent"), max_below_stable=spec.get("maxBelowStable")
    )


def _parse_latency(spec: Manifest) -> Latency:
    return Latency(
        quantile_percent=spec.get("quantilePercent", 95),
        max_milliseconds=spec.get("maxMilliseconds"),
        max_above_stable=spec.get("maxAboveStable"),
    )


def _parse_probe(spec: Manifest) -> Probe:
    return Probe(
        path=spec.get("path", "/"),
        requests=spec.get("requests", 20),
        min_percent=spec.get("minPercent", 100),
    )


def _parse_prometheus(spec: Manifest) -> PrometheusQuery:
    return PrometheusQuery(query=spec["query"], min=spec.get("min"), max=spec.get("max"))
