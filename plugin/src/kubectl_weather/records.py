"""How an app's rollouts ended, newest first, and the one that is under way."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from weather_operator.rollout.state import ROLLED_BACK, ROLLING_OUT, SUCCEEDED, SUPERSEDED

from kubectl_weather.ages import age, length
from kubectl_weather.tree import BAD, GOOD, QUIET, WAITING, Word, version

Body = dict[str, Any]

TITLES = ("REVISION", "VERSION", "OUTCOME", "AGE", "TOOK", "WHY")

_MEANINGS = {SUCCEEDED: GOOD, ROLLED_BACK: BAD, SUPERSEDED: QUIET}
_UNDER_WAY = (ROLLING_OUT, "RollingBack")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One rollout. `at` is when it ended or, where `seconds` is None, when it began."""

    revision: str
    version: str
    colour: str
    image: str
    outcome: str
    at: str
    seconds: int | None
    reason: str

    def json(self) -> Body:
        """Return everything as plain values."""
        return asdict(self)

    def row(self, now: datetime) -> list[Word]:
        """Return the record as a row of a table with the titles above."""
        return [
            Word(self.revision),
            version(self.version, self.colour),
            Word(self.outcome, _MEANINGS.get(self.outcome, WAITING)),
            Word(age(self.at, now)),
            Word("" if self.seconds is None else length(self.seconds)),
            Word(self.reason),
        ]


def records(app: Body) -> list[Record]:
    """Return what the app's status remembers."""
    return [*_under_way(app), *_ended(app)]


def served(app: Body) -> list[Record]:
    """Return the rollouts that a rollback may go back to: they succeeded and failed never since."""
    failed = {each["revision"] for each in app.get("status", {}).get("failedRevisions", ())}
    return [
        each for each in _ended(app) if each.outcome == SUCCEEDED and each.revision not in failed
    ]


def _under_way(app: Body) -> Iterator[Record]:
    change = app.get("status", {}).get("rollout")
    if change and change["phase"] in _UNDER_WAY:
        yield Record(
            **{name: change.get(name, "") for name in ("revision", "colour", "image")},
            version=change["to"],
            outcome=change["phase"],
            at=change["startedAt"],
            seconds=None,
            reason="",
        )


def _ended(app: Body) -> Iterator[Record]:
    status = app.get("status", {})
    # A failure says when it was: another attempt of the same revision may have had another cause.
    why = {(each["revision"], each["at"]): each for each in status.get("failedRevisions", ())}
    for each in status.get("history", ()):
        found = why.get((each["revision"], each["at"]), {})
        yield Record(**each, reason=found.get("reason", ""))
