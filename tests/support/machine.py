"""What a cluster could leave on the machine that it ran on."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

CONSTANT_PATHS = (
    "/etc/cni",
    "/opt/cni",
    "/opt/containerd",
    "/run/containerd",
    "/run/nri",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
)


def things(other_clusters: re.Pattern[str]) -> set[str]:
    """Name the machine's mounts, namespaces, links, rules, groups and more, but not the others'."""
    everything = {
        *_lines("mount", Path("/proc/self/mounts").read_text()),
        *_lines("link", *(path.name for path in Path("/sys/class/net").iterdir())),
        *_lines("network namespace", *_names("/run/netns")),
        *_lines("claim", *(path.name for path in Path("/run").glob("weather-cluster*"))),
        *_lines("rule", _output("nft", "list", "ruleset")),
        *_lines("route", _output("ip", "route", "show", "table", "all")),
        *_lines("address", _addresses()),
        *_lines("control group", *_control_groups()),
        *_lines("path", *(path for path in CONSTANT_PATHS if Path(path).exists())),
    }
    return {thing for thing in everything if not other_clusters.search(thing)}


def processes_in(namespaces: set[int]) -> set[str]:
    """Name the living processes in these network namespaces."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            inode = (process / "ns/net").stat().st_ino
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            if inode in namespaces and state != "Z":
                found.add(f"{process.name} {(process / 'comm').read_text().strip()}")
        except OSError:
            continue
    return found


def _lines(kind: str, *texts: str) -> Iterator[str]:
    for text in texts:
        for line in text.splitlines():
            yield f"{kind}: {line.strip()}"


def _names(folder: str) -> list[str]:
    path = Path(folder)
    return [entry.name for entry in path.iterdir()] if path.exists() else []


def _control_groups() -> Iterator[str]:
    root = Path("/sys/fs/cgroup")
    for pattern in ("*", "*/*"):
        yield from (str(path) for path in root.glob(pattern) if path.is_dir())


def _addresses() -> str:
    links = json.loads(_output("ip", "-json", "address", "show"))
    return "\n".join(f"{a['local']} {link['ifname']}" for link in links for a in link["addr_info"])


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
