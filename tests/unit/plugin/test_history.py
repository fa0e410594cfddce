from typing import Any

import pytest
from kubectl_weather.commands.history import row
from kubectl_weather.history import rollouts
from support.objects import NOW, ago, app_with_history, ended, failure


def test_a_history_begins_with_what_is_under_way_and_says_why_something_failed() -> None:
    london = app_with_history(
        ended("2.0.0", "RolledBack"), ended("1.0.0"), failed=(failure("2.0.0"),), colour="green"
    )
    london["status"]["rollout"] = {
        "phase": "RollingOut",
        "to": "3.0.0",
        "revision": "r3",
        "colour": "red",
        "image": "weather:3.0.0",
        "startedAt": ago(5),
    }
    rows = [[span.text for span in row(each, NOW)] for each in rollouts(london)]
    assert rows == [
        ["r3", "■ 3.0.0 red", "RollingOut", "5s", "", ""],
        ["r2", "● 2.0.0 green", "RolledBack", "60s", "12s", "its pods crash"],
        ["r1", "▲ 1.0.0 yellow", "Succeeded", "60s", "12s", ""],
    ]


def test_a_history_that_lacks_something_or_has_something_new_is_shown_as_far_as_it_goes() -> None:
    entry = {"revision": "r1", "version": "1.0.0", "outcome": "Succeeded", "at": ago(60)}
    london = app_with_history({**entry, "approvedBy": "somebody"})
    (rollout,) = rollouts(london)
    shown = [span.text for span in row(rollout, NOW)]
    assert shown == ["r1", "◆ 1.0.0", "Succeeded", "60s", "", ""]


@pytest.mark.parametrize("half", [{"step": 1}, {"phase": "RollingOut"}])
def test_half_a_rollout_that_a_tool_restored_is_left_out(half: dict[str, Any]) -> None:
    london = app_with_history(ended("1.0.0"))
    london["status"]["rollout"] = half
    assert [each.version for each in rollouts(london)] == ["1.0.0"]
