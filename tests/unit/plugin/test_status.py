import json
from typing import Any

import pytest
from kubectl_weather.commands.options import Duration
from kubectl_weather.commands.status import Outcome, outcome_of, sentence
from support import objects

READY = objects.status("Serving", "2 of 2 pods serve 1.0.0", ready=True)
STALLED = objects.status("RolledBack", "1.0.0 serves", stalled=True)
WAITING = objects.status("RollingOut", "1 of 2 pods updated")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ({}, Outcome.WAITING),
        (READY, Outcome.READY),
        (STALLED, Outcome.STALLED),
        (WAITING, Outcome.WAITING),
    ],
    ids=["new", "ready", "stalled", "waiting"],
)
def test_the_outcome_is_the_exit_code(status: Any, outcome: int) -> None:
    assert outcome_of(objects.app(status=status)) == outcome


@pytest.mark.parametrize("status", [READY, STALLED], ids=["ready", "stalled"])
def test_what_is_said_of_an_older_spec_ends_no_wait(status: Any) -> None:
    app = objects.app(status=json.loads(json.dumps(status)))
    app["metadata"]["generation"] = 2
    assert outcome_of(app) is Outcome.WAITING
    assert "waiting for the operator" in sentence(app)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("500ms", 0.5)]
)
def test_a_duration_is_written_as_kubectl_takes_it(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds
