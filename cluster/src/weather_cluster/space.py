"""Room on the disk."""

import shutil
from pathlib import Path

from weather_cluster.errors import ClusterError


def check(directory: Path, gigabytes: float, purpose: str, variable: str) -> None:
    """Return if the directory, made if need be, has room.

    Raises ClusterError naming the environment variable that leads to another disk.
    """
    directory.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(directory).free / 1e9
    if free < gigabytes:
        raise ClusterError(
            f"{directory} has {free:.1f} GB free and {purpose} needs {gigabytes} GB: "
            f"make room, or set {variable} to a directory on a larger disk"
        )
