"""No pod is restarted by what is learned about an image, whatever happens in which order."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.manifests import app_body
from weather_operator import render
from weather_operator.model import Release, WeatherApp
from weather_operator.model.parsing import parse_app
from weather_operator.releases.pinning import pinned

GREEN = Release(version="2.0.0", colour="green", image="r.example/weather:2.0.0")
RED = Release(version="3.0.0", colour="red", image="r.example/weather:3.0.0")
ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


def app(*, status: dict[str, Any] | None = None, **spec: Any) -> WeatherApp:
    return parse_app(app_body(status=status, **spec))


def live(release: Release, **spec: Any) -> dict[str, Any]:
    """The Deployment after the release, with this very image, was rolled out."""
    return render.deployment(app(**spec), release)


def image(
    app: WeatherApp, release: Release, deployment: dict[str, Any] | None, *, awaited: bool = False
) -> str | None:
    found = pinned(app, release, deployment, awaited=awaited)
    return found.image if found else None


def at(release: Release, digest: str) -> Release:
    return replace(release, image=f"{release.image}@{digest}")


KNOWN = replace(GREEN, digest=ONE)


def test_a_new_app_runs_the_digest_and_the_tag_where_there_is_none() -> None:
    assert image(app(), KNOWN, None) == f"{GREEN.image}@{ONE}"
    assert image(app(), GREEN, None) == GREEN.image


def test_only_what_would_be_rolled_out_waits_for_the_registry() -> None:
    assert image(app(), GREEN, None, awaited=True) is None
    assert image(app(), GREEN, live(RED), awaited=True) is None
    assert image(app(), GREEN, live(GREEN), awaited=True) == GREEN.image
    assert image(app(), GREEN, live(at(GREEN, ONE)), awaited=True) == f"{GREEN.image}@{ONE}"


def test_an_image_that_is_given_by_digest_is_taken_as_it_is() -> None:
    given = replace(at(GREEN, TWO), digest=ONE)
    for deployment in (None, live(GREEN), live(at(GREEN, ONE)), live(RED)):
        assert image(app(), given, deployment, awaited=True) == given.image


def test_a_digest_that_arrives_late_goes_into_the_next_template() -> None:
    running = live(GREEN)
    assert image(app(), KNOWN, running) == GREEN.image
    assert image(app(city="Paris"), KNOWN, running) == f"{GREEN.image}@{ONE}"
    assert image(app(), KNOWN, live(RED)) == f"{GREEN.image}@{ONE}"


def test_a_release_made_anew_for_a_moved_tag_restarts_nothing() -> None:
    anew = replace(GREEN, digest=TWO)
    assert image(app(), anew, live(at(GREEN, ONE))) == f"{GREEN.image}@{ONE}"
    assert image(app(city="Paris"), anew, live(at(GREEN, ONE))) == f"{GREEN.image}@{TWO}"


def test_an_image_that_somebody_put_there_by_hand_is_not_kept() -> None:
    for right in (at(GREEN, ONE), GREEN):
        for wrong in ("evil:1", f"{GREEN.image}@{TWO}", GREEN.image, f"{GREEN.image}@{ONE}"):
            edited = live(right)
            edited["spec"]["template"]["spec"]["containers"][0]["image"] = wrong
            assert image(app(), KNOWN, edited) == right.image


def test_a_failed_try_by_tag_is_not_tried_again_because_the_digest_is_known_now() -> None:
    failed = {"failedRevisions": [{"revision": render.revision(app(), GREEN)}]}
    assert image(app(status=failed), KNOWN, live(RED)) == GREEN.image


def test_the_way_back_meets_the_pods_that_still_serve() -> None:
    serving = {"history": [{"outcome": "Succeeded", "image": GREEN.image}]}
    assert image(app(status=serving), KNOWN, live(RED), awaited=True) == GREEN.image
    serving = {"history": [{"outcome": "Succeeded", "image": RED.image}]}
    assert image(app(status=serving), KNOWN, live(RED)) == f"{GREEN.image}@{ONE}"


digests = st.sampled_from([None, ONE, TWO])
releases = st.builds(replace, st.sampled_from([GREEN, RED, at(GREEN, TWO)]), digest=digests)
cities = st.sampled_from(["London", "Paris"])


@given(st.lists(st.tuples(releases, cities), max_size=8), releases, cities, st.data())
def test_what_runs_is_rendered_the_same_whatever_is_learned_later(
    past: list[tuple[Release, str]], release: Release, city: str, data: st.DataObject
) -> None:
    deployment = None
    for before, place in [*past, (release, city)]:
        chosen = pinned(app(city=place), before, deployment, awaited=False)
        assert chosen is not None
        assert chosen.image.partition("@")[0] == before.image.partition("@")[0]
        deployment = render.deployment(app(city=place), chosen)
    for digest in data.draw(st.lists(digests, min_size=1, max_size=4)):
        learned = replace(release, digest=digest)
        chosen = pinned(app(city=city), learned, deployment, awaited=data.draw(st.booleans()))
        assert chosen is not None
        assert render.deployment(app(city=city), chosen) == deployment


@pytest.mark.parametrize("digest", [None, ONE])
def test_nothing_but_the_image_of_a_release_is_touched(digest: str | None) -> None:
    release = replace(GREEN, digest=digest)
    chosen = pinned(app(), release, None, awaited=False)
    assert chosen is not None
    assert replace(chosen, image=GREEN.image) == release
