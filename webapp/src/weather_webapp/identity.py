"""Who serves this page: the version that the image bears, and where it runs."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from weather_webapp.settings import Settings

SHOWN = 12
ContainerKind = Literal["container", "pod", "host"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The version and the place it runs at; `container_kind` says what `container` truly names."""

    version: str
    colour: str
    commit: str
    container: str
    container_kind: ContainerKind
    pod: str
    namespace: str
    node: str

    @property
    def container_shown(self) -> str:
        """A container's ID as short as people know it; a name as it is."""
        short = self.container_kind == "container"
        return self.container[:SHOWN] if short else self.container


def identify(settings: Settings, *, hostname: str, proc: Path = Path("/proc/self")) -> Identity:
    """Return who we are; without any trace of a container the pod's or host's name stands in."""
    in_pod = settings.in_kubernetes or bool(settings.pod)
    container = settings.container_id or _from_cgroup(proc)
    if not container and not in_pod:
        container = _from_mountinfo(proc)
    kind: ContainerKind = "pod" if in_pod else "host"
    return Identity(
        version=settings.version,
        colour=settings.colour,
        commit=settings.commit,
        container=container or settings.pod or hostname,
        container_kind="container" if container else kind,
        pod=settings.pod or (hostname if in_pod else ""),
        namespace=settings.namespace,
        node=settings.node,
    )


def _from_cgroup(proc: Path) -> str:
    found = re.findall(r"[/-]([0-9a-f]{64})(?:\.scope)?$", _text(proc / "cgroup"), flags=re.M)
    return found[-1] if found else ""


def _from_mountinfo(proc: Path) -> str:
    # In a pod this path names the sandbox, not the container: callers look here outside pods only.
    found = re.search(r"/containers/([0-9a-f]{64})/hostname ", _text(proc / "mountinfo"))
    return found[1] if found else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
