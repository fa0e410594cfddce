"""What a line of `kubectl get --output=wide` has room for."""

from collections.abc import Sequence

from weather_operator.kube.resources import Manifest

_LONGEST = 48
_DIGITS = 12


def summary(message: str, blockers: Sequence[Manifest]) -> str:
    """Return in a few words why an app waits, else the whole `message` of Ready, shortened.

    That it goes from which version to which, other columns say.
    """
    words: str = blockers[0]["message"] if blockers else message
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1].rstrip()}…"


def short_image(image: str) -> str:
    """Return an image without its registry and path, and with the beginning of its digest."""
    name, at, digest = image.rpartition("/")[2].partition("@sha256:")
    return f"{name}{at}{digest[:_DIGITS]}"
