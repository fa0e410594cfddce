"""The catalogue: which version is which colour and image."""

from collections.abc import Iterable, Iterator

from weather_operator.kube.resources import Manifest
from weather_operator.model import Release, WeatherApp
from weather_operator.model.parsing import UnreadableError, parse_release


class CatalogueError(Exception):
    """Not exactly one release is meant; `reason` is the word for the status."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def release_for(app: WeatherApp, catalogue: Iterable[Manifest]) -> Release:
    """Return the release that the app's version or colour names. Raises CatalogueError."""
    bodies = sorted(catalogue, key=lambda body: str(body["metadata"]["name"]))
    # Two objects that say the same are one release: the first by name.
    releases = list(dict.fromkeys(release for _, release in readable(bodies)))
    found = [release for release in releases if selects(app, release)]
    if not found:
        message = f"{_selector(app)} is not in the catalogue: {_choices(releases)}"
        raise CatalogueError("UnknownVersion", message)
    if len(found) == 1:
        return found[0]
    if len({release.version for release in found}) > 1:
        reason, hint = "AmbiguousColour", "give the version"
    else:
        reason, hint = "AmbiguousVersion", "delete all of these WeatherReleases but one"
    message = f"{_selector(app)} is several releases, {hint}: {_list(found)}"
    raise CatalogueError(reason, message)


def selects(app: WeatherApp, release: Release) -> bool:
    """Tell whether the app's version, or else its colour, is this release's."""
    selector = app.version if app.version is not None else app.colour
    return selector in (release.version, release.colour)


def conflicting_releases(body: Manifest, catalogue: Iterable[Manifest]) -> list[str]:
    """Return the names of other releases that claim this one's version for something else."""
    release = parse_release(body)
    return sorted(
        str(other["metadata"]["name"])
        for other, claimed in readable(catalogue)
        if claimed.version == release.version and claimed != release
    )


def readable(catalogue: Iterable[Manifest]) -> Iterator[tuple[Manifest, Release]]:
    """Return each release that can be read: one that cannot hinders none of the others."""
    for body in catalogue:
        try:
            yield body, parse_release(body)
        except UnreadableError:
            continue


def _selector(app: WeatherApp) -> str:
    return f"colour {app.colour}" if app.version is None else f"version {app.version}"


def _choices(releases: list[Release]) -> str:
    known = ", ".join(sorted({str(each) for each in releases}))
    return f"choose one of {known}" if known else "it is empty, add a WeatherRelease"


def _list(releases: list[Release]) -> str:
    return ", ".join(sorted(f"{each} {each.image}" for each in releases))
