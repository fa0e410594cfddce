from pathlib import Path

import pytest
from weather_webapp.identity import Identity, identify
from weather_webapp.settings import Settings

ID = "84d0a04af0491f2b" * 4
OTHER = "0123456789abcdef" * 4
MOUNTINFO = f"512 511 8:1 /var/lib/docker/containers/{OTHER}/hostname /etc/hostname rw - ext4 x rw"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "cgroup").write_text("0::/\n")
    (tmp_path / "mountinfo").write_text("22 1 8:1 / / rw - ext4 /dev/sda rw\n")
    return tmp_path


def identity(proc: Path, **settings: object) -> Identity:
    read = Settings(version="2.0.0", colour="green", **settings)  # type: ignore[arg-type] # by name
    return identify(read, hostname="somewhere", proc=proc)


def test_on_a_plain_host_the_host_is_named_as_such(proc: Path) -> None:
    who = identity(proc)
    assert (who.container, who.container_kind, who.pod) == ("somewhere", "host", "")


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
    who = identity(proc, in_kubernetes=True)
    assert (who.container, who.container_kind) == (ID, "container")


def test_outside_pods_a_mount_names_the_container(proc: Path) -> None:
    (proc / "mountinfo").write_text(f"{MOUNTINFO}\n")
    who = identity(proc)
    assert (who.container, who.container_kind) == (OTHER, "container")


def test_in_a_pod_that_mount_names_the_sandbox_and_is_not_believed(proc: Path) -> None:
    (proc / "mountinfo").write_text(f"{MOUNTINFO}\n")
    who = identity(proc, in_kubernetes=True, pod="london-1")
    assert (who.container, who.container_kind, who.pod) == ("london-1", "pod", "london-1")


def test_a_pod_is_a_pod_also_when_no_service_is_announced_to_it(proc: Path) -> None:
    who = identity(proc, pod="london-1")
    assert (who.container, who.container_kind, who.pod) == ("london-1", "pod", "london-1")


def test_what_we_were_told_wins(proc: Path) -> None:
    (proc / "cgroup").write_text(f"0::/docker-{ID}.scope\n")
    who = identity(proc, container_id="told", in_kubernetes=True, pod="london-1")
    assert (who.container, who.container_kind, who.pod) == ("told", "container", "london-1")


def test_without_proc_the_host_is_named(tmp_path: Path) -> None:
    assert identity(tmp_path / "none").container == "somewhere"
