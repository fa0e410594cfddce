"""The release that an app asks for, from its own status, where the catalogue has none to give."""

from dataclasses import replace

from weather_operator import render
from weather_operator.model import Release, WeatherApp
from weather_operator.releases.catalogue import selects
from weather_operator.rollout.revisions import Revision
from weather_operator.rollout.state import (
    failure,
    recorded_image,
    recorded_releases,
    revision_tried,
)
from weather_operator.rollout.trial import trial_before


def known_release(app: WeatherApp, live: Revision | None) -> Release | None:
    """Return the release that is tried, serves, or has failed and is still asked for.

    What serves needs no catalogue: it is scaled and repaired all the same. None where the app asks
    for something that it never had.
    """
    tried = revision_tried(app.status) if trial_before(app.status) else None
    if live and (image := recorded_image(app.status, live.revision)):
        live = replace(live, image=image)
    return _release_of(app, tried) or _release_of(app, live) or _failed(app)


def _release_of(app: WeatherApp, revision: Revision | None) -> Release | None:
    """Return the release that the app asks for as a revision has it, None if it has another."""
    if revision is None:
        return None
    release = Release(version=revision.version, colour=revision.colour, image=revision.image)
    return release if selects(app, release) else None


def _failed(app: WeatherApp) -> Release | None:
    """Return the release that has failed and is asked for in the very form in which it failed."""
    for revision, release in recorded_releases(app.status):
        has_failed = failure(app.status, revision, attempt=app.rollout.attempt)
        is_same = selects(app, release) and render.revision(app, release) == revision
        if has_failed and is_same:
            return release
    return None
