"""The address of a container image, and the error of whoever looks it up."""

import re
from dataclasses import dataclass

DOCKER_HUB = "docker.io"

_PART = "[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
_HOST = r"(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:)|\[[0-9A-Fa-f:]+\])"
_DIGEST = "sha256:[0-9a-f]{64}"
_IMAGE = re.compile(
    rf"(?:(?P<registry>{_HOST}(?::[0-9]{{1,5}})?)/)?(?P<repository>{_PART}(?:/{_PART})*)"
    rf"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?(?:@(?P<digest>{_DIGEST}))?"
)


class RegistryError(Exception):
    """Why there is no digest to be had; `reason` is the word for the condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """An image in a registry, which is a host and, where it has one, its port."""

    registry: str
    repository: str
    tag: str
    digest: str | None

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}:{self.tag}"


def parse_image(image: str) -> ImageReference:
    """Read an address as container runtimes do: one that names no registry is Docker Hub's.

    Raises RegistryError.
    """
    found = _IMAGE.fullmatch(image)
    if found is None:
        raise RegistryError("InvalidImage", f"{image} is not the address of an image")
    registry, repository = found["registry"] or DOCKER_HUB, found["repository"]
    if registry == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return ImageReference(
        registry=registry,
        repository=repository,
        tag=found["tag"] or "latest",
        digest=found["digest"],
    )


def is_digest(text: str) -> bool:
    """Tell whether this is a digest that container runtimes take."""
    return re.fullmatch(_DIGEST, text) is not None


def without_digest(image: str) -> str:
    """Return the address up to its digest."""
    return image.partition("@")[0]
