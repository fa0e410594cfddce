"""The catalogue: which version is which colour and image."""

from collections.abc import Iterable

from weather_operator.kube.resources import Manifest
from weather_operator.model import Release, WeatherApp, parse_release


class CatalogueError(Exception):
    """No one release is meant; `reason` is the word for the status."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def release_for(app: WeatherApp, catalogue: Iterable[Manifest]) -> Release:
    """Return the release that the app asks for. Raises CatalogueError."""
    bodies = sorted(catalogue, key=lambda body: str(body["metadata"]["name"]))
    # Two objects that say the same are one release: the first by name.
    releases = list(dict.fromkeys(map(parse_release, bodies)))
    asked, wish = _wish(app)
    found = [release for release in releases if asked in (release.version, release.colour)]
    if not found:
        raise CatalogueError("UnknownVersion", f"{wish} is not in the catalogue: {_all(releases)}")
    if len(found) > 1:
        versions = {release.version for release in found}
        word = "AmbiguousColour" if len(versions) > 1 else "AmbiguousVersion"
        hint = (
            "give the version"
            if len(versions) > 1
            else "delete all of these WeatherReleases but one"
        )
        raise CatalogueError(word, f"{wish} is several releases, {hint}: {_list(found)}")
    return found[0]


def conflicting_releases(body: Manifest, catalogue: Iterable[Manifest]) -> list[str]:
    """Return the names of other releases that claim this one's version for something else."""
    release = parse_release(body)
    others = ((each["metadata"]["name"], parse_release(each)) for each in catalogue)
    return sorted(
        name for name, other in others if other.version == release.version and other != release
    )


def asks_for(app: WeatherApp, release: Release) -> bool:
    """Tell whether the app names this release."""
    return _wish(app)[0] in (release.version, release.colour)


def _wish(app: WeatherApp) -> tuple[str, str]:
    if app.version is not None:
        return app.version, f"version {app.version}"
    return app.colour or "", f"colour {app.colour}"


def _all(catalogue: list[Release]) -> str:
    known = ", ".join(sorted({str(each) for each in catalogue}))
    return f"choose one of {known}" if known else "it is empty, add a WeatherRelease"


def _list(releases: list[Release]) -> str:
    return ", ".join(sorted(f"{each} {each.image}" for each in releases))
