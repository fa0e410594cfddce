"""The programs of a cluster, built from pinned Go modules and kept in the user's cache.

`BINARIES` says what there is and how it is built. One module pins nearly all of them, so that they
share what they compile: client-go alone is most of some. A built program's file name holds a hash
of its module's pins and its flags, so another pin is another file and nothing in the cache is ever
stale. A control plane of another version of Kubernetes has a module of its own.
"""

import fcntl
import hashlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from weather_cluster import go_build, toolchain
from weather_cluster.go_build import GoBuild
from weather_cluster.host import require_disk_space, require_programs
from weather_cluster.progress import Report, silent
from weather_cluster.settings import Settings

MODULE = "cluster"
DEFAULT_KUBERNETES = "1.36"
KUBERNETES_VERSIONS = {"1.32": "1.32.13", "1.36": "1.36.3", "1.37": "1.37.2"}
KUBERNETES_VERSION = KUBERNETES_VERSIONS[DEFAULT_KUBERNETES]
VERSIONED = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
NEEDED_SPACE_GB = 6
_OURS = f"weather-operator.local/{MODULE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """One program: its Go package, the module that pins it, and how it is built."""

    name: str
    package: str
    module: str = MODULE
    kubernetes: str = KUBERNETES_VERSION
    tags: str = ""
    cgo: bool = False

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of `go build`, those that decide what it compiles and links."""
        return (
            "-trimpath",
            "-mod=readonly",
            f"-tags={self.tags}",
            # Nobody debugs these: a fifth less to compile.
            "-gcflags=all=-dwarf=false",
            f"-ldflags=-s -w {_stamp(self.kubernetes)}",
        )


def _stamp(version: str) -> str:
    """Return the linker's flags that tell Kubernetes its version; other programs lack the names."""
    base, (major, minor, _) = "k8s.io/component-base/version", version.split(".")
    values = {
        f"{base}.gitVersion": f"v{version}",
        f"{base}.gitMajor": major,
        f"{base}.gitMinor": minor,
        "k8s.io/client-go/pkg/version.gitVersion": f"v{version}",
    }
    return " ".join(f"-X {name}={value}" for name, value in values.items())


def _kubernetes(name: str) -> Binary:
    return Binary(name=name, package=f"k8s.io/kubernetes/cmd/{name}")


def _containerd(name: str) -> Binary:
    return Binary(name=name, package=f"github.com/containerd/containerd/v2/cmd/{name}")


def _cni(name: str, kind: str) -> Binary:
    package = f"github.com/containernetworking/plugins/plugins/{kind}/{name}"
    return Binary(name=name, package=package)


BINARIES = {
    binary.name: binary
    for binary in (
        _kubernetes("kube-apiserver"),
        _kubernetes("kube-controller-manager"),
        _kubernetes("kube-scheduler"),
        _kubernetes("kubectl"),
        _kubernetes("kubelet"),
        _kubernetes("kube-proxy"),
        Binary(name="etcd", package="go.etcd.io/etcd/server/v3"),
        _containerd("containerd"),
        _containerd("containerd-shim-runc-v2"),
        _containerd("ctr"),
        # Without C in net and os/user nearly all of it is compiled as for the others: once.
        Binary(
            name="runc",
            package="github.com/opencontainers/runc",
            tags="seccomp,netgo,osusergo",
            cgo=True,
        ),
        _cni("bridge", "main"),
        _cni("loopback", "main"),
        _cni("host-local", "ipam"),
        _cni("portmap", "meta"),
        # Mains of our own, with the plugins that a cluster uses and no cloud's storage.
        Binary(name="registry", package=f"{_OURS}/registry"),
        Binary(name="coredns", package=f"{_OURS}/coredns"),
        Binary(name="helm", package="helm.sh/helm/v4/cmd/helm"),
        Binary(name="metrics-server", package="sigs.k8s.io/metrics-server/cmd/metrics-server"),
        Binary(name="kwok", package="sigs.k8s.io/kwok/cmd/kwok"),
        Binary(
            name="traefik", package="github.com/traefik/traefik/v3/cmd/traefik", module="traefik"
        ),
    )
}


def of_kubernetes(name: str, kubernetes: str = DEFAULT_KUBERNETES) -> Binary:
    """Return the program that belongs to this Kubernetes, a minor version like 1.37.

    Etcd, kubectl and what is not of Kubernetes are the same for all.
    """
    binary = BINARIES[name]
    if kubernetes == DEFAULT_KUBERNETES or name not in VERSIONED:
        return binary
    module, version = f"kubernetes-{kubernetes}", KUBERNETES_VERSIONS[kubernetes]
    return replace(binary, module=module, kubernetes=version)


