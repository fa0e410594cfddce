"""The parts of the running application, each under a typed key."""

from collections.abc import Callable, Mapping
from datetime import datetime

from aiohttp import web

from weather_webapp.catalogue import Catalogue
from weather_webapp.faults import Faults
from weather_webapp.identity import Identity
from weather_webapp.kept import Kept
from weather_webapp.metrics import Metrics
from weather_webapp.pages import Pages
from weather_webapp.settings import Language, Settings
from weather_webapp.source import Report, Source


class Readiness:
    """Whether traffic is welcome: yes from the start, no once `drain` was called.

    `refusal` says why not; "" while it is. A `never` ready one is a fault injected on purpose.
    """

    def __init__(self, *, never: bool = False) -> None:
        self.refusal = "FAULT_STARTUP=never-ready" if never else ""

    def drain(self) -> None:
        """Ask for no more traffic."""
        self.refusal = "draining"


class Latest:
    """The weather that was served last."""

    report: Report | None = None


SETTINGS = web.AppKey("settings", Settings)
IDENTITY = web.AppKey("identity", Identity)
WORDS: web.AppKey[Mapping[Language, Catalogue]] = web.AppKey("words")
PAGES = web.AppKey("pages", Pages)
KEPT = web.AppKey("kept", Kept)
SOURCE = web.AppKey("source", Source)
METRICS = web.AppKey("metrics", Metrics)
LATEST = web.AppKey("latest", Latest)
FAULTS = web.AppKey("faults", Faults)
READINESS = web.AppKey("readiness", Readiness)
NOW: web.AppKey[Callable[[], datetime]] = web.AppKey("now")
