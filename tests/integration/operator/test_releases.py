"""What a release's tag means, asked of real registries, and what pods and people get of it."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from support.deadlines import eventually
from support.kubectl import Shell
from support.operator import Operator, Site, audited, current_status, is_write, release
from support.registry import MANIFEST, ImageRegistry, manifest_of, running_registry
from weather_cluster.clusters import Cluster

_numbers = itertools.count()
ACCOUNT, REGION = "123456789012", "eu-west-2"


@pytest.fixture(scope="module")
def registry() -> Iterator[ImageRegistry]:
    with running_registry() as registry:
        yield registry


@pytest.fixture(scope="module")
def amazon() -> Iterator[str]:
    """The address of a stand-in for Amazon's API."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def resolving(
    _operator: Operator,
    registry: ImageRegistry,
    amazon: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operator]:
    """The operator, asking registries every second, in the place of the one that asks none."""
    _operator.stop()
    environment = {
        "REFRESH_SECONDS": "1",
        "INSECURE_REGISTRIES": f"example.com:5000, {registry.host}",
        "AWS_ENDPOINT_URL_ECR": amazon,
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
    }
    log = tmp_path_factory.mktemp("resolving") / "log"
    operator = Operator(kubeconfig=_operator.kubeconfig, log=log, environment=environment)
    yield operator
    operator.stop()
    assert not [line for line in operator.lines() if "exc_info" in line], "a traceback was logged"


@pytest.fixture
def site(resolving: Operator, shell: Shell, namespace: str) -> Site:
    resolving.ensure_leading()
    return Site(shell=shell, namespace=namespace)


class Release:
    """A WeatherRelease of a version and a repository of the test's own."""

    def __init__(self, shell: Shell, host: str) -> None:
        number = next(_numbers)
        self.shell = shell
        self.version = f"50.{number}.0"
        self.repository = f"team/weather-{number}"
        self.image = f"{host}/{self.repository}:{self.version}"

    def create(self, *, image: str = "", name: str | None = None) -> None:
        colour = f"shade{'abcdefghij'[int(self.version.split('.')[1]) % 10]}"
        self.shell.apply(release(self.version, colour, image or self.image, name=name))

    def delete(self, name: str = "") -> None:
        self.shell.kubectl("delete", "weatherrelease", name or self.version)

    def status(self) -> dict[str, Any]:
        return current_status(self.shell.get("weatherrelease", self.version))

    def wait_for(self, reason: str, value: str) -> dict[str, Any]:
        def reached() -> bool:
            (condition,) = self.status().get("conditions") or [{}]
            assert (condition.get("reason"), condition.get("status")) == (reason, value)
            return True

        eventually(reached)
        return self.status()


@pytest.fixture
def version(shell: Shell, registry: ImageRegistry) -> Iterator[Release]:
    """A release that is yet to be made, of an image that is yet to be pushed."""
    made = Release(shell, registry.host)
    yield made
    shell.kubectl("delete", "weatherrelease", made.version, "second", "--ignore-not-found")


def image_of(site: Site) -> str:
    deployment = site.get("deployment")
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])


def generation_of(site: Site) -> int:
    generation: int = site.get("deployment")["metadata"]["generation"]
    return generation


def width(site: Site) -> int:
    """How many columns of a terminal an app with all that is shown of it takes."""
    return max(map(len, site.kubectl("get", "wa", site.name, "--output=wide").splitlines()))


def serve(site: Site, version: Release, **spec: Any) -> None:
    site.apply(version=version.version, **spec)
    site.wait_for("Serving")


def test_pods_run_the_digest_and_kubectl_shows_it(
    site: Site, registry: ImageRegistry, version: Release
) -> None:
    digest = registry.push(version.repository, version.version, content="one")
    # All at once, as an installation makes them.
    version.create()
    serve(site, version)
    assert image_of(site) == f"{version.image}@{digest}"
    assert site.status()["image"] == f"{version.image}@{digest}"
    assert width(site) < 200
    version.wait_for("Resolved", "True")
    header, row = site.shell.kubectl("get", "wr", version.version).splitlines()
    assert header.split() == ["NAME", "VERSION", "COLOUR", "AVAILABLE", "AGE"]
    assert len(row) < 80
    assert (row.split()[1], row.split()[3]) == (version.version, "True")
    assert digest in site.shell.kubectl("get", "wr", version.version, "--output=wide")


