import io
from typing import Any

import pytest
from kubectl_weather import printing, trial_patches
from kubectl_weather.errors import PluginError
from kubectl_weather.lease import LeaseState
from kubectl_weather.model import site
from kubectl_weather.next_steps import next_steps
from kubectl_weather.tree import site_tree
from kubectl_weather.trial import sentences, trial_of
from kubectl_weather.trial_patches import Seen
from rich.console import Console
from support import objects

PREFIX = "weather.quantspark.io"
WEIGHT = {"desired": 10, "possible": 33, "set": 10, "observed": 9.5, "requests": 200}
CHECK = {"name": "success", "verdict": "Failed", "value": 95, "threshold": 99}


def app(phase: str = "AwaitingApproval", **rollout: Any) -> Any:
    """London, which tries 2.0.0 beside 1.0.0."""
    trial = {
        "strategy": "Canary",
        "phase": phase,
        "to": "2.0.0",
        "colour": "green",
        "revision": "abc",
        "step": 1,
        "steps": 2,
        "weight": WEIGHT,
        "setAt": objects.NOW.isoformat(),
        "startedAt": objects.NOW.isoformat(),
        "image": "weather:2.0.0",
        "analysis": [CHECK],
        **rollout,
    }
    return objects.app(status=objects.status(phase, "waits for a person", rollout=trial))


def test_an_approval_names_the_revision_and_the_step() -> None:
    patch = trial_patches.approve(app(), Seen())
    assert (patch.spec, patch.annotations) == ({}, {f"{PREFIX}/approve": "abc/1"})
    assert patch.message == "london may go on with 2.0.0 from step 1 of 2."


@pytest.mark.parametrize("what", ["abort", "promote"])
def test_other_decisions_name_the_revision(what: str) -> None:
    decide = getattr(trial_patches, what)
    assert decide(app("Analysing"), Seen()).annotations == {f"{PREFIX}/{what}": "abc"}
    with pytest.raises(PluginError, match="it is Draining already"):
        decide(app("Draining"), Seen())


def test_what_is_promoted_may_be_aborted_and_is_promoted_already() -> None:
    patch = trial_patches.abort(app("Promoting"), Seen())
    assert patch.annotations == {f"{PREFIX}/abort": "abc"}
    with pytest.raises(PluginError, match="it is Promoting already"):
        trial_patches.promote(app("Promoting"), Seen())


def test_what_was_said_of_an_earlier_trial_is_said_anew() -> None:
    again = app(earlierDecisions=[f"{PREFIX}/approve=abc/1", f"{PREFIX}/abort=abc"])
    again["metadata"]["annotations"] = {f"{PREFIX}/approve": "abc/1"}
    (said,) = trial_patches.approve(again, Seen()).annotations.values()
    assert said.startswith("abc/1@")
    again["metadata"]["annotations"] = {f"{PREFIX}/approve": said}
    assert trial_patches.approve(again, Seen()).annotations == {}
    assert trial_patches.promote(again, Seen()).annotations == {f"{PREFIX}/promote": "abc"}


def test_what_was_said_already_is_not_written_again() -> None:
    said = app()
    said["metadata"]["annotations"] = {f"{PREFIX}/approve": "abc/1"}
    assert trial_patches.approve(said, Seen()).annotations == {}


@pytest.mark.parametrize(
    ("given", "seen", "message"),
    [
        (app("Analysing"), Seen(), "waits for no approval: it is Analysing at step 1 of 2"),
        (app(), Seen(step=2), "is at step 1 of 2, so nothing was written"),
        (app(), Seen(revision="old"), "it tries revision abc"),
        (objects.app(status=objects.status("Serving", "", ready=True)), Seen(), "it is Serving"),
        (objects.app(), Seen(), "the operator has not looked at it since"),
    ],
    ids=["no stop", "other step", "other revision", "no trial", "new"],
)
def test_there_may_be_nothing_to_approve(given: Any, seen: Seen, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        trial_patches.approve(given, seen)


def test_nothing_is_decided_by_a_status_of_an_older_spec() -> None:
    changed = app()
    changed["metadata"]["generation"] = 2
    for decide in (trial_patches.approve, trial_patches.abort, trial_patches.promote):
        with pytest.raises(PluginError, match="the operator has not looked at it since"):
            decide(changed, Seen())


def test_a_tree_shows_both_tracks_the_share_and_the_checks() -> None:
    london = app()
    stable, canary = objects.deployment(london), objects.deployment(london, updated=1, available=1)
    canary["metadata"] |= {"name": "london-canary", "uid": "london-canary-uid"}
    out = io.StringIO()
    shown = site(london, [canary, stable], [], [])
    Console(file=out, width=200).print(printing.rendered(site_tree(shown, objects.NOW)))
    lines = out.getvalue().splitlines()
    assert "Deployment london  2 of 2 updated" in lines[2]
    assert lines[3] == (
        "├── Canary  ● 2.0.0 green  step 1 of 2  AwaitingApproval  "
        "10 % wanted, 33 % possible, 10 % set, 9.5 % observed of 200 requests"
    )
    assert lines[4] == "│   └── success Failed 95 (bound 99)"
    assert "Deployment london-canary  1 of 2 updated" in lines[5]


def test_an_explanation_tells_the_share_and_ends_with_a_bound_decision() -> None:
    found = trial_of(app())
    assert found
    told = list(sentences(found))
    assert told[0].startswith("2.0.0 is tried (Canary), step 1 of 2: 10 % wanted, 33 % possible")
    assert told[1] == "The check success Failed 95 (bound 99)."
    commands = next_steps(site(app(), [], [], []), [], LeaseState(is_held=True), waits=True)
    assert commands[:2] == [
        "kubectl weather approve london --revision=abc --step=1",
        "kubectl weather abort london --revision=abc",
    ]
