"""The wait for a release whose image its registry does not have, as far as the operator can see.

A rollout to it would take pods for nothing, and the image may just be on its way there; but nodes
may hold it, or be shown more than the operator is. So what serves stays for a while, counted from
the blocker in the status, and then the rollout goes on as any other.
"""

from dataclasses import dataclass

from weather_operator.model import WEATHER_RELEASE
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.revisions import Revision
from weather_operator.rollout.state import last_good, later

IMAGE_NOT_FOUND = "ImageNotFound"
"""The reason of the blocker."""

IMAGE_WAIT_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingImage:
    """What the registry lacks, in its words, of which release, and until when that is waited for.

    It `is_news` while the status does not say it.
    """

    message: str
    object: str
    until: str
    is_news: bool


def missing_image(observed: Observed, desired: Revision) -> MissingImage | None:
    """Return what a rollout that would begin now may wait for, None where that is nothing.

    What served last and what a canary runs is on the nodes; where nothing is there, nothing is to
    be kept.
    """
    app, live, release = observed.app, observed.live, observed.release
    if live is None or release is None or not release.missing or live.image == desired.image:
        return None
    if desired.revision == last_good(app.status) or observed.tried == desired:
        return None
    about = f"{WEATHER_RELEASE.name}/{release.name}"
    since = next(
        (
            min(each.get("since", observed.now), observed.now)
            for each in app.status.get("blockers", ())
            if (each["reason"], each.get("object")) == (IMAGE_NOT_FOUND, about)
        ),
        None,
    )
    # A rollout that may take less altogether does not wait for longer.
    seconds = min(IMAGE_WAIT_SECONDS, app.rollout.progress_deadline_seconds)
    return MissingImage(
        message=release.missing,
        object=about,
        until=later(since or observed.now, seconds),
        is_news=since is None,
    )
