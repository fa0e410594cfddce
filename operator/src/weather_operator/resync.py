"""Lists of everything: at the start, when due, and when a watch may have missed something."""

import asyncio
import logging
import random

from weather_operator.api import Api
from weather_operator.controller import Controller
from weather_operator.errors import ApiError, RefusedError
from weather_operator.kinds import CHILDREN, WATCHED, WEATHER_APP, WEATHER_RELEASE, Kind
from weather_operator.render import MANAGED_BY
from weather_operator.settings import Settings
from weather_operator.store import Store

log = logging.getLogger(__name__)

CHILD_SELECTOR = ",".join(f"{name}={value}" for name, value in MANAGED_BY.items())

ESSENTIAL = (WEATHER_APP, WEATHER_RELEASE)
"""The kinds without which there is nothing to do."""

_RELIST_SECONDS = 1.0


class Resync:
    """Tells the controller, as if by events, what no watch has told it."""

    def __init__(self, api: Api, store: Store, controller: Controller, settings: Settings) -> None:
        self._api = api
        self._store = store
        self._controller = controller
        self._settings = settings
        self._asked = asyncio.Event()
        self._denied: set[Kind] = set()

    async def synchronise(self) -> None:
        """List everything; what changed or is gone is seen like an event.

        Raises RefusedError when the right to read the WeatherApps or the catalogue is missing,
        UnavailableError when the API cannot answer.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for kind in WATCHED:
                    for namespace in self._namespaces(kind):
                        group.create_task(self._list(kind, namespace))
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def run(self) -> None:
        """List everything again for ever, when that is due or asked for."""
        said = ""
        while True:
            asked = await self._is_asked()
            self._asked.clear()
            try:
                await self.synchronise()
                said = ""
            except ApiError as error:
                # What no answer came to, the connection itself has said.
                if error.status and error.message != said:
                    log.warning("could not list everything", extra={"error": error.message})
                said = error.message
                self._asked.set()
            if not asked:
                self._controller.enqueue_all()

    def list_again(self) -> None:
        """List everything soon: until a watch has begun, deletions may be missed."""
        self._asked.set()

    async def _list(self, kind: Kind, namespace: str) -> None:
        labels = CHILD_SELECTOR if kind in CHILDREN else ""
        try:
            bodies, version = await self._api.list(kind, namespace=namespace, labels=labels)
        except RefusedError as error:
            if kind in ESSENTIAL:
                raise
            self._deny(kind, error)
            return
        for body in bodies:
            self._controller.see(kind, None, body)
        for body in self._store.absent(kind, bodies, namespace=namespace, resource_version=version):
            self._controller.see(kind, "DELETED", body)
        self._controller.heard(kind)
        if kind in self._denied:
            self._denied.remove(kind)
            self._controller.enqueue_all()

    def _deny(self, kind: Kind, error: RefusedError) -> None:
        """Do without a kind: the apps that need it say so in their status."""
        if error.status == 404:
            self._controller.heard(kind)  # there is nothing to be heard of
        elif kind not in self._denied:
            log.error(
                "a kind cannot be listed: grant the chart's roles", extra={"error": str(error)}
            )
        self._denied.add(kind)

    def _namespaces(self, kind: Kind) -> tuple[str, ...]:
        everywhere = not kind.namespaced or not self._settings.namespaces
        return ("",) if everywhere else self._settings.namespaces

    async def _is_asked(self) -> bool:
        """Wait until a list is asked for, and a little longer for more to ask, or is due anyway."""
        pause = self._settings.resync_seconds * (0.9 + random.random() / 5)  # noqa: S311
        try:
            async with asyncio.timeout(pause):
                await self._asked.wait()
        except TimeoutError:
            return False
        await asyncio.sleep(_RELIST_SECONDS)
        return True
