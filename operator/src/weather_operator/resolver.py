"""Asks the registries what the releases' tags mean, apart from all reconciling."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from weather_operator import availability
from weather_operator.api import Api
from weather_operator.availability import Finding
from weather_operator.controller import Controller
from weather_operator.drift import difference
from weather_operator.errors import ConflictError, RefusedError, UnavailableError
from weather_operator.kinds import WEATHER_RELEASE, Manifest
from weather_operator.model import parse_release
from weather_operator.registries import Registries
from weather_operator.releases import rivals
from weather_operator.store import FIELD_MANAGER, Store

log = logging.getLogger(__name__)

_FIRST_RETRY_SECONDS = 15.0
_TELL_AGAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    edition: str
    finding: Finding
    failures: int
    due: float


class Resolver:
    """Keeps the status of every WeatherRelease: what was found, until it is time to ask again.

    The editions in `asked` are those whose status says all that there is to know for now.
    """

    def __init__(
        self,
        api: Api,
        store: Store,
        controller: Controller,
        registries: Registries,
        *,
        asked: set[str],
        refresh_seconds: float,
        now: Callable[[], str],
    ) -> None:
        self._api = api
        self._store = store
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
        bodies = [body for body in self._store.releases() if _uid(body) not in self._busy]
        return [body for body in bodies if self._seconds_left(body) <= 0]

    def _seconds_left(self, body: Manifest) -> float:
        checked = self._checked.get(_uid(body))
        if checked is None or checked.edition != parse_release(body).edition:
            return 0
        return checked.due - time.monotonic()

    async def _check(self, body: Manifest) -> None:
        release, before = parse_release(body), self._checked.get(_uid(body))
        finding = await self._registries.find(release.image, pinned=release.digest)
        failures = before.failures + 1 if before and finding.error else 0
        patience = self._refresh_seconds
        if finding.error:
            patience = min(patience, _FIRST_RETRY_SECONDS * 2 ** min(failures, 16))
        self._checked[_uid(body)] = _Checked(
            edition=release.edition,
            finding=finding,
            failures=failures,
            due=time.monotonic() + patience,
        )
        self._busy.discard(_uid(body))
        self._controller.catalogue_changed.set()

    async def _tell_all(self) -> float:
        """Write every status that is not so yet; return when to look again, in seconds."""
        bodies = self._store.releases()
        present = {_uid(body) for body in bodies}
        self._checked = {uid: each for uid, each in self._checked.items() if uid in present}
        pause = self._refresh_seconds
        for body in bodies:
            checked = self._checked.get(_uid(body))
            if checked and checked.edition == parse_release(body).edition:
                told = await self._tell(body, checked.finding)
                pause = min(pause, self._seconds_left(body) if told else _TELL_AGAIN_SECONDS)
        return max(pause, 0)

    async def _tell(self, body: Manifest, finding: Finding) -> bool:
        """Write the status; return whether that is settled."""
        shown = availability.status(body, finding, rivals(body, self._store), now=self._now())
        edition = parse_release(body).edition
        manifest = _status_manifest(body, shown)
        where = {"manager": FIELD_MANAGER, "subresource": "status"}
        try:
            if difference(manifest, body, **where):
                answer = await self._api.apply(WEATHER_RELEASE, manifest, force=True, **where)
                self._controller.see(WEATHER_RELEASE, "MODIFIED", answer)
                condition = shown["conditions"][0]
                about = {"release": body["metadata"]["name"], "reason": condition["reason"]}
                log.info("release", extra={**about, "available": condition["status"]})
        except (ConflictError, UnavailableError):
            return False
        except RefusedError as error:
            if edition not in self._asked:
                log.warning("a release's status was refused", extra={"error": error.message})
        if edition not in self._asked:
            self._asked.add(edition)
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
