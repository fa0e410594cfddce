"""The fleet: how many apps roll out at a time for a reason that is not in their own spec.

A release's new image, or a template that a new operator renders otherwise, concerns any number of
apps at once. `Fleet.waits_for` lets only so many of them begin, and tells the others what they wait
for; `Fleet.run` enqueues those that have waited and may begin by now, the oldest first. Where too
many of those that ended have failed with the image, no more begin. What a user changes in an app's
own spec never waits, nor does a way back.

What stands still takes no place: it is suspended or paused, or its window has closed. It goes on
without waiting for another.

All of it is read from the cached statuses, so a restart or another leader goes on where this one
was; `_begun` holds only those whose status is yet to say that they roll out, `_turns` since when
those who wait might have begun, `_stopped` those that wait for an image that fails.
"""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from weather_operator import render
from weather_operator.controller.workqueue import Priority, WorkQueue
from weather_operator.kube.cache import Cache
from weather_operator.kube.resources import Key, Manifest, key_of
from weather_operator.model import WEATHER_APP
from weather_operator.rollout.image_wait import missing_image
from weather_operator.rollout.observed import Observed
from weather_operator.rollout.revisions import revision_in
from weather_operator.rollout.spec_change import is_spec_change_pending, served
from weather_operator.rollout.state import (
    ROLLED_BACK,
    ROLLING_OUT,
    SCALING,
    SUCCEEDED,
    failure,
    rollout_state,
)
from weather_operator.rollout.trial import trial_before
from weather_operator.rollout.windows import closed
from weather_operator.status.conditions import condition
from weather_operator.status.ready import WAITING, WAITING_FOR_WINDOW

log = logging.getLogger(__name__)

LEAST_BY_PERCENTAGE = 5
"""How many a percentage is at least: in a small fleet, one after the other takes for ever."""

_LEAST_FAILED = 2
_MOST_FAILED = 0.2
_LOOK_SECONDS = 1.0
_IDLE_SECONDS = 5.0
_BEGUN_SECONDS = 10.0

_TURN_SECONDS = 60.0
"""How long an app's turn lasts before others go first: its pass, or its status, may not succeed."""

