"""The releases' own controller: it keeps the status of every WeatherRelease.

    wait for a change or the time → look up what is due → status → apply

It turns beside the apps' controller and knows nothing of it. `run` wakes up when a release changed,
when a lookup ended, and when the next lookup is due. A lookup runs in a task of its own, so that a
registry that does not answer holds up no other; its answer is kept until it is `_Answer.due` again,
soon where there was an error, and a status that a write failed for is tried again from it.

With the apps' reconciler it shares the `Lookups`: which releases' status says all that there is to
know for now, and which image an app waits for.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from weather_operator.kube.apply import difference
from weather_operator.kube.cache import Cache
from weather_operator.kube.client import Client
from weather_operator.kube.errors import ConflictError, RefusedError, UnavailableError
from weather_operator.kube.resources import Key, Kind, Manifest, key_of
from weather_operator.model import FIELD_MANAGER, WEATHER_RELEASE
from weather_operator.model.parsing import parse_release
from weather_operator.releases.catalogue import conflicting_releases, readable
from weather_operator.releases.digests import DigestResolver, Lookup, release_status
from weather_operator.releases.lookups import Lookups

log = logging.getLogger(__name__)

_FIRST_RETRY_SECONDS = 15.0
_REWRITE_SECONDS = 2.0


class Handler(Protocol):
    """Where it goes on from what becomes known about a release."""

    def on_event(self, kind: Kind, type_: str | None, body: Manifest) -> None:
        """Take in the release as a write of its status was answered."""

    def enqueue_for_release(self, body: Manifest) -> None:
        """Look at the apps that a release may concern."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """A lookup that ended, until it is `due` (monotonic seconds) again."""

    uid_generation: str
    lookup: Lookup
    failures: int
    due: float

    @property
    def found(self) -> bool:
        """Whether the registry has what pods are given."""
        return self.lookup.error is None and self.lookup.pinned_exists


class ReleaseController:
    """Looks the images of all releases up, every `refresh_seconds`, and writes what it found."""

    def __init__(
        self,
        client: Client,
        cache: Cache,
        handler: Handler,
        resolver: DigestResolver,
        *,
        lookups: Lookups,
        refresh_seconds: float,
        now: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the time in RFC 3339 as `now`."""
        self._client = client
        self._cache = cache
        self._handler = handler
        self._resolver = resolver
        self._lookups = lookups
        self._refresh_seconds = refresh_seconds
        self._now = now
        self._clock = clock
        self._answers: dict[str, _Answer] = {}
        self._looking_up: set[str] = set()
        self._unreadable: set[Key] = set()

    async def run(self) -> None:
        """Look up and write for ever. Nothing that a registry does ends it."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._lookups.changed.clear()
                for body in self._due():
                    self._looking_up.add(_uid(body))
                    group.create_task(self._look_up(body))
                seconds = await self._write_all()
                try:
                    async with asyncio.timeout(seconds):
                        await self._lookups.changed.wait()
                except TimeoutError:
                    pass

    def _due(self) -> list[Manifest]:
        return [body for body in self._readable() if self._seconds_left(body) <= 0]

    def _readable(self) -> list[Manifest]:
        """Return the releases that can be read; of one that cannot, the log has it once."""
        found = [body for body, _ in readable(self._cache.all(WEATHER_RELEASE))]
        unreadable = {*self._cache.keys(WEATHER_RELEASE)} - {key_of(body) for body in found}
        if unreadable and unreadable != self._unreadable:
            log.warning(
                "releases cannot be read: apply the definitions of this operator",
                extra={"releases": sorted(map(str, unreadable))},
            )
        self._unreadable = unreadable
        return found

    def _seconds_left(self, body: Manifest) -> float:
        """Return in how many seconds a release is to be looked up; one that is being, at its end.

        What was not found is due at once where an app waits for it.
        """
        if _uid(body) in self._looking_up:
            return self._refresh_seconds
        answer = self._answer(body)
        if answer is None:
            return 0
        is_asked_for = answer.uid_generation in self._lookups.asked_for
        return 0 if is_asked_for and not answer.found else answer.due - self._clock()

    def _answer(self, body: Manifest) -> _Answer | None:
        """Return the lookup that is about the release as it is now."""
        answer = self._answers.get(_uid(body))
        current = answer and answer.uid_generation == parse_release(body).uid_generation
        return answer if current else None

    async def _look_up(self, body: Manifest) -> None:
        release, before = parse_release(body), self._answers.get(_uid(body))
        if release.uid_generation in self._lookups.asked_for:
            before = None
        lookup = await self._resolver.look_up(release.image, pinned=release.digest)
        failures = before.failures + 1 if before and lookup.error else 0
        seconds = self._refresh_seconds
        if lookup.error:
            seconds = min(seconds, _FIRST_RETRY_SECONDS * 2 ** min(failures, 16))
        self._answers[_uid(body)] = _Answer(
            uid_generation=release.uid_generation,
            lookup=lookup,
            failures=failures,
            due=self._clock() + seconds,
        )
        self._looking_up.discard(_uid(body))
        self._lookups.asked_for.discard(release.uid_generation)
        self._lookups.changed.set()

    async def _write_all(self) -> float:
        """Write every status that differs; return for how many seconds nothing more is due."""
        bodies = self._readable()
        present = {_uid(body) for body in bodies}
        self._answers = {uid: each for uid, each in self._answers.items() if uid in present}
        seconds = self._refresh_seconds
        for body in bodies:
            if answer := self._answer(body):
                written = await self._write(body, answer.lookup)
                left = self._seconds_left(body) if written else _REWRITE_SECONDS
                seconds = min(seconds, left)
        return max(seconds, 0)

    async def _write(self, body: Manifest, lookup: Lookup) -> bool:
        """Write the status where it differs; return False where it has to be tried again."""
        conflicting = conflicting_releases(body, self._cache.all(WEATHER_RELEASE))
        status = release_status(body, lookup, conflicting, now=self._now())
        uid_generation = parse_release(body).uid_generation
        try:
            await self._apply(body, status)
        except (ConflictError, UnavailableError):
            return False
        except RefusedError as error:
            if uid_generation not in self._lookups.done:
                log.warning("a release's status was refused", extra={"error": error.message})
        if uid_generation not in self._lookups.done:
            self._lookups.done.add(uid_generation)
            self._handler.enqueue_for_release(body)
        return True

    async def _apply(self, body: Manifest, status: Manifest) -> None:
        manifest = {
            "apiVersion": WEATHER_RELEASE.api_version,
            "kind": WEATHER_RELEASE.name,
            "metadata": {
                "name": body["metadata"]["name"],
                "resourceVersion": body["metadata"]["resourceVersion"],
            },
            "status": status,
        }
        where = {"manager": FIELD_MANAGER, "subresource": "status"}
        if not difference(manifest, body, **where):
            return
        answer = await self._client.apply(WEATHER_RELEASE, manifest, force=True, **where)
        self._handler.on_event(WEATHER_RELEASE, "MODIFIED", answer)
        condition = status["conditions"][0]
        about = {"release": body["metadata"]["name"], "reason": condition["reason"]}
        log.info("release", extra={**about, "available": condition["status"]})


def _uid(body: Manifest) -> str:
    return str(body["metadata"]["uid"])
