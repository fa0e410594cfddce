import pytest
from weather_cluster import go_build
from weather_cluster.go_build import LINK_BYTES, Meter


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def meter(clock: Clock, *, linked: int = 0) -> Meter:
    sizes = {"small": LINK_BYTES, "large": 8 * LINK_BYTES}
    return Meter(sizes=sizes, programs=("kubelet",), linked=lambda: linked, clock=clock)


def test_a_build_counts_the_packages_that_go_names() -> None:
    counted = meter(Clock())
    lines = ("small", "# large", "small", "kubelet")
    assert [counted.begins(line) for line in lines] == [True, False, True, True]
    assert counted.state() == ("1 of 2 packages", 0.1)


def test_the_rest_is_estimated_by_the_size_of_what_is_left() -> None:
    clock = Clock()
    counted = meter(clock)
    counted.begins("small")
    clock.now = 60
    assert counted.state()[0] == "1 of 2 packages, about 9 min left"
    counted.begins("large")
    assert counted.state()[0] == "0 of 1 programs linked, under a minute left"


def test_nothing_is_estimated_without_evidence() -> None:
    clock = Clock()
    counted = meter(clock)
    clock.now = 60
    assert counted.state() == ("0 of 2 packages", 0)


def test_all_is_done_when_the_programs_are_linked() -> None:
    clock = Clock()
    counted = meter(clock, linked=1)
    for package in ("small", "large"):
        counted.begins(package)
    clock.now = 60
    assert counted.state() == ("1 of 1 programs linked", 1)


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("k8s.io/kubernetes/cmd/kubelet", "kubelet"),
        ("go.etcd.io/etcd/server/v3", "server"),
        ("github.com/opencontainers/runc", "runc"),
        ("helm.sh/helm/v4/cmd/helm", "helm"),
        ("example.com/vast", "vast"),
    ],
)
def test_a_program_is_called_as_go_calls_it(package: str, name: str) -> None:
    assert go_build.program_name(package) == name
