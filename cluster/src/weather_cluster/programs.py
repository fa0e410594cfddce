"""Programs of this machine that end before we go on."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from weather_cluster.errors import ClusterError


def run(
    *command: str | Path,
    text: str = "",
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    keep: int | None = None,
) -> str:
    """Run a program on this input and give what it prints; it inherits the descriptor `keep`.

    Raises ClusterError with the end of what it said when it fails.
    """
    done = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        cwd=directory,
        env=environment,
        pass_fds=() if keep is None else (keep,),
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise ClusterError(f"{' '.join(map(str, command))} failed: {said}")
    return done.stdout


def succeeds(*command: str | Path) -> bool:
    """Tell whether this program is there and succeeds."""
    try:
        return not subprocess.run(command, capture_output=True, check=False).returncode
    except FileNotFoundError:
        return False
