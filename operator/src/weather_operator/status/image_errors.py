"""Why an image cannot be pulled, in a sentence, and whether that is the image's own fault.

A kubelet repeats the image's name and every layer's words; what counts is the registry's answer. An
image that is not there is the version's fault; a registry that does not answer, refuses the nodes
or is too busy is not.
"""

import re
from dataclasses import dataclass

REASON = "ImagePullBackOff"
"""One word for a kubelet that tries and for one that waits between two tries."""

_PULLING = frozenset(
    {"ErrImagePull", REASON, "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable"}
)
INVALID_NAME = "InvalidImageName"

_PREFIX = re.compile(r'^(Back-off pulling|Failed to pull) image "[^"]*"(: ErrImagePull)?:? *')
# In this order: a registry that hides what it has says "denied" and "does not exist" in one breath.
_DENIED = re.compile("denied|unauthorized|authorization|authentication|forbidden")
_UNREACHABLE = re.compile(
    r"timeout|timed out|time-out|deadline exceeded|connection re|no such host|server misbehaving"
    r"|dial tcp|no route to host|unreachable|unavailable|\beof\b|x509|tls:"
    r"|too ?many ?requests|internal server error|bad gateway"
)
# What a node has lost, or cannot look into, of an image that the registry gave it.
_AT_THE_NODE = re.compile("content digest|content store|snapshot|failed to inspect image")
_MISSING = re.compile(
    "not ?found|(manifest|name|repository)[ _]unknown|does not exist|no match for platform"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageError:
    """What is wrong. `condemns` says that it is the image itself, `is_explained` why is known."""

    message: str
    condemns: bool = False
    is_explained: bool = True


def is_image_error(reason: str) -> bool:
    """Tell whether a container waits for its image."""
    return reason in _PULLING or reason == INVALID_NAME


def image_error(image: str, reason: str, text: str) -> ImageError:
    """Return what a kubelet's or an event's words about an image mean."""
    if reason == INVALID_NAME:
        return ImageError(message=f"{image} is not the name of an image", condemns=True)
    cause = _PREFIX.sub("", text)
    # The name of the image may itself have one of the words.
    words = re.sub(rf"\S*{re.escape(image)}\S*", "", cause).lower()
    last = cause.rpartition(": ")[2].strip(" .")
    if _DENIED.search(words):
        return ImageError(message=f"the registry does not let the nodes pull {image}: {last}")
    if _UNREACHABLE.search(words):
        return ImageError(message=f"the registry of {image} does not answer: {last}")
    if _MISSING.search(words) and not _AT_THE_NODE.search(words):
        return ImageError(message=f"the registry has no image {image}", condemns=True)
    because = f": {last}" if last else ""
    return ImageError(message=f"{image} cannot be pulled{because}", is_explained=bool(last))
