"""What a cluster asks of the machine it runs on: programs, room on the disk, ports, locks.

Every need is checked here, before anything starts, and a failure says what to install, free or
stop.
"""

import hashlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from weather_cluster.errors import ClusterError

DEBIAN_PACKAGES = {
    "gcc": "gcc",
    "pkg-config": "pkg-config",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setsid": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
    "nft": "nftables",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
}
"""Which Debian package brings a program; `debian-packages.txt` lists them for the set-up."""


def run(
    *command: str | Path,
    text: str = "",
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    inherit: int | None = None,
) -> str:
    """Run a program to its end with this input and return its output.

    The program inherits the file descriptor `inherit`. Raises ClusterError with the end of its
    error output when it fails.
    """
    done = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        cwd=directory,
        env=environment,
        pass_fds=() if inherit is None else (inherit,),
        check=False,
    )
    if done.returncode:
        output = (done.stderr or done.stdout).strip()[-2000:]
        raise ClusterError(f"{' '.join(map(str, command))} failed: {output}")
    return done.stdout


def succeeds(*command: str | Path) -> bool:
    """Tell whether a program is installed and exits with 0."""
    try:
        return not subprocess.run(command, capture_output=True, check=False).returncode
    except FileNotFoundError:
        return False


def require_programs(*programs: str) -> None:
    """Return if every program is on PATH.

    Raises ClusterError naming the Debian packages of those that are not.
    """
    missing = {DEBIAN_PACKAGES[program] for program in programs if not shutil.which(program)}
    if missing:
        names = " ".join(sorted(missing))
        raise ClusterError(f"this machine lacks {names}: install with apt-get install {names}")


def require_disk_space(directory: Path, gigabytes: float, purpose: str, variable: str) -> None:
    """Return if the disk of the directory, which is created if need be, has room.

    Raises ClusterError naming the environment variable that moves the directory to another disk.
    """
    directory.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(directory).free / 1e9
    if free < gigabytes:
        raise ClusterError(
            f"{directory} has {free:.1f} GB free and {purpose} needs {gigabytes} GB: "
            f"make room, or set {variable} to a directory on a larger disk"
        )


@contextmanager
def reserved_ports(count: int) -> Iterator[list[int]]:
    """Hold free loopback ports that only servers with SO_REUSEPORT can listen on.

    Start those servers inside the context, so that nobody else can take a port in between.
    """
    with ExitStack() as stack:
        holders = [stack.enter_context(socket.socket()) for _ in range(count)]
        for holder in holders:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            holder.bind(("127.0.0.1", 0))
        yield [holder.getsockname()[1] for holder in holders]


def is_listening(address: str, port: int) -> bool:
    """Tell whether a server accepts TCP connections at this address."""
    with socket.socket() as client:
        return client.connect_ex((address, port)) == 0


@contextmanager
def exclusive(name: str, *, seconds: float = 300) -> Iterator[None]:
    """Let one command at a time work on what this name stands for.

    The lock leaves no file and ends with its process. Raises ClusterError when another command
    holds it for too long.
    """
    address = f"\0weather-cluster-{hashlib.sha256(name.encode()).hexdigest()}"
    deadline = time.monotonic() + seconds
    with socket.socket(socket.AF_UNIX) as lock:
        while not _bind(lock, address):
            if time.monotonic() > deadline:
                raise ClusterError(f"another command is still working on {name}: wait for it")
            time.sleep(0.05)
        yield


def _bind(lock: socket.socket, address: str) -> bool:
    try:
        lock.bind(address)
    except OSError:
        return False
    return True
