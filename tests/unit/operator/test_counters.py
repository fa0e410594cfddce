"""What pods say that they have answered, believed only where it can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from weather_operator.analysis.counters import (
    Sample,
    SampleError,
    add_up,
    increase,
    parse_sample,
)

EXPOSITION = b"""\
# HELP weather_http_requests_total Requests that NGINX answered.
# TYPE weather_http_requests_total counter
weather_http_requests_total{version="2.0.0",route="/",method="GET",status="2xx"} 90.0
weather_http_requests_total{version="2.0.0",route="/live",method="GET",status="2xx"} 5.0
weather_http_requests_total{version="2.0.0",route="/",method="GET",status="5xx"} 10.0
weather_http_requests_total{version="2.0.0",route="probe",method="GET",status="2xx"} 1000.0
weather_http_request_duration_seconds_bucket{le="0.1",version="2.0.0",route="/",status="2xx"} 80.0
weather_http_request_duration_seconds_bucket{le="+Inf",version="2.0.0",route="/",status="2xx"} 90.0
weather_http_request_duration_seconds_bucket{le="+Inf",version="2",route="probe",status="2xx"} 9.0
process_start_time_seconds 1.7e+09
"""


def test_visitors_are_counted_over_all_addresses_and_the_kubelets_probes_are_not() -> None:
    assert parse_sample(EXPOSITION) == Sample(
        requests={"2xx": 95, "5xx": 10}, buckets={0.1: 80, float("inf"): 90}, started=1.7e9
    )


def test_a_page_that_nobody_has_visited_counts_nothing() -> None:
    assert parse_sample(b"process_start_time_seconds 5\n") == Sample(started=5)


@pytest.mark.parametrize("value", [b"NaN", b"+Inf", b"-1", b"many", b"1e300", b"0x10"])
@pytest.mark.parametrize("counted", [b"90.0", b"80.0", b"1.7e+09"])
def test_a_number_that_cannot_be_makes_the_sample_unusable(value: bytes, counted: bytes) -> None:
    with pytest.raises(SampleError, match="which is no count"):
        parse_sample(EXPOSITION.replace(counted, value))


@pytest.mark.parametrize("text", [b"", b"<html>no metrics</html>", b"\x00\xff" * 100])
def test_what_is_no_exposition_is_refused(text: bytes) -> None:
    with pytest.raises(SampleError, match="none of the page's metrics"):
        parse_sample(text)


def test_a_histogram_that_falls_is_refused() -> None:
    with pytest.raises(SampleError, match="more requests below a bound"):
        parse_sample(EXPOSITION.replace(b" 80.0", b" 99.0"))


@given(st.binary(max_size=300), st.integers(0, len(EXPOSITION)))
def test_garbage_gives_a_sample_or_a_reason(garbage: bytes, at: int) -> None:
    try:
        sample = parse_sample(EXPOSITION[:at] + garbage + EXPOSITION[at:])
    except SampleError:
        return
    assert all(number >= 0 for number in sample.requests.values())


def test_a_process_that_began_anew_is_counted_from_nothing() -> None:
    before = Sample(requests={"2xx": 100}, started=1)
    assert increase(before, Sample(requests={"2xx": 130}, started=1)).requests == {"2xx": 30}
    assert increase(before, Sample(requests={"2xx": 130}, started=2)).requests == {"2xx": 130}
    assert increase(before, Sample(requests={"2xx": 7}, started=1)).requests == {"2xx": 7}
    assert increase(before, Sample(requests={"5xx": 7}, started=1)).requests == {"5xx": 7}


counts = st.dictionaries(st.sampled_from(["2xx", "4xx", "5xx"]), st.integers(0, 10**6))
samples = st.builds(
    lambda requests, buckets: Sample(requests=requests, buckets=buckets),
    counts,
    st.dictionaries(st.sampled_from([0.1, 1.0, float("inf")]), st.integers(0, 10**6)),
)


@given(st.lists(samples, max_size=6), st.randoms())
def test_the_order_of_the_pods_changes_nothing(pods: list[Sample], chance: object) -> None:
    mixed = sorted(pods, key=lambda _: chance.random())  # type: ignore[attr-defined]
    assert add_up(mixed) == add_up(pods)


@given(samples, samples)
def test_no_increase_is_negative(before: Sample, now: Sample) -> None:
    found = increase(before, now)
    assert all(number >= 0 for number in found.requests.values())
    assert all(number >= 0 for number in found.buckets.values())


def test_our_own_requests_are_no_visitors() -> None:
    counters = add_up([Sample(requests={"2xx": 30, "5xx": 1})]).without({"2xx": 20, "5xx": 5})
    assert counters.requests == {"2xx": 10, "5xx": 0}
