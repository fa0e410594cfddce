"""What goes wrong with a wish or a pod, and how the status says so."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.deadlines import eventually
from support.kubectl import Shell
from support.operator import Site, release

Publish = Callable[..., None]


@pytest.fixture
def publish(shell: Shell) -> Iterator[Publish]:
    """Adds releases to the catalogue that are gone after the test."""
    published: list[str] = []

    def add(version: str, colour: str, image: str) -> None:
        name = f"extra-{version}-{len(published)}"
        shell.apply(release(version, colour, image, name=name))
        published.append(name)

    yield add
    for name in published:
        shell.kubectl("delete", "weatherrelease", name)


@pytest.fixture
def london(site: Site) -> Site:
    """A site that serves."""
    site.apply()
    site.wait_for("Serving")
    return site


def blocker(site: Site) -> dict[str, Any]:
    (only,) = site.status()["blockers"]
    assert isinstance(only, dict)
    return only


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"colour": "mauve"}, "colour mauve is not in the catalogue: choose one of 1.0.0 (yellow)"),
        ({"version": "9.9.9"}, "version 9.9.9 is not in the catalogue: choose one of 1.0.0"),
    ],
)
def test_an_unknown_version_is_named_and_leaves_the_children_alone(
    london: Site, wish: dict[str, str], words: str
) -> None:
    before = london.get("deployment")["metadata"]["generation"]
    london.apply(**wish, replicas=7)
    status = london.wait_for("UnknownVersion")
    assert words in blocker(london)["message"]
    assert "2.0.0 (green)" in blocker(london)["message"]
    assert (status["version"], status["ready"]) == ("1.0.0", "2/2")
    assert london.condition("Stalled")["status"] == "True"
    assert london.condition("Available")["status"] == "True"
    assert london.get("deployment")["metadata"]["generation"] == before


def test_an_unknown_version_is_rolled_out_once_it_is_published(
    london: Site, publish: Publish
) -> None:
    london.apply(colour="violet")
    london.wait_for("UnknownVersion")
    publish("4.0.0", "violet", "weather:4.0.0")
    assert london.wait_for("Serving")["version"] == "4.0.0"


def test_a_changed_image_of_a_release_is_rolled_out(site: Site, publish: Publish) -> None:
    publish("5.0.0", "teal", "weather:5.0.0")
    site.apply(colour="teal")
    site.wait_for("Serving")
    patch = json.dumps({"spec": {"image": "weather:5.0.0-rebuilt"}})
    name = "extra-5.0.0-0"
    site.shell.kubectl("patch", "weatherrelease", name, "--type=merge", "-p", patch)
    eventually(lambda: site.status().get("image") == "weather:5.0.0-rebuilt")
    assert site.wait_for("Serving")["version"] == "5.0.0"


def test_a_colour_of_two_versions_is_ambiguous(site: Site, publish: Publish) -> None:
    publish("6.0.0", "pink", "weather:6.0.0")
    publish("6.1.0", "pink", "weather:6.1.0")
    site.apply(colour="pink")
    site.wait_for("AmbiguousColour")
    assert "give the version: 6.0.0 (pink) weather:6.0.0, 6.1.0" in blocker(site)["message"]
    site.apply(version="6.1.0")
    assert site.wait_for("Serving")["version"] == "6.1.0"


def test_a_version_of_two_images_is_ambiguous(site: Site, publish: Publish) -> None:
    publish("6.2.0", "plum", "weather:6.2.0")
    publish("6.2.0", "plum", "other:6.2.0")
    site.apply(version="6.2.0")
    site.wait_for("AmbiguousVersion")


@pytest.mark.parametrize(
    ("image", "colour", "reason", "words"),
    [
        ("missing:1", "black", "ImagePullBackOff", "the registry has no image missing:1"),
        ("crash:1", "grey", "CrashLoopBackOff", "it last ended with Error, exit code 1"),
    ],
)
def test_a_bad_image_is_a_blocker_while_the_old_version_serves(
    london: Site, publish: Publish, image: str, colour: str, reason: str, words: str
) -> None:
    publish("7.0.0", colour, image)
    london.apply(colour=colour)
    status = london.wait_for("Blocked")
    found = eventually(lambda: london.blocker(reason))
    assert words in found["message"]
    assert found["object"].startswith("Pod/london-")
    assert (status["version"], status["desiredVersion"]) == ("1.0.0", "7.0.0")
    assert london.condition("Available")["status"] == "True"
    assert london.condition("Reconciling")["status"] == "True"
    since = found["since"]
    london.apply(colour=colour, replicas=3)
    eventually(lambda: london.status().get("ready") == "3/3")
    eventually(lambda: blocker(london)["since"] == since)
    london.apply(colour="yellow", replicas=2)
    assert "blockers" not in london.wait_for("Serving")


def test_a_pod_that_says_nothing_is_explained_by_its_events(site: Site, publish: Publish) -> None:
    publish("7.1.0", "beige", "broken:1")
    site.apply(colour="beige", weather={"apiKeySecretRef": {"name": "keys"}})

    def pods() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = site.shell.get("-n", site.namespace, "pods")["items"]
        return found if len(found) == 2 else []

    for pod in eventually(pods):
        warn(site, pod, 'MountVolume.SetUp failed: secret "keys" not found')
    site.wait_for("Blocked")
    found = eventually(lambda: site.blocker("FailedMount"))
    assert 'secret "keys" not found' in found["message"]


def warn(site: Site, pod: dict[str, Any], message: str) -> None:
    """Play the kubelet that cannot mount a volume."""
    names = ("name", "namespace", "uid")
    about = {name: pod["metadata"][name] for name in names}
    site.shell.apply(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": pod["metadata"]["name"], "namespace": site.namespace},
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", **about},
            "type": "Warning",
            "reason": "FailedMount",
            "message": message,
            "lastTimestamp": "2026-01-01T00:00:00Z",
        }
    )


def test_pods_that_fit_no_node_are_a_blocker(site: Site) -> None:
    site.apply(pod={"nodeSelector": {"planet": "mars"}})
    site.wait_for("Blocked")
    found = eventually(lambda: site.blocker("Unschedulable"))
    assert "0/3 nodes are available" in found["message"]
    assert site.condition("Available")["status"] == "False"


def test_a_quota_is_a_blocker_in_the_servers_words_and_lifting_it_helps(site: Site) -> None:
    site.kubectl("create", "quota", "small", "--hard=pods=1")
    # The quota refuses pods only once it has counted those that there are.
    eventually(lambda: site.get("quota", "small")["status"]["used"]["pods"] == "0")
    site.apply()
    site.wait_for("Blocked")
    assert "exceeded quota: small" in blocker(site)["message"]
    site.kubectl("delete", "quota", "small")
    # The Deployment's controller tries again in its own time.
    site.kubectl("annotate", "deploy/london", "example.com/try=again")
    site.wait_for("Serving")


def test_what_only_the_api_can_refuse_is_a_blocker_and_not_a_hot_loop(site: Site) -> None:
    # A well formed key, which the API server looks into: it names a container that is not there.
    profile = "container.apparmor.security.beta.kubernetes.io/nobody"
    site.apply(pod={"annotations": {profile: "runtime/default"}})
    site.wait_for("Blocked")
    assert "spec.template.annotations" in blocker(site)["message"]
    assert blocker(site)["object"] == "Deployment/london"
    assert site.find("service"), "what it does not hinder is made"
    site.apply()
    site.wait_for("Serving")


def test_a_first_rollout_that_is_stuck_is_said_after_the_deadline(
    site: Site, publish: Publish
) -> None:
    publish("7.2.0", "amber", "missing:1")
    site.apply(colour="amber", rollout={"progressDeadlineSeconds": 2})
    status = site.wait_for("ProgressDeadlineExceeded")
    assert site.condition("Stalled")["status"] == "True"
    assert site.condition("Reconciling")["status"] == "False"
    eventually(lambda: "ImagePullBackOff" in site.condition("Ready")["message"])
    assert "no other version that has served" in site.condition("Ready")["message"]
    assert "failedRevisions" not in status
    assert site.get("deployment")["spec"]["template"]["spec"]["containers"][0]["image"] == (
        "missing:1"
    )


def test_a_namespace_that_ends_is_left_alone(site: Site) -> None:
    site.apply()
    site.wait_for("Serving")
    site.shell.kubectl("delete", "namespace", site.namespace, "--timeout=120s")
    site.shell.kubectl("create", "namespace", site.namespace)
