"""What the pods of one track have answered, from the text that each pod's metrics port gives.

A pod counts from its start on. `Sample` is what it says at one moment; what it answered since an
earlier one is `increase`, and the pods of a track are added up to `Counters`. Of a pod's text only
the two families are read that count what NGINX answered; a number in them that cannot be makes the
whole sample unusable, since nobody knows what else is wrong with it.

Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

INFINITY = math.inf
_SERIES = re.compile(
    rb"^(weather_http_requests_total|weather_http_request_duration_seconds_bucket)"
    rb"\{([^\n]*)\}[ \t]+(\S+)[^\n]*$|^(process_start_time_seconds)[ \t]+(\S+)[^\n]*$",
    re.MULTILINE,
)
_LABEL = re.compile(rb'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\.)*)"')
_PROBE = b"probe"
_LARGEST = 2.0**53


class SampleError(Exception):
    """What a pod gave is no sample, in words that go on from the pod's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one pod has counted up to one moment, the kubelet's probes apart.

    `requests` is by class of status, such as 5xx; `buckets` by the upper bound in seconds, each
    with all that is below it. `started` tells one process from the one after it.
    """

    requests: Mapping[str, float] = field(default_factory=dict)
    buckets: Mapping[float, float] = field(default_factory=dict)
    started: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What the pods of one track have answered in one interval, as `Sample` has it.

    `silent_pods` should have said so too, and did not.
    """

    requests: Mapping[str, float] = field(default_factory=dict)
    buckets: Mapping[float, float] = field(default_factory=dict)
    pods: int = 0
    silent_pods: tuple[str, ...] = ()

    @property
    def total(self) -> float:
        """All requests."""
        return sum(self.requests.values())

    @property
    def successes(self) -> float:
        """Those that did not end in an error of the server; a client's mistake is none."""
        return self.total - self.requests.get("5xx", 0.0)

    def without(self, own: Mapping[str, float]) -> "Counters":
        """Return the counters less so many requests of our own, by class of status.

        The durations keep them: of a histogram nothing can be taken away that was not measured.
        """
        requests = {
            status: max(number - own.get(status, 0.0), 0.0)
            for status, number in self.requests.items()
        }
        return Counters(
            requests=requests, buckets=self.buckets, pods=self.pods, silent_pods=self.silent_pods
        )


def parse_sample(text: bytes) -> Sample:
    """Read a pod's metrics. Raises SampleError."""
    requests: dict[str, float] = {}
    buckets: dict[float, float] = {}
    started = 0.0
    for family, labels, value, process, start in _SERIES.findall(text):
        if process:
            started = _count(start)
            continue
        named = dict(_LABEL.findall(labels))
        if named.get(b"route") == _PROBE:
            continue
        if family.endswith(b"_total"):
            status = named.get(b"status", b"").decode("ascii", "replace")
            requests[status] = requests.get(status, 0.0) + _count(value)
        else:
            bound = _bound(named.get(b"le", b""))
            buckets[bound] = buckets.get(bound, 0.0) + _count(value)
    rising = [buckets[bound] for bound in sorted(buckets)]
    if rising != sorted(rising):
        raise SampleError("its histogram has more requests below a bound than below a higher one")
    if not (requests or started):
        raise SampleError("its answer has none of the page's metrics")
    return Sample(requests=requests, buckets=buckets, started=started)


def increase(before: Sample | None, now: Sample) -> Sample:
    """Return what was counted since a sample; all of it where the counting began anew since."""
    if before is None or _began_anew(before, now):
        return now
    return Sample(
        requests={
            status: number - before.requests.get(status, 0.0)
            for status, number in now.requests.items()
        },
        buckets={
            bound: number - before.buckets.get(bound, 0.0) for bound, number in now.buckets.items()
        },
        started=now.started,
    )


def add_up(samples: Iterable[Sample], *, silent_pods: Iterable[str] = ()) -> Counters:
    """Add up what several pods have counted in the same time."""
    requests: dict[str, float] = {}
    buckets: dict[float, float] = {}
    pods = 0
    for sample in samples:
        pods += 1
        for status, number in sample.requests.items():
            requests[status] = requests.get(status, 0.0) + number
        for bound, number in sample.buckets.items():
            buckets[bound] = buckets.get(bound, 0.0) + number
    silent = tuple(sorted(silent_pods))
    return Counters(requests=requests, buckets=buckets, pods=pods, silent_pods=silent)


def _began_anew(before: Sample, now: Sample) -> bool:
    """Tell whether another process counts by now: it says so, or something has become less."""
    if before.started != now.started:
        return True
    fell = any(now.requests.get(each, 0.0) < old for each, old in before.requests.items())
    return fell or any(now.buckets.get(each, 0.0) < old for each, old in before.buckets.items())


def _count(text: bytes) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= _LARGEST:
        raise SampleError(f"it counts {text[:40].decode('ascii', 'replace')}, which is no count")
    return value


def _bound(text: bytes) -> float:
    try:
        bound = float(text)
    except ValueError:
        bound = math.nan
    if math.isnan(bound) or bound < 0:
        raise SampleError("its histogram has a bound that is no number of seconds")
    return bound
