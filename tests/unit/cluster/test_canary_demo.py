from typing import Any

import pytest
from rich.console import Console
from weather_cluster import canary_demo
from weather_cluster.canary_demo import bar, lasted, london, require_gateway, state_of, summary
from weather_cluster.demo import Answer
from weather_cluster.errors import ClusterError


def answers(**numbers: int) -> list[Answer]:
    return [
        Answer(at=float(second), colour=colour)
        for colour, number in numbers.items()
        for second in range(number)
    ]


def plain(shown: Any) -> str:
    """What reaches a pipe."""
    console = Console(width=100, force_terminal=False, no_color=True)
    with console.capture() as capture:
        console.print(shown)
    return capture.get()


def test_a_bar_shows_the_shares_without_colours_too() -> None:
    shown = plain(bar(answers(yellow=90, green=10)))
    assert shown.startswith(36 * "y" + 4 * "g" + "  ")
    assert "yellow 90.0 %, green 10.0 %" in shown
    assert "\x1b" not in shown


def test_a_share_that_is_small_is_seen_and_nobody_is_a_share() -> None:
    assert "g" in plain(bar(answers(yellow=999, green=1))).split()[0]
    assert plain(bar([Answer(at=0, colour="", error="refused")])).strip() == ""


def test_failures_are_counted_at_who_answered() -> None:
    failed = [Answer(at=0, colour="red", error="500"), Answer(at=0, colour="", error="refused")]
    lines = plain(summary([*answers(yellow=5, red=2), *failed])).splitlines()
    found = {line.split()[1]: line.split() for line in lines if "│" in line}
    assert found["1.0.0"][-2:] == ["0", "│"]
    assert found["3.0.0"][-2:] == ["1", "│"]
    assert found["nobody"][-2:] == ["1", "│"]


def test_a_version_lasts_from_its_first_answer_to_its_last() -> None:
    assert lasted(answers(yellow=9, red=4), "red") == 3
    assert lasted([], "red") == 0


def test_where_a_trial_is_takes_two_words() -> None:
    rollout = {"phase": "Analysing", "strategy": "Canary", "step": 1, "steps": 2}
    rollout["weight"] = {"desired": 10, "set": 10}
    assert state_of({"status": {"rollout": rollout}}) == ("Analysing", "step 1/2, 10 % set")
    ready = {"type": "Ready", "reason": "Serving"}
    assert state_of({"status": {"conditions": [ready]}}) == ("Serving", "")
    assert state_of({}) == ("", "")


def test_the_bad_version_has_its_fault_in_its_pods() -> None:
    assert "FAULT_ERROR_RATE" in london("red", None, FAULT_ERROR_RATE="0.05")
    assert "FAULT_ERROR_RATE" not in london("green", None)


@pytest.mark.parametrize(
    ("kinds", "classes", "is_there"),
    [
        ("", "", False),
        ("gatewayclasses.gateway.networking.k8s.io\n", "", False),
        ("gatewayclasses.gateway.networking.k8s.io\n", "gatewayclass/traefik\n", True),
    ],
)
def test_a_cluster_without_a_gateway_is_told_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, kinds: str, classes: str, is_there: bool
) -> None:
    answers = {"api-resources": kinds, "get": classes}
    monkeypatch.setattr(canary_demo, "kubectl", lambda *words: answers[words[0]])
    if is_there:
        require_gateway()
        return
    with pytest.raises(ClusterError, match="weather-cluster up --gateway"):
        require_gateway()
