"""Which of the addresses that mean a release's image an app runs: its digest, but no pod for it.

A tag's digest may become known late, be another for a release that was made anew, or be lost with
a status. None of that restarts a pod: what an app runs it keeps until its template changes anyway.
What a canary runs counts as what serves does, so that none of it ends a trial either.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from weather_operator import render
from weather_operator.kube.resources import Manifest
from weather_operator.model import Release, WeatherApp
from weather_operator.releases.image_reference import without_digest


def pinned(
    app: WeatherApp, release: Release, live: Manifest | None, *, awaited: bool
) -> Release | None:
    """Return the release with the very image that the app is to run.

    `live` is the app's Deployment. None means that the registry is just being asked for the digest
    of what is to be rolled out (`awaited`): wait for the answer.
    """
    if without_digest(release.image) != release.image:
        return release
    best = f"{release.image}@{release.digest}" if release.digest else release.image
    run = [image for image in _images_of(live) if without_digest(image) == release.image]
    recorded = [
        image
        for image in (_tried(app).get("image", ""), *_images_that_served(app))
        if without_digest(image) == release.image
    ]
    choices = [
        replace(release, image=image)
        for image in dict.fromkeys((best, *run, *recorded, release.image))
    ]
    settled = _settled(app, live)
    for choice in choices:
        if render.revision(app, choice) in settled:
            return choice
    serving = next(_images_that_served(app), "")
    if not run and without_digest(serving) == release.image:
        # The way back, while pods of this release still serve.
        return replace(release, image=serving)
    return None if awaited else choices[0]


def _settled(app: WeatherApp, live: Manifest | None) -> set[str]:
    """Return the revisions that stand, whatever is learned.

    They are the live one, the one that is tried, and those that failed.
    """
    failed = {each["revision"] for each in app.status.get("failedRevisions", ())}
    running = (render.revision_of(live) if live else None, _tried(app).get("revision"))
    return failed.union(filter(None, running))


def _tried(app: WeatherApp) -> Manifest:
    """Return the change in the status if it is a trial, else nothing."""
    rollout: Manifest = app.status.get("rollout", {})
    return rollout if "strategy" in rollout else {}


def _images_that_served(app: WeatherApp) -> Iterator[str]:
    """Yield the images as they were declared, the newest first: policies make others of them."""
    for each in app.status.get("history", ()):
        if each["outcome"] == "Succeeded" and "image" in each:
            yield each["image"]


def _images_of(live: Manifest | None) -> list[str]:
    containers: list[dict[str, Any]] = (
        live["spec"]["template"]["spec"]["containers"] if live else []
    )
    return [each["image"] for each in containers if "image" in each]