def test_a_registry_that_comes_back_restarts_nothing(
    site: Site, registry: ImageRegistry, version: Release
) -> None:
    digest = registry.push(version.repository, version.version, content="one")
    registry.stop()
    try:
        version.create()
        serve(site, version)
        told = version.wait_for("RegistryUnreachable", "Unknown")
    finally:
        registry.start()
    assert f"{registry.host} does not answer" in told["conditions"][0]["message"]
    assert image_of(site) == version.image
    before = generation_of(site)
    assert version.wait_for("Resolved", "True")["digest"] == digest
    site.apply(version=version.version, service={"port": 8080})
    eventually(lambda: site.get("service")["spec"]["ports"][0]["port"] == 8080)
    assert generation_of(site) == before
    site.apply(version=version.version, city="Paris")
    eventually(lambda: image_of(site) == f"{version.image}@{digest}")


def test_a_tag_that_moved_is_said_and_moves_no_pod(
    site: Site, resolving: Operator, registry: ImageRegistry, version: Release
) -> None:
    old = registry.push(version.repository, version.version, content="one")
    version.create()
    serve(site, version)
    before = generation_of(site)
    new = registry.push(version.repository, version.version, content="two")
    told = version.wait_for("TagMoved", "True")
    assert told["digest"] == old
    assert f"make the image {version.image}@{new}" in told["conditions"][0]["message"]

    resolving.kill()
    resolving.ensure_leading()
    version.shell.kubectl(
        *("patch", "weatherrelease", version.version, "--subresource=status"),
        *("--type=json", "-p", json.dumps([{"op": "remove", "path": "/status"}])),
    )
    version.wait_for("Resolved", "True")
    version.delete()
    site.wait_for("UnknownVersion")
    version.create()
    site.wait_for("Serving")
    assert version.wait_for("Resolved", "True")["digest"] == new
    assert (image_of(site), generation_of(site)) == (f"{version.image}@{old}", before)

    site.apply(version=version.version, city="Paris")
    eventually(lambda: image_of(site) == f"{version.image}@{new}")


def test_an_image_that_is_gone_is_said_and_the_apps_go_on(
    site: Site, registry: ImageRegistry, version: Release
) -> None:
    digest = registry.push(version.repository, version.version, content="one")
    version.create()
    serve(site, version)
    before = generation_of(site)
    registry.delete(version.repository, digest)
    told = version.wait_for("TagGone", "False")
    assert "is gone from the registry" in told["conditions"][0]["message"]
    assert site.wait_for("Serving")
    assert generation_of(site) == before


def test_a_tag_that_never_was_is_said_and_rolled_out_all_the_same(
    site: Site, version: Release
) -> None:
    version.create()
    serve(site, version)  # kwok pulls nothing
    told = version.wait_for("NotFound", "False")
    assert f"has no tag {version.version} of {version.repository}" in str(told)
    assert image_of(site) == version.image


def test_a_rollout_waits_for_a_tag_that_is_on_its_way(
    site: Site, registry: ImageRegistry, version: Release
) -> None:
    site.apply(colour="yellow")
    site.wait_for("Serving")
    version.create()
    version.wait_for("NotFound", "False")
    site.apply(version=version.version)
    waiting = site.wait_for("WaitingForImage")
    (blocker,) = waiting["blockers"]
    assert f"has no tag {version.version} of {version.repository}" in blocker["message"]
    assert blocker["object"] == f"WeatherRelease/{version.version}"
    assert width(site) < 200
    assert image_of(site) == "weather:1.0.0"
    digest = registry.push(version.repository, version.version, content="one")
    assert site.wait_for("Serving")["version"] == version.version
    assert image_of(site) == f"{version.image}@{digest}"


