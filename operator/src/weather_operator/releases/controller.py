"""Asks the registries what the releases' tags mean, apart from all reconciling."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from weather_operator.controller.event_handlers import Controller
from weather_operator.kube.apply import difference
from weather_operator.kube.cache import Cache
from weather_operator.kube.client import Client
from weather_operator.kube.errors import ConflictError, RefusedError, UnavailableError
from weather_operator.kube.resources import Manifest
from weather_operator.model import FIELD_MANAGER, WEATHER_RELEASE, parse_release
from weather_operator.releases import digests as availability
from weather_operator.releases.catalogue import conflicting_releases
from weather_operator.releases.digests import Finding, Registries

log = logging.getLogger(__name__)

_FIRST_RETRY_SECONDS = 15.0
_TELL_AGAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    uid_generation: str
    finding: Finding
    failures: int
    due: float


class Resolver:
    """Keeps the status of every WeatherRelease: what was found, until it is time to ask again.

    The editions in `asked` are those whose status says all that there is to know for now.
    """

    def __init__(
        self,
        client: Client,
        cache: Cache,
        controller: Controller,
        registries: Registries,
        *,
        asked: set[str],
        refresh_seconds: float,
        now: Callable[[], str],
    ) -> None:
        self._client = client
        self._cache = cache
        self._controller = controller
        self._registries = registries
        self._asked = asked
        self._refresh_seconds = refresh_seconds
        self._now = now
        self._checked: dict[str, _Checked] = {}
        self._busy: set[str] = set()

    async def run(self) -> None:
        """Ask and tell for ever. Nothing that a registry does ends it."""
        changed = self._controller.catalogue_changed
        async with asyncio.TaskGroup() as group:
            while True:
                changed.clear()
                for body in self._due():
                    self._busy.add(_uid(body))
                    group.create_task(self._check(body))
                pause = await self._tell_all()
                try:
                    async with asyncio.timeout(pause):
                        await changed.wait()
                except TimeoutError:
                    pass

    def _due(self) -> list[Manifest]:
        bodies = [
            body for body in list(self._cache.all(WEATHER_RELEASE)) if _uid(body) not in self._busy
        ]
        return [body for body in bodies if self._seconds_left(body) <= 0]

    def _seconds_left(self, body: Manifest) -> float:
        checked = self._checked.get(_uid(body))
        if checked is None or checked.uid_generation != parse_release(body).uid_generation:
            return 0
        return checked.due - time.monotonic()

    async def _check(self, body: Manifest) -> None:
        release, before = parse_release(body), self._checked.get(_uid(body))
        finding = await self._registries.find(release.image, pinned=release.digest)
        failures = before.failures + 1 if before and finding.error else 0
        diagnostics_delay = self._refresh_seconds
        if finding.error:
            diagnostics_delay = min(
                diagnostics_delay, _FIRST_RETRY_SECONDS * 2 ** min(failures, 16)
            )
        self._checked[_uid(body)] = _Checked(
            uid_generation=release.uid_generation,
            finding=finding,
            failures=failures,
            due=time.monotonic() + diagnostics_delay,
        )
        self._busy.discard(_uid(body))
        self._controller.catalogue_changed.set()

    async def _tell_all(self) -> float:
        """Write every status that is not so yet; return when to look again, in seconds."""
        bodies = list(self._cache.all(WEATHER_RELEASE))
        present = {_uid(body) for body in bodies}
        self._checked = {uid: each for uid, each in self._checked.items() if uid in present}
        pause = self._refresh_seconds
        for body in bodies:
            checked = self._checked.get(_uid(body))
            if checked and checked.uid_generation == parse_release(body).uid_generation:
                told = await self._tell(body, checked.finding)
                pause = min(pause, self._seconds_left(body) if told else _TELL_AGAIN_SECONDS)
        return max(pause, 0)

    async def _tell(self, body: Manifest, finding: Finding) -> bool:
        """Write the status; return whether that is settled."""
        shown = availability.status(
            body,
            finding,
            conflicting_releases(body, self._cache.all(WEATHER_RELEASE)),
            now=self._now(),
        )
        uid_generation = parse_release(body).uid_generation
        manifest = _status_manifest(body, shown)
        where = {"manager": FIELD_MANAGER, "subresource": "status"}
        try:
            if difference(manifest, body, **where):
                answer = await self._client.apply(WEATHER_RELEASE, manifest, force=True, **where)
                self._controller.see(WEATHER_RELEASE, "MODIFIED", answer)
                condition = shown["conditions"][0]
                about = {"release": body["metadata"]["name"], "reason": condition["reason"]}
                log.info("release", extra={**about, "available": condition["status"]})
        except (ConflictError, UnavailableError):
            return False
        except RefusedError as error:
            if uid_generation not in self._asked:
                log.warning("a release's status was refused", extra={"error": error.message})
        if uid_generation not in self._asked:
            self._asked.add(uid_generation)
            self._controller.release_changed(body)
        return True


def _status_manifest(body: Manifest, shown: Manifest) -> Manifest:
    name, version = (body["metadata"][field] for field in ("name", "resourceVersion"))
    return {
        "apiVersion": WEATHER_RELEASE.api_version,
        "kind": WEATHER_RELEASE.name,
        "metadata": {"name": name, "resourceVersion": version},
        "status": shown,
    }


def _uid(body: Manifest) -> str:
    return str(body["metadata"]["uid"])
