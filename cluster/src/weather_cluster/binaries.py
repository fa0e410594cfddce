"""The programs of a cluster, built from the pinned Go modules and kept in the user's cache.

`BINARIES` says what there is and how it is built. A built program's file name holds a hash of its
module's pins and its flags, so another pin is another file and nothing in the cache is ever stale.
"""

import fcntl
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from weather_cluster import toolchain
from weather_cluster.host import require_disk_space, require_programs, run
from weather_cluster.progress import Report
from weather_cluster.settings import Settings

KUBERNETES_VERSION = "1.36.3"
NEEDED_SPACE_GB = 6
_VERSION = "k8s.io/component-base/version"
_STAMP = (
    f"-X {_VERSION}.gitVersion=v{KUBERNETES_VERSION} -X {_VERSION}.gitMajor=1 "
    f"-X {_VERSION}.gitMinor=36 -X k8s.io/client-go/pkg/version.gitVersion=v{KUBERNETES_VERSION}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """One program: the module that pins it, its Go package, and how it is built."""

    name: str
    module: str
    package: str
    ldflags: str = ""
    tags: str = ""
    cgo: bool = False

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments of `go build`, without the output file."""
        flags = f"-s -w {self.ldflags}".strip()
        return (
            "-trimpath",
            "-mod=readonly",
            f"-tags={self.tags}",
            f"-ldflags={flags}",
            self.package,
        )


def _kubernetes(name: str) -> Binary:
    return Binary(
        name=name, module="kubernetes", package=f"k8s.io/kubernetes/cmd/{name}", ldflags=_STAMP
    )


def _containerd(name: str) -> Binary:
    package = f"github.com/containerd/containerd/v2/cmd/{name}"
    return Binary(name=name, module="runtime", package=package)


def _cni(name: str, kind: str) -> Binary:
    package = f"github.com/containernetworking/plugins/plugins/{kind}/{name}"
    return Binary(name=name, module="runtime", package=package)


BINARIES = {
    binary.name: binary
    for binary in (
        _kubernetes("kube-apiserver"),
        _kubernetes("kube-controller-manager"),
        _kubernetes("kube-scheduler"),
        _kubernetes("kubectl"),
        _kubernetes("kubelet"),
        _kubernetes("kube-proxy"),
        Binary(name="etcd", module="kubernetes", package="go.etcd.io/etcd/server/v3"),
        _containerd("containerd"),
        _containerd("containerd-shim-runc-v2"),
        _containerd("ctr"),
        Binary(
            name="runc",
            module="runtime",
            package="github.com/opencontainers/runc",
            tags="seccomp",
            cgo=True,
        ),
        _cni("bridge", "main"),
        _cni("loopback", "main"),
        _cni("host-local", "ipam"),
        _cni("portmap", "meta"),
        Binary(
            name="registry",
            module="registry",
            package="github.com/distribution/distribution/v3/cmd/registry",
        ),
        Binary(name="coredns", module="coredns", package="github.com/coredns/coredns"),
        Binary(name="helm", module="helm", package="helm.sh/helm/v4/cmd/helm"),
        Binary(
            name="metrics-server",
            module="metrics-server",
            package="sigs.k8s.io/metrics-server/cmd/metrics-server",
        ),
        Binary(name="kwok", module="kwok", package="sigs.k8s.io/kwok/cmd/kwok"),
    )
}


def ensure(names: Sequence[str], settings: Settings, report: Report) -> dict[str, Path]:
    """Return the file of each named binary, built now if the cache lacks it."""
    files = {name: path_of(BINARIES[name], settings) for name in names}
    missing = [BINARIES[name] for name, file in files.items() if not file.exists()]
    if missing:
        require_disk_space(
            settings.cache, NEEDED_SPACE_GB, "building the cluster", "XDG_CACHE_HOME"
        )
        go = toolchain.find(settings, report)
        for binary in missing:
            _build(binary, settings, go, report)
    return files


def path_of(binary: Binary, settings: Settings) -> Path:
    """Return where the cache keeps this binary; other sources or flags give another name."""
    key = hashlib.sha256(repr((binary.arguments, binary.cgo)).encode())
    for file in ("go.mod", "go.sum"):
        key.update((settings.modules / binary.module / file).read_bytes())
    return settings.cache / "binaries" / f"{binary.name}-{key.hexdigest()[:12]}"


@contextmanager
def locked_output(file: Path) -> Iterator[tuple[Path, int]]:
    """Let one command at a time create a file of the cache, which is complete whenever it exists.

    Yields the path to write to and the lock's file descriptor. A child that inherits the
    descriptor keeps others out for as long as it lives, even when this process is killed.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.unfinished")
    with file.with_name(f"{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield unfinished, lock.fileno()
            if unfinished.exists():
                unfinished.rename(file)
        finally:
            unfinished.unlink(missing_ok=True)


def _build(binary: Binary, settings: Settings, go: Path, report: Report) -> None:
    if binary.cgo:
        require_programs("gcc", "pkg-config")
    with report(f"build {binary.name}"), locked_output(path_of(binary, settings)) as (file, lock):
        if not path_of(binary, settings).exists():
            run(
                go,
                "build",
                "-o",
                file,
                *binary.arguments,
                directory=settings.modules / binary.module,
                environment=toolchain.environment(cgo=binary.cgo),
                inherit=lock,
            )
