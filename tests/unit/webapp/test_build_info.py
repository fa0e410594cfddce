import itertools
from pathlib import Path

import pytest
from weather_webapp.build_info import (
    NEUTRAL,
    PALETTES,
    BuildInfo,
    Palette,
    contrast,
    css_colours,
    detect_build,
    palette_for,
)
from weather_webapp.settings import Settings

ID = "84d0a04af0491f2b" * 4
OTHER = "0123456789abcdef" * 4
MOUNTINFO = f"512 511 8:1 /var/lib/docker/containers/{OTHER}/hostname /etc/hostname rw - ext4 x rw"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "cgroup").write_text("0::/\n")
    (tmp_path / "mountinfo").write_text("22 1 8:1 / / rw - ext4 /dev/sda rw\n")
    return tmp_path


def build_in(proc: Path, **settings: object) -> BuildInfo:
    read = Settings(version="2.0.0", colour="green", **settings)  # type: ignore[arg-type] # by name
    return detect_build(read, hostname="somewhere", proc=proc)


def test_on_a_plain_host_the_host_is_named_as_such(proc: Path) -> None:
    build = build_in(proc)
    assert (build.container, build.container_kind, build.pod) == ("somewhere", "host", "")


@pytest.mark.parametrize(
    "line",
    [
        f"5:memory:/docker/{ID}",
        f"0::/system.slice/docker-{ID}.scope",
        f"0::/kubepods.slice/kubepods-pod{OTHER}.slice/cri-containerd-{ID}.scope",
        f"1:cpu:/kubepods/burstable/pod4/{ID}",
    ],
)
def test_a_control_group_names_the_container(proc: Path, line: str) -> None:
    (proc / "cgroup").write_text(f"{line}\n")
    build = build_in(proc, in_kubernetes=True)
    assert (build.container, build.container_kind) == (ID, "container")


def test_outside_pods_a_mount_names_the_container(proc: Path) -> None:
    (proc / "mountinfo").write_text(f"{MOUNTINFO}\n")
    build = build_in(proc)
    assert (build.container, build.container_kind) == (OTHER, "container")


def test_in_a_pod_that_mount_names_the_sandbox_and_is_not_believed(proc: Path) -> None:
    (proc / "mountinfo").write_text(f"{MOUNTINFO}\n")
    build = build_in(proc, in_kubernetes=True, pod="london-1")
    assert (build.container, build.container_kind, build.pod) == ("london-1", "pod", "london-1")


def test_a_pod_is_a_pod_also_when_no_service_is_announced_to_it(proc: Path) -> None:
    build = build_in(proc, pod="london-1")
    assert (build.container, build.container_kind, build.pod) == ("london-1", "pod", "london-1")


def test_a_given_id_wins(proc: Path) -> None:
    (proc / "cgroup").write_text(f"0::/docker-{ID}.scope\n")
    build = build_in(proc, container_id="given", in_kubernetes=True, pod="london-1")
    assert (build.container, build.container_kind, build.pod) == ("given", "container", "london-1")


def test_without_proc_the_host_is_named(tmp_path: Path) -> None:
    assert build_in(tmp_path / "none").container == "somewhere"


@pytest.mark.parametrize("palette", [*PALETTES.values(), NEUTRAL, *map(palette_for, css_colours())])
def test_text_can_be_read(palette: Palette) -> None:
    assert contrast(palette.ink, palette.band) >= 4.5
    assert contrast(palette.light, "#FFFFFF") >= 4.5
    assert contrast(palette.dark, "#1B1D21") >= 4.5
    assert contrast(palette.edge, "#FFFFFF") >= 3


def test_no_two_versions_share_a_shape_or_a_colour() -> None:
    for one, other in itertools.combinations([*PALETTES.values(), NEUTRAL], 2):
        assert one.shape_name != other.shape_name
        assert one.shape != other.shape
        assert one.band != other.band


def test_the_three_versions_have_their_colours_and_another_is_neutral() -> None:
    assert palette_for("yellow").shape_name == "triangle"
    assert palette_for("green").shape_name == "circle"
    assert palette_for("red").shape_name == "square"
    assert palette_for("blue").band == "#0000FF"
    assert palette_for("octarine") is NEUTRAL


def test_every_colour_that_css_names_is_known() -> None:
    assert len(css_colours()) == 148
    assert palette_for("rebeccapurple").band == "#663399"
