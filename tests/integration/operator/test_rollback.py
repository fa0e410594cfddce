"""A revision that fails: what comes back, what is remembered, and that nobody loses a pod."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from support import kubelet
from support.deadlines import eventually
from support.operator import Operator, Site, release
from support.watching import READY_ENDPOINTS, endpoints_of, wait_for_endpoints, watching

SHORT = {"progressDeadlineSeconds": 3}
BAD = {
    "8.1.0": ("cerise", "missing:8", "ImagePullBackOff"),
    "8.2.0": ("umber", "crash:8", "CrashLoopBackOff"),
    "8.3.0": ("ochre", "broken:8", "Unhealthy: it has run since"),
}


@pytest.fixture
def london(site: Site) -> Iterator[Site]:
    """A site that serves 1.0.0, and a catalogue with three versions that do not work."""
    for version, (colour, image, _) in BAD.items():
        site.shell.apply(release(version, colour, image))
    site.apply(rollout=SHORT)
    site.wait_for("Serving")
    yield site
    site.shell.kubectl("delete", "weatherrelease", *BAD)


def pods(site: Site) -> set[str]:
    return set(site.kubectl("get", "pods", "-o", "name").split())


def image(site: Site) -> str:
    template = site.get("deployment")["spec"]["template"]
    return str(template["spec"]["containers"][0]["image"])


def images_ever(site: Site) -> list[str]:
    """The image of each revision that the Deployment ever had, by its name."""
    found = site.shell.get("-n", site.namespace, "replicasets")["items"]
    return sorted(each["spec"]["template"]["spec"]["containers"][0]["image"] for each in found)


@pytest.mark.parametrize("version", BAD)
def test_a_bad_version_is_rolled_back_while_the_good_pods_serve(london: Site, version: str) -> None:
    wait_for_endpoints(london, 2)
    good = pods(london)
    with watching(london, *endpoints_of(london), show=READY_ENDPOINTS) as record:
        london.apply(version=version, rollout=SHORT)
        status = london.wait_for("RolledBack")
        assert min(line.count("true") for line in record.lines()) >= 2
    assert pods(london) >= good, "the good pods were restarted"
    assert image(london) == "weather:1.0.0"
    colour, bad_image, cause = BAD[version]
    flags = {each["type"]: each["status"] for each in status["conditions"]}
    assert flags == {
        "Ready": "False",
        "Available": "True",
        "Reconciling": "False",
        "Stalled": "True",
        "Paused": "False",
    }
    assert (status["version"], status["desiredVersion"]) == ("1.0.0", version)
    message = london.condition("Ready")["message"]
    assert cause in message
    assert "set spec.rollout.attempt to 1 to try again" in message
    (failed,) = status["failedRevisions"]
    assert (failed["version"], failed["attempt"]) == (version, 0)
    assert cause in failed["reason"]
    newest, first = status["history"]
    assert (newest["outcome"], newest["colour"], newest["image"]) == (
        "RolledBack", colour, bad_image,
    )  # fmt: skip
    assert (first["outcome"], first["version"]) == ("Succeeded", "1.0.0")
    assert 2 <= newest["seconds"] <= 60
    assert "rollout" not in status
    for reason in ("RollingBack", "RolledBack"):
        assert eventually(lambda: london.events(reason))  # noqa: B023


def test_a_failed_revision_is_not_tried_again_until_the_attempt_rises(london: Site) -> None:
    london.apply(version="8.1.0", rollout=SHORT)
    london.wait_for("RolledBack")
    london.apply(version="8.1.0", rollout=SHORT, replicas=3)
    eventually(lambda: london.status().get("ready") == "3/3")
    london.wait_for("RolledBack")
    london.apply(colour="yellow", rollout=SHORT)
    london.wait_for("Serving")
    london.apply(version="8.1.0", rollout=SHORT)
    london.wait_for("RolledBack")
    assert images_ever(london) == ["missing:8", "weather:1.0.0"]
    generation = london.get("deployment")["metadata"]["generation"]
    london.apply(version="8.1.0", rollout={**SHORT, "attempt": 1})
    eventually(lambda: _attempts(london) == [1])
    london.wait_for("RolledBack")
    assert "set spec.rollout.attempt to 2" in london.condition("Ready")["message"]
    assert london.get("deployment")["metadata"]["generation"] > generation


def _attempts(london: Site) -> list[int]:
    return [each["attempt"] for each in london.status().get("failedRevisions", ())]


def test_anything_new_in_the_template_is_a_new_try(london: Site) -> None:
    london.apply(version="8.1.0", rollout=SHORT)
    london.wait_for("RolledBack")
    mended = "weather:8.1.0-mended"
    london.shell.apply(release("8.1.0", "cerise", mended))
    status = london.wait_for("Serving")
    assert (status["version"], status["image"]) == ("8.1.0", mended)
    assert [each["outcome"] for each in status["history"]] == [
        "Succeeded", "RolledBack", "Succeeded",
    ]  # fmt: skip


def test_a_bad_setting_is_rolled_back_with_all_that_came_with_it(london: Site) -> None:
    good = set(map(_name, kubelet.pods_of(london)))
    london.apply(city="Paris", pod=kubelet.LATE, rollout=SHORT)
    (tried,) = eventually(lambda: set(map(_name, kubelet.pods_of(london))) - good)
    kubelet.waits(london, london.get("pod", tried), "CrashLoopBackOff", "back-off 40s")
    london.wait_for("RolledBack")
    template = london.get("deployment")["spec"]["template"]
    container = template["spec"]["containers"][0]
    environment = {each["name"]: each.get("value") for each in container["env"]}
    assert environment["WEATHER_CITY"] == "London"
    assert "test/ready-after" not in template["metadata"]["annotations"]
    assert "CrashLoopBackOff" in london.condition("Ready")["message"]


def _name(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["name"])


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_a_restart_in_the_middle_of_a_rollback_changes_nothing(
    london: Site, operator: Operator, ending: str
) -> None:
    london.apply(version="8.1.0", rollout=SHORT)
    eventually(lambda: london.status().get("failedRevisions"), every=0.02)
    getattr(operator, ending)()
    operator.ensure_leading()
    status = london.wait_for("RolledBack")
    assert len(status["failedRevisions"]) == 1
    assert [each["outcome"] for each in status["history"]] == ["RolledBack", "Succeeded"]
    assert images_ever(london) == ["missing:8", "weather:1.0.0"]


def test_the_return_survives_an_operator_that_was_away_at_the_deadline(
    london: Site, operator: Operator
) -> None:
    london.apply(version="8.1.0", rollout=SHORT)
    deadline = eventually(lambda: london.status().get("rollout", {}).get("deadline"))
    operator.kill()
    eventually(lambda: now() > deadline)
    operator.ensure_leading()
    # It waits for 20 s for what nodes say before it condemns anything.
    london.wait_for("RolledBack")


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_lost_status_is_no_reason_to_lose_the_way_back(london: Site) -> None:
    lost = json.dumps({"status": None})
    london.kubectl("patch", "wa/london", "--subresource=status", "--type=merge", "-p", lost)
    london.apply(version="8.1.0", rollout=SHORT)
    london.wait_for("RolledBack")
    assert image(london) == "weather:1.0.0"


def test_without_automatic_rollback_it_stays_and_a_downgrade_helps(london: Site) -> None:
    manual = {**SHORT, "autoRollback": False}
    london.apply(version="8.1.0", rollout=manual)
    status = london.wait_for("ProgressDeadlineExceeded")
    assert image(london) == "missing:8"
    assert london.condition("Available")["status"] == "True"
    assert "failedRevisions" not in status
    london.apply(colour="yellow", rollout=manual)
    london.wait_for("Serving")
    assert london.status()["history"][0]["outcome"] == "Superseded"


def break_pods(site: Site) -> None:
    """Play a node on which everything that runs turns unready."""
    for pod in site.shell.get("-n", site.namespace, "pods")["items"]:
        conditions = [
            {"type": type_, "status": "False", "reason": "ContainersNotReady"}
            for type_ in ("Ready", "ContainersReady")
        ]
        patch = json.dumps({"status": {"conditions": conditions}})
        name = pod["metadata"]["name"]
        site.kubectl("patch", "pod", name, "--subresource=status", "--type=strategic", "-p", patch)


def test_a_broken_last_good_version_is_not_returned_to(london: Site) -> None:
    break_pods(london)
    eventually(lambda: london.get("deployment")["status"].get("readyReplicas", 0) == 0)
    london.apply(version="8.1.0", rollout=SHORT)
    london.wait_for("ProgressDeadlineExceeded")
    message = london.condition("Ready")["message"]
    assert "Not rolled back: 1.0.0 (yellow) has no available pod either" in message
    assert image(london) == "missing:8"
    london.apply(colour="green", rollout=SHORT)
    assert london.wait_for("Serving")["version"] == "2.0.0"


def test_a_site_that_is_switched_off_is_ready_and_never_rolled_back(london: Site) -> None:
    london.apply(version="8.1.0", replicas=0, rollout=SHORT)
    status = london.wait_for("ScaledToZero")
    assert london.condition("Ready")["status"] == "True"
    assert "failedRevisions" not in status
    london.apply(colour="yellow", rollout=SHORT)
    london.wait_for("Serving")


def test_what_is_edited_after_a_rollback_is_put_back_too(london: Site) -> None:
    london.apply(version="8.1.0", rollout=SHORT)
    london.wait_for("RolledBack")
    london.kubectl("set", "image", "deploy/london", "web=other:1")
    eventually(lambda: image(london) == "weather:1.0.0")
    assert eventually(lambda: london.events("DriftCorrected"))
    london.kubectl("rollout", "undo", "deploy/london")
    eventually(lambda: image(london) == "weather:1.0.0")


def test_the_history_is_as_long_as_asked_and_never_without_the_last_good(london: Site) -> None:
    short = {**SHORT, "historyLimit": 1}
    for version in ("8.1.0", "8.2.0"):
        london.apply(version=version, rollout=short)
        london.wait_for("RolledBack")
        (only,) = london.status()["history"]
        assert (only["outcome"], only["version"]) == ("Succeeded", "1.0.0")
    assert len(london.status()["failedRevisions"]) == 2
    assert image(london) == "weather:1.0.0"


def test_a_suspended_site_is_not_rolled_back(london: Site) -> None:
    # Long enough that it is suspended before.
    short = {"progressDeadlineSeconds": 12}
    london.apply(version="8.1.0", rollout=short)
    deadline = eventually(lambda: london.status().get("rollout", {}).get("deadline"))
    london.apply(version="8.1.0", rollout=short, suspend=True)
    london.wait_for("Suspended")
    eventually(lambda: now() > deadline)
    assert image(london) == "missing:8"
    assert "failedRevisions" not in london.status()
    london.apply(version="8.1.0", rollout=short)
    london.wait_for("RolledBack")
