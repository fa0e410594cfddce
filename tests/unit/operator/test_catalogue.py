from typing import Any

import pytest
from support.manifests import app_body
from weather_operator.model.parsing import parse_app
from weather_operator.releases.catalogue import CatalogueError, conflicting_releases, release_for


def catalogue(*releases: tuple[str, str, str]) -> list[dict[str, Any]]:
    return [
        {
            "metadata": {"name": f"r{number}", "uid": f"u{number}", "resourceVersion": "1"},
            "spec": {"version": version, "colour": colour, "image": image},
        }
        for number, (version, colour, image) in enumerate(releases)
    ]


THREE = (("1.0.0", "yellow", "w:1"), ("2.0.0", "green", "w:2"), ("3.0.0", "red", "w:3"))


def app(**spec: Any) -> Any:
    return parse_app(app_body(**{"colour": None, "version": None, **spec}))


@pytest.mark.parametrize("spec", [{"colour": "green"}, {"version": "2.0.0"}])
def test_a_release_goes_by_version_or_colour(spec: dict[str, str]) -> None:
    assert str(release_for(app(**spec), catalogue(*THREE))) == "2.0.0 (green)"


@pytest.mark.parametrize(
    ("spec", "releases", "reason", "words"),
    [
        ({"colour": "blue"}, THREE, "UnknownVersion", "choose one of 1.0.0 (yellow), 2.0.0"),
        ({"version": "4.0.0"}, (), "UnknownVersion", "it is empty, add a WeatherRelease"),
        (
            {"colour": "red"},
            (*THREE, ("3.1.0", "red", "w:4")),
            "AmbiguousColour",
            "give the version: 3.0.0 (red) w:3, 3.1.0 (red) w:4",
        ),
        (
            {"version": "1.0.0"},
            (*THREE, ("1.0.0", "yellow", "other:1")),
            "AmbiguousVersion",
            "delete all of these WeatherReleases but one",
        ),
    ],
)
def test_what_is_not_one_release_is_explained(
    spec: dict[str, str], releases: tuple[Any, ...], reason: str, words: str
) -> None:
    with pytest.raises(CatalogueError) as caught:
        release_for(app(**spec), catalogue(*releases))
    assert caught.value.reason == reason
    assert words in caught.value.message


def test_the_same_release_twice_is_one() -> None:
    found = release_for(app(version="1.0.0"), catalogue(THREE[0], THREE[0]))
    assert found.image == "w:1"


def test_a_release_that_cannot_be_read_hinders_none_of_the_others() -> None:
    broken = {"metadata": {"name": "0"}, "spec": {"version": "0.0.1"}}
    found = release_for(app(version="1.0.0"), [broken, *catalogue(*THREE)])
    assert str(found) == "1.0.0 (yellow)"
    assert conflicting_releases(catalogue(THREE[0])[0], [broken, *catalogue(*THREE)]) == []
