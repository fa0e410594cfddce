"""From what a registry says about a release to the status that people read."""

from collections.abc import Sequence
from dataclasses import dataclass

from weather_operator.kinds import Manifest
from weather_operator.model import parse_release
from weather_operator.reference import RegistryError

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


def status(body: Manifest, finding: Finding, rivals: Sequence[str], *, now: str) -> Manifest:
    """Return the whole status of a WeatherRelease. Its digest is the first that it ever had."""
    release = parse_release(body)
    digest = release.digest or finding.digest
    value, reason, message = _judge(body, finding, rivals, digest)
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
    body: Manifest, finding: Finding, rivals: Sequence[str], digest: str | None
) -> tuple[str, str, str]:
    version, image = body["spec"]["version"], body["spec"]["image"]
    if rivals:
        message = f"version {version} is claimed by {', '.join(rivals)} too: delete all but one"
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
