"""The application alone, called as a client would."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeAlias

from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from weather_webapp.server import make_app
from weather_webapp.settings import Settings

Client: TypeAlias = TestClient[Request, Application]
NOW = datetime(2025, 11, 23, 10, 44, 5, tzinfo=UTC)
CURL = {"User-Agent": "curl/8.14.1", "Accept": "*/*"}


@asynccontextmanager
async def browsing(
    settings: Settings, now: Callable[[], datetime] = lambda: NOW
) -> AsyncIterator[Client]:
    """Serve an application with these settings at this time."""
    async with TestClient(TestServer(make_app(settings, now=now))) as client:
        yield client
