"""The rollouts that a WeatherApp's status lists, newest first, with the one under way."""

from collections.abc import Iterator
from dataclasses import dataclass

from weather_operator.kube.resources import Manifest
from weather_operator.model.parsing import readable_status
from weather_operator.rollout.state import ROLLING_BACK, ROLLING_OUT, SUCCEEDED

_UNDER_WAY = (ROLLING_OUT, ROLLING_BACK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One rollout. `at` is when it ended or, while it is under way, when it began.

    `seconds` is how long it took, None where that is not known. Of what a status lacks nothing is
    said: it may be of another operator, or have been restored in part.
    """

    revision: str
    version: str
    colour: str
    image: str
    outcome: str
    at: str
    seconds: int | None
    reason: str


def rollouts(app: Manifest) -> list[Rollout]:
    """Return all rollouts that the app's status lists."""
    return [*_under_way(app), *_ended(app)]


def successful(app: Manifest) -> list[Rollout]:
    """Return the rollouts that can be gone back to: they succeeded and have not failed since."""
    failed = {each["revision"] for each in app.get("status", {}).get("failedRevisions", ())}
    return [
        each for each in _ended(app) if each.outcome == SUCCEEDED and each.revision not in failed
    ]


def _under_way(app: Manifest) -> Iterator[Rollout]:
    rollout = readable_status(app.get("status", {})).get("rollout")
    if rollout and rollout["phase"] in _UNDER_WAY:
        yield Rollout(
            **{name: rollout.get(name, "") for name in ("revision", "colour", "image")},
            version=rollout["to"],
            outcome=rollout["phase"],
            at=rollout["startedAt"],
            seconds=None,
            reason="",
        )


def _ended(app: Manifest) -> Iterator[Rollout]:
    status = app.get("status", {})
    # Another attempt of the same revision may have failed at another time, of another cause.
    failures = {(each["revision"], each["at"]): each for each in status.get("failedRevisions", ())}
    for each in status.get("history", ()):
        failure = failures.get((each["revision"], each["at"]), {})
        known = {name: each.get(name, "") for name in ("colour", "image")}
        yield Rollout(
            **{name: each[name] for name in ("revision", "version", "outcome", "at")},
            **known,
            seconds=each.get("seconds"),
            reason=failure.get("reason", ""),
        )