def ensure(
    names: Sequence[str], settings: Settings, report: Report, kubernetes: str = DEFAULT_KUBERNETES
) -> dict[str, Path]:
    """Return the file of each named binary, built now if the cache lacks it."""
    binaries = {name: of_kubernetes(name, kubernetes) for name in names}
    files = {name: path_of(binary, settings) for name, binary in binaries.items()}
    if not all(file.exists() for file in files.values()):
        require_disk_space(
            settings.cache, NEEDED_SPACE_GB, "building the cluster", "XDG_CACHE_HOME"
        )
        go = toolchain.find(settings, report)
        with locked(settings.cache / "binaries/build.lock", report) as lock:
            missing = [binaries[name] for name, file in files.items() if not file.exists()]
            _build_all(missing, settings, go, report, lock)
    return files


def path_of(binary: Binary, settings: Settings) -> Path:
    """Return where the cache keeps this binary; other sources or flags give another name."""
    key = hashlib.sha256(repr((binary.package, binary.flags, binary.cgo)).encode())
    module = settings.modules / binary.module
    for file in (module / "go.mod", module / "go.sum", *sorted(module.rglob("*.go"))):
        key.update(file.read_bytes())
    return settings.cache / "binaries" / f"{binary.name}-{key.hexdigest()[:12]}"


@contextmanager
def locked(file: Path, report: Report = silent) -> Iterator[int]:
    """Hold a lock of the cache, and yield its file descriptor.

    A child that inherits the descriptor keeps others out for as long as it lives, even when this
    process is killed.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with report("wait for another command that builds"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


@contextmanager
def locked_output(file: Path) -> Iterator[Path]:
    """Let one command at a time create a file of the cache, which is complete whenever it exists.

    Yields the path to write to.
    """
    unfinished = file.with_name(f"{file.name}.unfinished")
    with locked(file.with_name(f"{file.name}.lock")):
        try:
            yield unfinished
            if unfinished.exists():
                unfinished.rename(file)
        finally:
            unfinished.unlink(missing_ok=True)


def _build_all(
    missing: Sequence[Binary], settings: Settings, go: Path, report: Report, lock: int
) -> None:
    """Build what a C compiler has a part in while the others' sources are fetched, which is more.

    The others come then, one module after the other: two at once would compile the same.
    """
    with_c = [binary for binary in missing if binary.cgo]
    if with_c:
        require_programs("gcc", "pkg-config")
    others = [*_alike([binary for binary in missing if not binary.cgo])]

    def build(groups: Iterable[Sequence[Binary]]) -> None:
        for together in groups:
            _build(together, settings, go, report, lock)

    with ThreadPoolExecutor(1) as beside:
        building = beside.submit(build, [*_alike(with_c)])
        for together in others:
            go_build.fetch(go, _go_build(together, settings), report)
        building.result()
    build(others)


def _alike(binaries: Sequence[Binary]) -> Iterator[list[Binary]]:
    """Yield those that one `go build` makes together."""

    def kind(binary: Binary) -> tuple[object, ...]:
        return binary.module, binary.flags

    for _, alike in groupby(sorted(binaries, key=kind), key=kind):
        yield list(alike)


def _go_build(binaries: Sequence[Binary], settings: Settings) -> GoBuild:
    """Return the build of programs that have module and flags in common."""
    first = binaries[0]
    names = [binary.name for binary in binaries]
    return GoBuild(
        title=", ".join(names) if len(names) < 4 else f"{len(names)} programs",
        module=settings.modules / first.module,
        packages=tuple(binary.package for binary in binaries),
        flags=first.flags,
        environment=toolchain.environment(cgo=first.cgo),
    )


def _build(
    binaries: Sequence[Binary], settings: Settings, go: Path, report: Report, lock: int
) -> None:
    """Build programs that have module and flags in common into the cache."""
    output = settings.cache / f"binaries/unfinished{'-with-c' if binaries[0].cgo else ''}"
    # What an earlier command left when it was killed.
    shutil.rmtree(output, ignore_errors=True)
    try:
        go_build.build(go, _go_build(binaries, settings), output, report, inherit=lock)
        for binary in binaries:
            built = output / go_build.program_name(binary.package)
            built.rename(path_of(binary, settings))
    finally:
        shutil.rmtree(output, ignore_errors=True)
