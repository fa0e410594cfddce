"""How long a cluster takes to come and to go."""

import os
import time
from collections.abc import Callable

from support.clusters import unique_name
from weather_cluster import clusters

from bench.figures import Figure

RUNS = 3


def measure() -> list[Figure]:
    """Bring clusters of each size up and down, with every program built."""
    figures = _size("control plane", control_plane_only=True, nodes=1)
    if os.geteuid() == 0:
        figures += _size("one node", control_plane_only=False, nodes=1)
        figures += _size("two nodes", control_plane_only=False, nodes=2)
    return figures


def _size(title: str, *, control_plane_only: bool, nodes: int) -> list[Figure]:
    name = unique_name("bench")

    def up() -> None:
        clusters.up(name, control_plane_only=control_plane_only, nodes=nodes)

    ups, downs = [], []
    for _ in range(RUNS):
        ups.append(_seconds(up))
        downs.append(_seconds(lambda: clusters.down(name)))
    return [
        Figure(name=f"{title}: up, warm", values=ups, unit="s"),
        Figure(name=f"{title}: down", values=downs, unit="s"),
    ]


def _seconds(action: Callable[[], None]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began
