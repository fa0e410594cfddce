"""The images and the chart of a finished directory, copied to their registry as they are."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from weather_cluster.errors import ClusterError
from weather_cluster.host import run
from weather_cluster.images import IMAGES
from weather_cluster.progress import Report

from release import chart, images
from release.about import CHART, Release


def publish(
    release: Release, directory: Path, report: Report, *, plain_http: bool = False
) -> Iterator[str]:
    """Copy everything to the registry, and yield each reference with its digest.

    Raises ClusterError when the packaged chart names another image than the one that is copied.
    """
    if not shutil.which("skopeo"):
        raise ClusterError("this machine lacks skopeo: install it with apt-get install skopeo")
    archives = {image.name: images.archive_of(image, directory) for image in IMAGES}
    if missing := [file.name for file in archives.values() if not file.exists()]:
        raise ClusterError(f"{directory} lacks {', '.join(missing)}: make them with make release")
    named = {each["image"] for each in chart.images_of(chart.archive(release, directory))}
    for image, archive in archives.items():
        name = image.partition(":")[0]
        digest = images.digest_of(archive)
        if f"{release.registry}/{name}@{digest}" not in named:
            raise ClusterError(
                f"the chart in {directory} does not name {image} at {release.registry} "
                "as it is there: make release anew with this REGISTRY"
            )
        with report(f"publish {image}"):
            run(
                *("skopeo", "copy", "--quiet", "--all", "--preserve-digests"),
                *(("--dest-tls-verify=false",) if plain_http else ()),
                f"oci-archive:{archive}",
                f"docker://{release.registry}/{image}",
            )
        yield f"{release.registry}/{name}@{digest}"
    with report(f"publish the chart {CHART.name}:{release.version}"):
        pushed = run(
            *(chart.helm(), "push", chart.archive(release, directory)),
            f"oci://{release.registry}/charts",
            *(("--plain-http",) if plain_http else ()),
        )
    yield f"{release.registry}/charts/{CHART.name}@{_digest(pushed)}"


def _digest(said: str) -> str:
    return next(line.split()[1] for line in said.splitlines() if line.startswith("Digest:"))
