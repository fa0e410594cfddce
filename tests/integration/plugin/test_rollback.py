"""What `kubectl weather` changes: an app goes back, tries again, stands still, and goes on."""

import pytest
from support.deadlines import eventually
from support.operator import Site, release
from support.plugin import weather, weather_json

CRASHING = "8.4.0"
SHORT = {"progressDeadlineSeconds": 3}


@pytest.fixture
def london(site: Site) -> Site:
    """A site that serves 1.0.0."""
    site.apply(rollout=SHORT)
    site.wait_for("Serving")
    return site


def lines(site: Site, *words: str) -> list[str]:
    """What a command prints about the site."""
    return weather(site, *words).splitlines()


def wait_for_colour(site: Site, colour: str) -> None:
    """Return when the tree has pods of this colour alone: others end a moment after it serves."""

    def colours() -> set[str]:
        deployment = weather_json(site, "tree", "london")["deployment"]
        return {pod["colour"] for each in deployment["replica_sets"] for pod in each["pods"]}

    eventually(lambda: colours() == {colour})


def test_a_site_goes_back_to_the_colour_before_and_forward_to_a_version(london: Site) -> None:
    london.apply(colour="green", rollout=SHORT)
    london.wait_for("Serving")
    assert [each["version"] for each in weather_json(london, "history", "london")] == [
        "2.0.0",
        "1.0.0",
    ]
    assert lines(london, "rollback", "london") == [
        "london goes back to 1.0.0 (yellow).",
        "Next:",
        f"  kubectl weather tree london --watch --namespace={london.namespace}",
    ]
    assert london.get()["spec"]["colour"] == "yellow"
    london.wait_for("Serving")
    wait_for_colour(london, "yellow")
    assert weather_json(london, "rollback", "london", "--to=2.0.0")["spec"] == {"colour": "green"}
    london.wait_for("Serving")
    managed = london.kubectl("get", "weatherapp/london", "--show-managed-fields", "-o", "yaml")
    assert "manager: kubectl-weather" in managed


def test_what_failed_is_listed_and_tried_again_and_given_up(london: Site) -> None:
    london.shell.apply(release(CRASHING, "slate", "crash:8"))
    try:
        london.apply(version=CRASHING, rollout=SHORT)
        london.wait_for("RolledBack")
        newest, *_ = lines(london, "history", "london")[1:]
        assert f"{CRASHING} slate" in newest
        assert "RolledBack" in newest
        assert "CrashLoopBackOff" in newest
        assert lines(london, "retry", "london")[0] == f"london tries {CRASHING} again, attempt 1."
        eventually(lambda: len(weather_json(london, "history", "london")) == 3)
        london.wait_for("RolledBack")
        lines(london, "rollback", "london")
        london.wait_for("Serving")
        assert london.get()["spec"]["version"] == "1.0.0"
    finally:
        london.shell.kubectl("delete", "weatherrelease", CRASHING)


def test_a_paused_site_keeps_its_colour_until_it_goes_on(london: Site) -> None:
    assert lines(london, "pause", "london")[0].startswith("london is paused")
    assert lines(london, "pause", "london")[0] == "london is paused already."
    london.apply(colour="red", rollout={**SHORT, "paused": True})
    london.wait_for("Paused")
    wait_for_colour(london, "yellow")
    assert weather_json(london, "resume", "london")["spec"] == {"rollout": {"paused": False}}
    london.wait_for("Serving")
    wait_for_colour(london, "red")
