"""One question to whatever registry an image names, answered in time whatever that one does."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from weather_operator.kube.resources import Manifest
from weather_operator.model import parse_release
from weather_operator.releases import ecr
from weather_operator.releases.image_reference import Reference, RegistryError, base_of, parse
from weather_operator.releases.oci import Registry

_UNKNOWN = ("RegistryUnreachable", "AccessDenied", "UnexpectedAnswer")
"""What says nothing about the nodes, which may reach more, and have passwords."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a registry said: the digest that the image has now, or why there is none.

    `kept` tells whether the digest that was rolled out is still there.
    """

    digest: str | None = None
    error: RegistryError | None = None
    kept: bool = True


def status(
    body: Manifest, finding: Finding, conflicting_releases: Sequence[str], *, now: str
) -> Manifest:
    """Return the whole status of a WeatherRelease. Its digest is the first that it ever had."""
    release = parse_release(body)
    digest = release.digest or finding.digest
    value, reason, message = _judge(body, finding, conflicting_releases, digest)
    conditions = body.get("status", {}).get("conditions", ())
    before: Manifest = next((each for each in conditions if each["type"] == "Available"), {})
    same = before.get("status") == value
    generation = body["metadata"]["generation"]
    condition = {
        "type": "Available",
        "status": value,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": before["lastTransitionTime"] if same else now,
    }
    shown = {"observedGeneration": generation, "digest": digest, "conditions": [condition]}
    return {name: given for name, given in shown.items() if given is not None}


def _judge(
    body: Manifest, finding: Finding, conflicting_releases: Sequence[str], digest: str | None
) -> tuple[str, str, str]:
    version, image = body["spec"]["version"], body["spec"]["image"]
    if conflicting_releases:
        message = f"version {version} is claimed by {', '.join(conflicting_releases)} too: delete all but one"
        return "False", "AmbiguousVersion", message
    if finding.error is None:
        if finding.digest == digest:
            return "True", "Resolved", "the registry has the image, and pods are given its digest"
        moved = f"the tag means {finding.digest} by now, and pods go on with {digest}"
        hint = f"to roll the new one out, make the image {image}@{finding.digest}"
        return str(finding.kept), "TagMoved", f"{moved}{_lost(finding)}: {hint}"
    reason, message = finding.error.reason, finding.error.message
    if digest and reason == "NotFound":
        return (
            str(finding.kept),
            "TagGone",
            f"{message}, and pods go on with {digest}{_lost(finding)}",
        )
    return "Unknown" if reason in _UNKNOWN else "False", reason, message


def _lost(finding: Finding) -> str:
    return "" if finding.kept else ", which is gone from the registry"


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
