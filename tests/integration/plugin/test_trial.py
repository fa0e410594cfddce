"""A person's word about what is tried, as a real API server takes it."""

from typing import Any

import pytest
from support.operator import Operator, Site
from support.plugin import patch_trial_status, weather, weather_error, weather_json


@pytest.fixture
def tried(operator: Operator, london: Site) -> Site:
    """A site whose status says that a canary waits for a person; no operator says otherwise."""
    operator.stop()
    patch_trial_status(london, phase="AwaitingApproval")
    return london


def annotations(site: Site) -> dict[str, Any]:
    """Those of the site that a person writes."""
    found = site.get()["metadata"].get("annotations", {})
    prefix = "weather.quantspark.io/"
    return {key.removeprefix(prefix): found[key] for key in found if key.startswith(prefix)}


def test_decisions_are_written_as_annotations_and_change_no_spec(tried: Site) -> None:
    before = tried.get()
    assert "from step 1 of 2" in weather(tried, "approve", "london", "--step=1")
    weather_json(tried, "abort", "london")
    weather(tried, "promote", "london", "--revision=abc")
    assert annotations(tried) == {"approve": "abc/1", "abort": "abc", "promote": "abc"}
    after = tried.get()
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert "step 1 of 2" in weather(tried, "tree", "london")


def test_nothing_is_written_about_what_the_user_has_not_seen(tried: Site) -> None:
    where = ("-n", tried.namespace)
    message = weather_error(tried.shell, "approve", "london", "--step=2", *where)
    assert "so nothing was written" in message
    assert annotations(tried) == {}


def test_without_a_trial_there_is_nothing_to_approve(london: Site) -> None:
    for command in ("approve", "abort", "promote"):
        message = weather_error(london.shell, command, "london", "-n", london.namespace)
        assert f"london has nothing to {command}: it is Serving" in message
