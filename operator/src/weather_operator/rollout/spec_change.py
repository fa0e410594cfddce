"""The change of pods that an app's own spec asks for: it waits for no other app.

A release's new image, or a template that a new operator renders otherwise, asks for other pods too.
Which of them it is shows while a spec is new; from then on the status keeps it.
"""

from dataclasses import replace

from weather_operator import render
from weather_operator.model import WeatherApp
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.revisions import Revision
from weather_operator.rollout.state import (
    failure,
    last_good,
    recorded_image,
    recorded_releases,
)


def is_spec_change_pending(observed: Observed) -> bool:
    """Tell whether the app's own spec asks for other pods than there are, by more than their image.

    That lasts until the Deployment has them or they have failed, whatever kept them from beginning.
    """
    app, release, live = observed.app, observed.release, served(observed)
    is_told = app.status.get("observedGeneration") == app.generation
    if live is None or (is_told and not app.status.get("specChangePending")):
        return False
    desired = render.revision(app, release) if release else None
    if desired == live.revision or (desired and failure(app.status, desired, attempt=0)):
        return False
    if release is None:
        return True
    # In the live template is what a policy of the cluster made of the image.
    image = recorded_image(app.status, live.revision) or live.image
    return render.revision(app, replace(release, image=image)) != live.revision


def served(observed: Observed) -> Revision | None:
    """Return the live revision or, where the Deployment is gone, the one that served last."""
    return observed.live or _served_last(observed.app)


def _served_last(app: WeatherApp) -> Revision | None:
    name = last_good(app.status)
    for revision, release in recorded_releases(app.status):
        if revision == name:
            return Revision(
                revision=revision,
                version=release.version,
                colour=release.colour,
                image=release.image,
            )
    return None
