"""Programs that run while a test does something else."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    output: IO[str] | int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator["subprocess.Popen[str]"]:
    """A program that is asked to end when the context does, and killed if it does not."""
    process = subprocess.Popen(command, stdout=output, env=environment, text=True)
    with process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
