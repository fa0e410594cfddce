"""Versions that fail on a real node, while people go on reading the page."""

import pytest
from support.deadlines import eventually
from support.http import fetch
from support.kubectl import Shell
from support.operator import Site, release
from weather_cluster.clusters import Cluster
from weather_cluster.demo import Client

SERVICE = {"type": "NodePort"}


@pytest.fixture
def london(installed: Shell, namespace: str) -> Site:
    """A yellow site at a port of the node."""
    site = Site(shell=installed, namespace=namespace)
    site.apply(service=SERVICE)
    url = site.wait_for("Serving", seconds=120)["url"]
    # The node's rules follow the pods a moment later.
    eventually(lambda: fetch(url))
    return site


def test_an_image_that_cannot_be_pulled_costs_no_request(
    london: Site, node_cluster: Cluster
) -> None:
    image = f"{node_cluster.registry}/weather:9.9.9"
    london.shell.apply(release("9.9.9", "violet", image))
    try:
        with Client(london.status()["url"]) as client:
            deadline = {"progressDeadlineSeconds": 8}
            london.apply(colour="violet", service=SERVICE, rollout=deadline)
            london.wait_for("RolledBack", seconds=180)
            served = client.sent
            eventually(lambda: client.sent > served + 50)
    finally:
        london.shell.kubectl("delete", "weatherrelease", "9.9.9")
    assert client.failures == []
    assert set(client.served) == {"yellow"}
    (failed,) = london.get()["status"]["failedRevisions"]
    # What the registry answered, not only that it is tried again.
    answers = (f"has no image {image}", "has no tag 9.9.9 of weather")
    assert any(answer in failed["reason"] for answer in answers)


def test_a_crash_after_having_been_ready_takes_no_good_pod_away(london: Site) -> None:
    crash = {"env": [{"name": "FAULT_CRASH_AFTER_SECONDS", "value": "4"}]}
    rollout = {"minReadySeconds": 8, "progressDeadlineSeconds": 15}
    with Client(london.status()["url"]) as client:
        london.apply(service=SERVICE, pod=crash, rollout=rollout)
        status = london.wait_for("RolledBack", seconds=180)
        served = client.sent
        eventually(lambda: client.sent > served + 50)
    # A pod that ends while it is ready takes along what is sent to it until the node knows, a third
    # of a second or two; without a good pod nothing would be answered.
    assert len(client.failures) < client.sent / 5
    assert status["ready"] == "2/2"
    environment = london.get("deployment")["spec"]["template"]["spec"]["containers"][0]["env"]
    assert not [each for each in environment if each["name"] == "FAULT_CRASH_AFTER_SECONDS"]


def test_a_missing_secret_is_named_and_making_it_helps(london: Site) -> None:
    weather = {"apiKeySecretRef": {"name": "openweathermap"}}
    london.apply(service=SERVICE, weather=weather)

    def named() -> bool:
        (found,) = london.status()["blockers"]
        assert found["object"].startswith("Pod/london-")
        assert 'secret "openweathermap" not found' in found["message"]
        assert "Make the Secret" in found["message"]
        return True

    london.wait_for("Blocked")
    eventually(named)
    london.kubectl("create", "secret", "generic", "openweathermap", "--from-literal=api-key=x")
    london.wait_for("Serving", seconds=180)
