from typing import Any

import pytest
from kubectl_weather import changes
from kubectl_weather.errors import PluginError
from kubectl_weather.records import records
from support import families
from weather_operator.model import Release

CATALOGUE = [
    Release(version=version, colour=colour, image=f"weather:{version}")
    for version, colour in families.COLOURS.items()
]


def ended(version: str, outcome: str = "Succeeded") -> dict[str, Any]:
    return {
        "revision": f"r{version[0]}",
        "version": version,
        "colour": families.COLOURS[version],
        "image": f"weather:{version}",
        "outcome": outcome,
        "at": families.ago(60),
        "seconds": 12,
    }


def failure(version: str, attempt: int = 0) -> dict[str, Any]:
    return {
        "revision": f"r{version[0]}",
        "version": version,
        "at": families.ago(60),
        "reason": "its pods crash",
        "attempt": attempt,
    }


def app(
    *history: dict[str, Any], failed: tuple[dict[str, Any], ...] = (), **spec: Any
) -> dict[str, Any]:
    reason = "RolledBack" if failed else "Serving"
    status = families.status(
        reason, "", history=list(history), failedRevisions=list(failed), desiredVersion="2.0.0"
    )
    return families.app(status=status, **spec)


def test_a_rollback_goes_to_the_newest_other_version_that_served() -> None:
    london = app(
        ended("2.0.0"), ended("3.0.0", "RolledBack"), ended("1.0.0"), colour=None, version="2.0.0"
    )
    change = changes.rollback(london, CATALOGUE, to=None)
    assert change.spec == {"version": "1.0.0", "colour": None}
    assert change.said == "london goes back to 1.0.0 (yellow)."


def test_after_an_automatic_rollback_the_spec_follows_to_what_serves() -> None:
    london = app(
        ended("2.0.0", "RolledBack"), ended("1.0.0"), failed=(failure("2.0.0"),), colour="green"
    )
    assert changes.rollback(london, CATALOGUE, to=None).spec == {"colour": "yellow"}


def test_a_colour_that_means_several_versions_is_not_asked_for() -> None:
    catalogue = [*CATALOGUE, Release(version="1.1.0", colour="yellow", image="weather:1.1.0")]
    london = app(ended("2.0.0"), ended("1.0.0"), colour="green")
    change = changes.rollback(london, catalogue, to="1.0.0")
    assert change.spec == {"version": "1.0.0", "colour": None}


def test_what_is_asked_for_already_is_not_written() -> None:
    assert changes.rollback(app(ended("1.0.0")), CATALOGUE, to="1.0.0").spec == {}


@pytest.mark.parametrize(
    ("history", "failed", "to", "words"),
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
    history: Any, failed: Any, to: str | None, words: str
) -> None:
    with pytest.raises(PluginError, match=words):
        changes.rollback(app(*history, failed=failed), CATALOGUE, to=to)


def test_a_version_that_left_the_catalogue_is_named() -> None:
    london = app(ended("2.0.0"), ended("1.0.0"), colour="green")
    with pytest.raises(PluginError, match=r"1\.0\.0 is no longer in the catalogue"):
        changes.rollback(london, CATALOGUE[1:], to=None)
    assert changes.rollback(london, None, to=None).spec  # who may not read it may still try


def test_a_retry_is_an_attempt_higher_than_any_that_failed() -> None:
    london = app(failed=(failure("2.0.0", attempt=3),), rollout={"attempt": 1})
    assert changes.retry(london).spec == {"rollout": {"attempt": 4}}
    with pytest.raises(PluginError, match="it is Serving, and no rollout of it has failed"):
        changes.retry(app())


def test_pausing_twice_changes_nothing() -> None:
    assert changes.pause(app()).spec == {"rollout": {"paused": True}}
    held = app(rollout={"paused": True})
    assert (changes.pause(held).spec, changes.resume(held).spec) == (
        {},
        {"rollout": {"paused": False}},
    )


def test_records_begin_with_what_is_under_way_and_tell_why_something_failed() -> None:
    london = app(
        ended("2.0.0", "RolledBack"), ended("1.0.0"), failed=(failure("2.0.0"),), colour="green"
    )
    london["status"]["rollout"] = {
        "phase": "RollingOut",
        "to": "3.0.0",
        "revision": "r3",
        "colour": "red",
        "image": "weather:3.0.0",
        "startedAt": families.ago(5),
    }
    rows = [[word.text for word in each.row(families.NOW)] for each in records(london)]
    assert rows == [
        ["r3", "■ 3.0.0 red", "RollingOut", "5s", "", ""],
        ["r2", "● 2.0.0 green", "RolledBack", "60s", "12s", "its pods crash"],
        ["r1", "▲ 1.0.0 yellow", "Succeeded", "60s", "12s", ""],
    ]
