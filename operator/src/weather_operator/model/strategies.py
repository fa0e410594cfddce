"""How a new revision is tried beside the one that serves, as a WeatherApp's spec says it."""

from dataclasses import dataclass

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
