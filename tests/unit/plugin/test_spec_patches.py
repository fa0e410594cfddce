from typing import Any

import pytest
from kubectl_weather import spec_patches
from kubectl_weather.errors import PluginError
from support.manifests import COLOURS
from support.objects import NOW, app_with_history, ended, failure
from weather_operator.model import Release

CATALOGUE = [
    Release(version=version, colour=colour, image=f"weather:{version}")
    for version, colour in COLOURS.items()
]


def test_a_rollback_goes_to_the_newest_other_version_that_served() -> None:
    london = app_with_history(
        ended("2.0.0"), ended("3.0.0", "RolledBack"), ended("1.0.0"), colour=None, version="2.0.0"
    )
    patch = spec_patches.rollback(london, CATALOGUE, to=None)
    assert patch.spec == {"version": "1.0.0", "colour": None}
    assert patch.message == "london goes back to 1.0.0 (yellow)."


def test_after_an_automatic_rollback_the_spec_follows_to_what_serves() -> None:
    london = app_with_history(
        ended("2.0.0", "RolledBack"), ended("1.0.0"), failed=(failure("2.0.0"),), colour="green"
    )
    assert spec_patches.rollback(london, CATALOGUE, to=None).spec == {"colour": "yellow"}


def test_a_colour_that_means_several_versions_is_not_asked_for() -> None:
    catalogue = [*CATALOGUE, Release(version="1.1.0", colour="yellow", image="weather:1.1.0")]
    london = app_with_history(ended("2.0.0"), ended("1.0.0"), colour="green")
    patch = spec_patches.rollback(london, catalogue, to="1.0.0")
    assert patch.spec == {"version": "1.0.0", "colour": None}


def test_what_is_asked_for_already_is_not_written() -> None:
    assert spec_patches.rollback(app_with_history(ended("1.0.0")), CATALOGUE, to="1.0.0").spec == {}


@pytest.mark.parametrize(
    ("history", "failed", "to", "message"),
    [
        ((), (), None, "no other version has served here"),
        ((ended("1.0.0"),), (), None, "no other version has served here"),
        ((ended("2.0.0"),), (failure("2.0.0"),), None, "no other version has served here"),
        (
            (ended("2.0.0"), ended("1.0.0")),
            (),
            "3.0.0",
            "3.0.0 has not served here; what has: 2.0.0, 1",
        ),
        ((), (), "3.0.0", "what has: nothing yet"),
    ],
)
def test_there_may_be_nowhere_to_go_back_to(
    history: Any, failed: Any, to: str | None, message: str
) -> None:
    with pytest.raises(PluginError, match=message):
        spec_patches.rollback(app_with_history(*history, failed=failed), CATALOGUE, to=to)


def test_a_version_that_left_the_catalogue_is_named() -> None:
    london = app_with_history(ended("2.0.0"), ended("1.0.0"), colour="green")
    with pytest.raises(PluginError, match=r"1\.0\.0 is no longer in the catalogue"):
        spec_patches.rollback(london, CATALOGUE[1:], to=None)
    assert spec_patches.rollback(london, None, to=None).spec  # who may not read it may still try


def test_a_retry_is_an_attempt_higher_than_any_that_failed() -> None:
    london = app_with_history(failed=(failure("2.0.0", attempt=3),), rollout={"attempt": 1})
    assert spec_patches.retry(london).spec == {"rollout": {"attempt": 4}}
    with pytest.raises(PluginError, match="it is Serving, and no rollout of it has failed"):
        spec_patches.retry(app_with_history())


def test_pausing_twice_changes_nothing() -> None:
    assert spec_patches.pause(app_with_history()).spec == {"rollout": {"paused": True}}
    paused = app_with_history(rollout={"paused": True})
    assert (spec_patches.pause(paused).spec, spec_patches.resume(paused).spec) == (
        {},
        {"rollout": {"paused": False}},
    )


def test_a_version_or_a_colour_is_asked_for_in_the_place_of_the_other() -> None:
    patch = spec_patches.set_version(app_with_history(), CATALOGUE, version="2.0.0")
    assert patch.spec == {"version": "2.0.0", "colour": None}
    assert patch.message == "london asks for 2.0.0 (green)."
    patch = spec_patches.set_version(app_with_history(), CATALOGUE, colour="red")
    assert patch.spec == {"version": None, "colour": "red"}
    assert spec_patches.set_version(app_with_history(), CATALOGUE, colour="yellow").spec == {}
    assert (
        spec_patches.set_version(app_with_history(), None, colour="blue").spec["colour"] == "blue"
    )


def test_a_version_that_is_not_in_the_catalogue_or_not_the_only_one_is_refused() -> None:
    with pytest.raises(PluginError, match="cannot be blue: the catalogue has yellow, green, red"):
        spec_patches.set_version(app_with_history(), CATALOGUE, colour="blue")
    twice = [*CATALOGUE, Release(version="2.1.0", colour="green", image="weather:2.1.0")]
    with pytest.raises(PluginError, match=r"several releases are \(2\.0\.0, 2\.1\.0\): --version"):
        spec_patches.set_version(app_with_history(), twice, colour="green")


def test_a_restart_changes_the_pods_and_nothing_else() -> None:
    patch = spec_patches.restart(app_with_history(), NOW)
    assert patch.spec == {
        "pod": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T12:00:00Z"}}
    }


def test_what_an_older_definition_does_not_fill_in_has_its_default() -> None:
    london = app_with_history(failed=(failure("2.0.0", attempt=3),))
    london["status"]["conditions"] = [{"type": "Ready", "reason": "RolledBack"}]
    del london["spec"]["rollout"]
    assert spec_patches.retry(london).spec == {"rollout": {"attempt": 4}}
    assert spec_patches.pause(london).spec == {"rollout": {"paused": True}}
    assert not spec_patches.resume(london).spec
    assert spec_patches.restart(london, NOW).next == "kubectl weather tree {name} --watch"
