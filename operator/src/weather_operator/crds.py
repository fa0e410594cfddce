"""Applies the custom resource definitions, which Helm creates once and never changes.

They go forward only: an older chart, as in a rollback, finds the definitions of a newer one and
leaves them, since objects may have fields by now that its own would drop. What a newer definition
knows and an older operator does not is no harm to it.
"""

import asyncio
import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from weather_operator.kube.client import Client
from weather_operator.kube.errors import UnavailableError
from weather_operator.kube.resources import DEFINITION, Key, Manifest, key_of

log = logging.getLogger(__name__)

_MANAGER = "helm"
"""Helm's own name: under another, what is applied here would be in its way at the next install."""

_VERSION = "weather.quantspark.io/version"

_ATTEMPTS, _PAUSE_SECONDS = 150, 0.2


def read(directory: Path) -> list[Manifest]:
    """Read the definitions that lie in a directory, as JSON. Raises OSError and ValueError."""
    files = sorted(directory.glob("*.json"))
    if not files:
        raise FileNotFoundError(f"there is no *.json in {directory}")
    return [json.loads(file.read_text()) for file in files]


async def apply(client: Client, definitions: Sequence[Manifest]) -> None:
    """Apply the definitions that are no older, and wait until each is served. Raises ApiError."""
    for definition in definitions:
        key = key_of(definition)
        live = await client.get(DEFINITION, key)
        ours, theirs = _version(definition), _version(live or {})
        about = {"kind": DEFINITION.name, "object": key.name}
        if ours < theirs:
            log.warning("left as it is: it is of a newer chart", extra=about)
        else:
            await client.apply(DEFINITION, definition, manager=_MANAGER, force=True)
            log.info("applied", extra=about)
        await _wait_until_established(client, key)


def _version(definition: Manifest) -> tuple[int, ...]:
    """Return the version of the chart that a definition is of; the lowest where it has none."""
    text = definition.get("metadata", {}).get("annotations", {}).get(_VERSION, "")
    return tuple(int(number) for number in re.findall(r"\d+", text.partition("-")[0]))


async def _wait_until_established(client: Client, key: Key) -> None:
    for _ in range(_ATTEMPTS):
        if await _is_established(client, key):
            return
        await asyncio.sleep(_PAUSE_SECONDS)
    raise UnavailableError(0, "NotEstablished", f"{key} is not served in time")


async def _is_established(client: Client, key: Key) -> bool:
    live = await client.get(DEFINITION, key) or {}
    conditions = live.get("status", {}).get("conditions", ())
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)