_MISSED_SECONDS = 600.0
"""For how long others go first where nothing came of an app's turn, such as a refused write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetState:
    """What the statuses of all apps say together.

    `waiting` has the oldest app first. `succeeded` and `failed` count, by image, how the last
    rollout of each app ended that is at rest.
    """

    size: int
    rolling: frozenset[Key]
    waiting: tuple[Key, ...]
    succeeded: Mapping[str, int]
    failed: Mapping[str, int]

    def has_failed(self, image: str) -> bool:
        """Tell whether too many of those that ended have failed with the image."""
        failed = self.failed.get(image, 0)
        ended = failed + self.succeeded.get(image, 0)
        return failed >= _LEAST_FAILED and failed > _MOST_FAILED * ended


class Fleet:
    """Bounds how many apps roll out at a time for reasons that are not in their own spec.

    `limit` is a number, or a percentage of all apps; 0 lets all of them roll out at once.
    """

    def __init__(
        self,
        cache: Cache,
        queue: WorkQueue,
        *,
        limit: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._limit = limit
        self._clock = clock
        self._begun: dict[Key, float] = {}
        self._turns: dict[Key, float] = {}
        self._stopped: dict[Key, str] = {}
        self._failed_images: set[str] = set()
        self._state: FleetState | None = None
        self._looked_at = 0.0

    @property
    def has_limit(self) -> bool:
        """Whether any app ever waits."""
        return self._limit != "0"

    def waits_for(self, observed: Observed) -> str:
        """Say what keeps an app's rollout from beginning now; empty where nothing does."""
        if not self.has_limit or not is_fleet_rollout(observed) or observed.release is None:
            return ""
        state, key, image = self._look(), observed.app.key, observed.release.image
        rolling = state.rolling | self._begun.keys()
        if key in rolling:
            return ""
        if state.has_failed(image):
            self._stopped[key] = image
            return _stopped(state, image)
        self._stopped.pop(key, None)
        if not observed.progress.available:
            return ""  # nothing serves that waiting would keep
        waiting, free = self._waiting(state), self._free(state)
        if key in waiting[:free] or len(waiting) < free:
            self._begun[key] = self._clock()
            return ""
        before = waiting.index(key) if key in waiting else len(waiting)
        others = "1 other" if len(rolling) + before == 1 else f"{len(rolling) + before} others"
        limit = limit_of(self._limit, state.size)
        return f"{others}: at most {limit} roll out at a time, the oldest first"

    async def run(self) -> None:
        """Enqueue for ever those whose turn has come."""
        while True:
            state = self._look()
            self._log_failed(state)
            for key in self._waiting(state)[: self._free(state)]:
                self._queue.add(key, Priority.RELEASE)
            await asyncio.sleep(_LOOK_SECONDS if self._waiting(state) else _IDLE_SECONDS)

    def _free(self, state: FleetState) -> int:
        """Return how many may begin now."""
        rolling = state.rolling | self._begun.keys()
        return max(limit_of(self._limit, state.size) - len(rolling), 0)

    def _waiting(self, state: FleetState) -> list[Key]:
        """Return who waits, the oldest first, and last those who did not begin in their turn.

        Those whose image fails have no turn.
        """
        now = self._clock()
        waiting = (
            key
            for key in state.waiting
            if key not in self._begun and not state.has_failed(self._stopped.get(key, ""))
        )
        return sorted(waiting, key=lambda key: now - self._turns.get(key, now) >= _TURN_SECONDS)

    def _longest(self, key: Key) -> float:
        """Return for how long an app counts that was let begin: a write may take its time."""
        return _TURN_SECONDS if self._queue.is_under_way(key) else _BEGUN_SECONDS

    def _log_failed(self, state: FleetState) -> None:
        """Log once of each image that no more apps get it."""
        images = {image for image in state.failed if state.has_failed(image)}
        for image in sorted(images - self._failed_images):
            about = {"image": image, "failed": state.failed[image]}
            log.warning("too many rollouts fail: no more begin with this image", extra=about)
        self._failed_images = images

    def _look(self) -> FleetState:
        """Return what the statuses say, as they were a moment ago."""
        now = self._clock()
        if self._state is None or now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            self._state = fleet_state(self._cache.all(WEATHER_APP))
            waiting = set(self._state.waiting)
            self._stopped = {key: image for key, image in self._stopped.items() if key in waiting}
            self._keep_turns(self._state, waiting, now)
        return self._state

    def _keep_turns(self, state: FleetState, waiting: set[Key], now: float) -> None:
        """Note whose turn it is, and forget those that roll out.

        Who was let begin and does neither that nor wait has missed its turn.
        """
        over = {key for key, at in self._begun.items() if now - at >= self._longest(key)}
        missed = over - state.rolling - waiting
        self._begun = {
            key: at for key, at in self._begun.items() if key not in state.rolling | over
        }
        self._turns = {
            key: at - _TURN_SECONDS if key in missed else at
            for key, at in self._turns.items()
            if key not in state.rolling and (key in waiting or now - at < _MISSED_SECONDS)
        }
        for key in (*self._begun, *self._waiting(state)[: self._free(state)]):
            self._turns.setdefault(key, now)


def is_fleet_rollout(observed: Observed) -> bool:
    """Tell whether the app would begin a rollout that its spec does not ask for.

    Another version is what its spec asks for, also where that had to wait for something, unless it
    has failed here just before. So is what `is_spec_change_pending` tells of. How many pods there
    are makes no rollout: somebody scales, some are lost, or the Deployment is deleted. Nor does
    what waits for its window or its image: its turn comes after that.
    """
    app, release, live = observed.app, observed.release, served(observed)
    if live is None or release is None:
        return False
    if release.version not in (live.version, _failed_version(_last_end(app.status))):
        return False
    if observed.is_digest_pending or app.suspend or app.rollout.paused:
        return False
    if closed(app.rollout.windows, observed.now) or not observed.progress.desired:
        return False
    if trial_before(app.status) or _rolls(observed):
        return False  # it has begun
    desired = revision_in(render.pod_template(app, release))
    if desired is None or desired.revision == live.revision:
        return False
    if failure(app.status, desired.revision, attempt=0):
        return False  # what has failed here is tried again when a person asks for it, and at once
    missing = missing_image(observed, desired)
    if missing and missing.until > observed.now:
        return False
    return not is_spec_change_pending(observed)


