"""What kopf leaves in its tasks is not said; what our own code raises is."""

import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from kopf._cogs.clients.api import iter_jsonlines
from weather_operator.kube.errors import error_of
from weather_operator.kube.informers import mute_kopf_logs


class BrokenOff:
    """A stream that was closed while it was read, as aiohttp has it."""

    async def iter_chunked(self, _size: int) -> AsyncIterator[bytes]:
        raise RuntimeError("Connection closed.")
        yield b""


async def in_kopf() -> None:
    stream: Any = BrokenOff()
    async for _ in iter_jsonlines(stream):
        pass


async def in_ours() -> None:
    answer: Any = None
    error_of(500, answer)


@pytest.mark.parametrize(("fails", "is_said"), [(in_kopf, False), (in_ours, True)])
async def test_of_errors_in_libraries_only_ours_are_said(
    fails: Callable[[], Any], is_said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    mute_kopf_logs()
    try:
        await fails()
    except (RuntimeError, TypeError) as error:
        logging.getLogger("asyncio").error("Task exception was never retrieved", exc_info=error)
    assert bool(caplog.records) == is_said
