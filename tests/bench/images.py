"""How large the images are, and how long they take to build again."""

import json
import subprocess
import time

from bench.figures import Figure

NAMES = ("weather", "weather-operator")


def measure() -> list[Figure]:
    """Build what is not built, then time a build with nothing to do, and weigh the images."""
    subprocess.run(["weather-cluster", "images"], check=True)
    began = time.monotonic()
    subprocess.run(["weather-cluster", "images"], check=True)
    again = Figure(name="all images, unchanged", values=[time.monotonic() - began], unit="s")
    return [again, *(_size(name) for name in NAMES)]


def _size(name: str) -> Figure:
    listed = subprocess.run(
        ["buildah", "images", "--json", f"localhost/{name}"],
        check=True,
        capture_output=True,
        text=True,
    )
    sizes = [_megabytes(image["size"]) for image in json.loads(listed.stdout)]
    return Figure(name=f"{name}, unpacked", values=[max(sizes)], unit="MB")


def _megabytes(text: str) -> float:
    number, unit = text.split()
    return float(number) * {"KB": 1e-3, "MB": 1, "GB": 1e3}[unit]
