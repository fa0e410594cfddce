"""One question to whatever registry an image names, answered in time whatever that one does."""

import asyncio
import logging

from weather_operator import ecr
from weather_operator.availability import Finding
from weather_operator.reference import Reference, RegistryError, base_of, parse
from weather_operator.registry import Registry

log = logging.getLogger(__name__)

QUESTION_SECONDS = 10.0
"""How long a registry may take for one answer, with all the requests that this needs."""


class Registries:
    """Amazon's registries are asked through their own API, in a thread, all others over HTTP."""

    def __init__(self, registry: Registry, *, seconds: float = QUESTION_SECONDS) -> None:
        self._registry = registry
        self._seconds = seconds

    async def find(self, image: str, *, pinned: str | None) -> Finding:
        """Ask for an image and, where it is no longer what was pinned, whether that is there."""
        try:
            found = await self._ask(parse(image))
        except RegistryError as error:
            kept = error.reason != "NotFound" or await self._has(image, pinned)
            return Finding(error=error, kept=kept)
        return Finding(digest=found, kept=found == pinned or await self._has(image, pinned))

    async def _has(self, image: str, digest: str | None) -> bool:
        if digest is None:
            return True
        try:
            await self._ask(parse(f"{base_of(image)}@{digest}"))
        except RegistryError as error:
            return error.reason != "NotFound"
        return True

    async def _ask(self, reference: Reference) -> str:
        try:
            async with asyncio.timeout(self._seconds):
                if ecr.serves(reference.registry):
                    return await asyncio.to_thread(ecr.digest_of, reference)
                return await self._registry.digest_of(reference)
        except TimeoutError:
            words = f"{reference.registry} gave no answer within {self._seconds:g} s"
            raise RegistryError("RegistryUnreachable", words) from None
        except RegistryError:
            raise
        except Exception as error:
            # What a stranger's server does to our code must not take the operator away.
            log.exception("asking a registry broke", extra={"image": str(reference)})
            raise RegistryError("UnexpectedAnswer", f"{type(error).__name__}: {error}") from error