def _rolls(observed: Observed) -> bool:
    """Tell whether pods of one revision give way to those of another."""
    rollout = rollout_state(
        observed.app, observed.live, observed.progress, now=observed.now, has_deadline=False
    )
    return rollout is not None and rollout.phase != SCALING


def _failed_version(last: Manifest) -> str | None:
    """Return the version of the rollout that ended last, None where that has not failed."""
    return last.get("version") if last.get("outcome") == ROLLED_BACK else None


def _last_end(status: Mapping[str, Any]) -> Manifest:
    """Return the rollout that ended last, empty where none is known.

    A history that holds one alone has the last success, whatever failed since.
    """
    failed = [{**each, "outcome": ROLLED_BACK} for each in status.get("failedRevisions", ())[:1]]
    ends = [*status.get("history", ())[:1], *failed]
    return max(ends, key=lambda each: each.get("at", ""), default={})


def limit_of(limit: str, size: int) -> int:
    """Return how many may roll out at a time in a fleet of a size."""
    if limit.endswith("%"):
        return max(math.ceil(size * int(limit[:-1]) / 100), LEAST_BY_PERCENTAGE)
    return int(limit)


def fleet_state(apps: Iterable[Manifest]) -> FleetState:
    """Read the statuses of all apps.

    A rollout from a version to the same one, or to the one that failed last, is none that a user
    asked for by another version: it is the release's new image, the operator's new template, or new
    settings of the app itself. A trial is one from its first canary on until that has gone. An app
    that is being deleted rolls nothing out, however long it waits for its end. Nor does one that is
    held by a person or by its window, for which nobody else is to wait.
    """
    rolling, waiting, size = set(), [], 0
    ended: dict[str, Counter[str]] = {SUCCEEDED: Counter(), ROLLED_BACK: Counter()}
    for body in apps:
        size += 1
        if "deletionTimestamp" in body["metadata"]:
            continue
        status: Manifest = body.get("status", {})
        rollout, last = status.get("rollout", {}), _last_end(status)
        reason = condition(status, "Ready").get("reason")
        is_paused = _is_paused(body.get("spec", {})) or reason == WAITING_FOR_WINDOW
        if reason == WAITING:
            if not is_paused:
                waiting.append((body["metadata"].get("creationTimestamp", ""), key_of(body)))
        elif rollout.get("phase") == ROLLING_OUT or "strategy" in rollout:
            is_fleets = rollout.get("to") in (rollout.get("from"), _failed_version(last))
            if is_fleets and not is_paused:
                rolling.add(key_of(body))
        elif last.get("outcome") in ended and "image" in last:
            ended[last["outcome"]][last["image"]] += 1
    waiting.sort(key=lambda each: (each[0], str(each[1])))
    return FleetState(
        size=size,
        rolling=frozenset(rolling),
        waiting=tuple(key for _, key in waiting),
        succeeded=ended[SUCCEEDED],
        failed=ended[ROLLED_BACK],
    )


def _is_paused(spec: Manifest) -> bool:
    """Tell whether a person lets nothing of an app go on."""
    return bool(spec.get("suspend") or spec.get("rollout", {}).get("paused"))


def _stopped(state: FleetState, image: str) -> str:
    failed, succeeded = state.failed[image], state.succeeded.get(image, 0)
    return (
        f"a person: {failed} of {failed + succeeded} apps failed with {image}, so no more begin. "
        "Give the release another image, or have an app go on alone by a change of its spec.pod"
    )
