"""A small image whose pods run any program of busybox."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONTAINERFILE = """\
FROM scratch
COPY busybox /bin/busybox
COPY busybox /bin/sh
"""


@contextmanager
def image() -> Iterator[str]:
    """The image in this machine's store, under a name of its own, for as long as it is used."""
    name = f"weather-test-{os.getpid()}:1"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Containerfile").write_text(CONTAINERFILE)
        Path(folder, "busybox").write_bytes(Path("/bin/busybox").read_bytes())
        Path(folder, "busybox").chmod(0o755)
        build = ["buildah", "build", "--quiet", "--isolation=chroot", f"--tag={name}", folder]
        subprocess.run(build, check=True, capture_output=True)
    try:
        yield name
    finally:
        subprocess.run(["buildah", "rmi", name], check=True, capture_output=True)