def test_a_version_that_two_releases_claim_is_said_and_harms_nobody(
    site: Site, registry: ImageRegistry, version: Release
) -> None:
    registry.push(version.repository, version.version, content="one")
    version.create()
    serve(site, version)
    before = generation_of(site)
    version.create(image=f"{registry.host}/other:1", name="second")
    told = version.wait_for("AmbiguousVersion", "False")
    assert "is claimed by second too: delete all but one" in told["conditions"][0]["message"]
    site.wait_for("AmbiguousVersion")
    assert site.condition("Available")["status"] == "True"
    version.delete("second")
    site.wait_for("Serving")
    version.wait_for("Resolved", "True")
    assert generation_of(site) == before


def test_a_digest_in_the_release_is_what_pods_run(
    site: Site, registry: ImageRegistry, version: Release
) -> None:
    digest = registry.push(version.repository, "another", content="one")
    version.create(image=f"{version.image}@{digest}")
    serve(site, version)
    assert image_of(site) == f"{version.image}@{digest}"
    assert version.wait_for("Resolved", "True")["digest"] == digest


def test_another_image_in_the_release_is_a_rollout(
    site: Site, registry: ImageRegistry, version: Release
) -> None:
    registry.push(version.repository, version.version, content="one")
    version.create()
    serve(site, version)
    digest = registry.push(version.repository, "rebuilt", content="two")
    rebuilt = f"{registry.host}/{version.repository}:rebuilt"
    version.create(image=rebuilt)
    eventually(lambda: image_of(site) == f"{rebuilt}@{digest}")


def test_amazons_registry_is_asked_through_its_own_api(
    site: Site, shell: Shell, amazon: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = Release(shell, f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    ecr = boto3.client("ecr", region_name=REGION, endpoint_url=amazon)
    try:
        version.create()
        version.wait_for("NotFound", "False")
        ecr.create_repository(repositoryName=version.repository)
        document = manifest_of("one")
        ecr.put_image(
            repositoryName=version.repository,
            imageManifest=document.decode(),
            imageManifestMediaType=MANIFEST,
            imageTag=version.version,
        )
        (image,) = ecr.describe_images(repositoryName=version.repository)["imageDetails"]
        assert version.wait_for("Resolved", "True")["digest"] == image["imageDigest"]
        serve(site, version)
        assert image_of(site) == f"{version.image}@{image['imageDigest']}"
    finally:
        version.delete()


def test_asking_again_and_again_writes_nothing(
    site: Site,
    resolving: Operator,
    registry: ImageRegistry,
    version: Release,
    control_plane: Cluster,
) -> None:
    registry.push(version.repository, version.version, content="one")
    version.create()
    serve(site, version)
    version.wait_for("Resolved", "True")
    since = control_plane.audit_log.stat().st_size

    def renewed() -> bool:
        events = list(audited(control_plane.audit_log, since=since))
        return len([each for each in events if each["objectRef"]["resource"] == "leases"]) >= 3

    eventually(renewed)
    events = audited(control_plane.audit_log, since=since)
    written = [each["objectRef"] for each in events if is_write(each)]
    # Of others the registry cannot be reached, in words that may be others each time.
    ours = [each for each in written if each.get("name") == version.version]
    assert not [each for each in ours if each["resource"] == "weatherreleases"]


def test_an_operator_of_some_namespaces_leaves_the_releases_alone(
    site: Site, resolving: Operator, registry: ImageRegistry, version: Release, tmp_path: Path
) -> None:
    resolving.stop()
    registry.push(version.repository, version.version, content="one")
    version.create()
    environment = {**resolving.environment, "WATCH_NAMESPACES": site.namespace}
    operator = Operator(
        kubeconfig=resolving.kubeconfig, log=tmp_path / "log", environment=environment
    )
    try:
        operator.ensure_leading()
        serve(site, version)
    finally:
        operator.stop()
    assert image_of(site) == version.image
    assert version.status() == {}
