"""What digest a release's image has, and the status that a WeatherRelease gets from it.

A `DigestResolver` looks an image up in whatever registry it names, `oci` or `ecr`, and answers in
time whatever that one does: with a `Lookup`. `release_status` turns the lookup into the status of
the WeatherRelease: the digest is pinned by the first lookup that finds one, and the condition
Available says whether the registry still has it and what the tag means by now.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from weather_operator.kube.resources import Manifest
from weather_operator.model.parsing import parse_release
from weather_operator.releases import ecr
from weather_operator.releases.image_reference import (
    ImageReference,
    RegistryError,
    parse_image,
    without_digest,
)
from weather_operator.releases.oci import RegistryClient

log = logging.getLogger(__name__)

LOOKUP_SECONDS = 10.0
"""How long a registry may take for one digest, with all the requests that this needs."""

_UNKNOWN = ("RegistryUnreachable", "AccessDenied", "UnexpectedAnswer")
"""What says nothing about the nodes, which may reach more, and have passwords."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What a registry answered: the digest that the image has now, or why there is none.

    `pinned_exists` tells whether the digest that was pinned before is still there.
    """

    digest: str | None = None
    error: RegistryError | None = None
    pinned_exists: bool = True


class DigestResolver:
    """Looks images up: Amazon's through its own API, in a thread, all others over HTTP."""

    def __init__(self, registry: RegistryClient, *, seconds: float = LOOKUP_SECONDS) -> None:
        self._registry = registry
        self._seconds = seconds

    async def look_up(self, image: str, *, pinned: str | None) -> Lookup:
        """Find an image's digest and, where it is not the pinned one, whether that exists."""
        try:
            digest = await self._digest_of(parse_image(image))
        except RegistryError as error:
            exists = error.reason != "NotFound" or await self._exists(image, pinned)
            return Lookup(error=error, pinned_exists=exists)
        exists = digest == pinned or await self._exists(image, pinned)
        return Lookup(digest=digest, pinned_exists=exists)

    async def _exists(self, image: str, digest: str | None) -> bool:
        """Tell whether the registry has the digest, or may have it."""
        if digest is None:
            return True
        try:
            await self._digest_of(parse_image(f"{without_digest(image)}@{digest}"))
        except RegistryError as error:
            return error.reason != "NotFound"
        return True

    async def _digest_of(self, reference: ImageReference) -> str:
        try:
            async with asyncio.timeout(self._seconds):
                if ecr.is_ecr(reference.registry):
                    return await asyncio.to_thread(ecr.digest_of, reference)
                return await self._registry.digest_of(reference)
        except TimeoutError:
            message = f"{reference.registry} gave no answer within {self._seconds:g} s"
            raise RegistryError("RegistryUnreachable", message) from None
        except RegistryError:
            raise
        except Exception as error:
            # What a stranger's server does to our code must not take the operator away.
            log.exception("asking a registry broke", extra={"image": str(reference)})
            raise RegistryError("UnexpectedAnswer", f"{type(error).__name__}: {error}") from error


def release_status(
    body: Manifest, lookup: Lookup, conflicting_releases: Sequence[str], *, now: str
) -> Manifest:
    """Return the whole status of a WeatherRelease; `now` is the time in RFC 3339."""
    digest = parse_release(body).digest or lookup.digest
    value, reason, message = _availability(body, lookup, conflicting_releases, digest)
    conditions = body.get("status", {}).get("conditions", ())
    before: Manifest = next((each for each in conditions if each["type"] == "Available"), {})
    generation = body["metadata"]["generation"]
    condition = {
        "type": "Available",
        "status": value,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": (
            before["lastTransitionTime"] if before.get("status") == value else now
        ),
    }
    status = {"observedGeneration": generation, "digest": digest, "conditions": [condition]}
    return {name: value for name, value in status.items() if value is not None}


def _availability(
    body: Manifest, lookup: Lookup, conflicting_releases: Sequence[str], digest: str | None
) -> tuple[str, str, str]:
    """Return the condition's status, reason and message."""
    version, image = body["spec"]["version"], body["spec"]["image"]
    if conflicting_releases:
        others = ", ".join(conflicting_releases)
        message = f"version {version} is claimed by {others} too: delete all but one"
        return "False", "AmbiguousVersion", message
    gone = "" if lookup.pinned_exists else ", which is gone from the registry"
    if lookup.error is None:
        if lookup.digest == digest:
            return "True", "Resolved", "the registry has the image, and pods are given its digest"
        moved = f"the tag means {lookup.digest} by now, and pods go on with {digest}{gone}"
        hint = f"to roll the new one out, make the image {image}@{lookup.digest}"
        return str(lookup.pinned_exists), "TagMoved", f"{moved}: {hint}"
    reason, message = lookup.error.reason, lookup.error.message
    if digest and reason == "NotFound":
        message = f"{message}, and pods go on with {digest}{gone}"
        return str(lookup.pinned_exists), "TagGone", message
    return "Unknown" if reason in _UNKNOWN else "False", reason, message
