"""What a release consists of installs without the sources, and each format's rules are kept."""

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from support.clusters import running_cluster
from support.deadlines import eventually
from support.kubectl import ROOT, Shell
from support.registry import running_registry
from weather_cluster.images import IMAGES

from release import chart, images
from release.__main__ import write_around_images
from release.about import Release, chart_version

REPOSITORY = "https://git.example/team/weather-operator"
SYSTEM = "weather-system"
DIGESTS = {
    image.name: f"sha256:{hashlib.sha256(image.name.encode()).hexdigest()}" for image in IMAGES
}
RELEASE = Release(
    version="0.1.0", registry="registry.example/team", repository=REPOSITORY, digests=DIGESTS
)
OPERATOR = f"registry.example/team/weather-operator@{DIGESTS['weather-operator:0.1.0']}"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of a release but its images."""
    directory = tmp_path_factory.mktemp("dist")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        write_around_images(RELEASE, directory)
    return directory


@pytest.fixture(scope="module")
def shell() -> Iterator[Shell]:
    """A control plane that knows nothing of weather."""
    with running_cluster("release", control_plane_only=True) as cluster:
        yield Shell.of(cluster)


def documents(file: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(file.read_text()) if each]


def made(shell: Shell) -> set[tuple[str, str]]:
    """The objects of an installation, by kind and name."""
    kinds = "deployment,service,serviceaccount,role,rolebinding,networkpolicy,poddisruptionbudget"
    shared = "clusterrole,clusterrolebinding,flowschema,prioritylevelconfiguration,weatherrelease"
    own = "-lapp.kubernetes.io/name=weather-operator"
    listed = shell.get(kinds, own, "-n", SYSTEM)["items"] + shell.get(shared, own)["items"]
    return {(each["kind"], each["metadata"]["name"]) for each in listed}


def check_installed(shell: Shell) -> None:
    """The operator's pods are those of the released image, and the catalogue has its digests."""
    (deployment,) = shell.get("deployments", "-n", SYSTEM)["items"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == OPERATOR
    found = {each["spec"]["image"] for each in shell.get("weatherreleases")["items"]}
    assert found == {RELEASE.reference(name) for name in DIGESTS if name.startswith("weather:")}


def test_plain_manifests_and_the_chart_of_an_oci_registry_install_the_same(
    shell: Shell, dist: Path
) -> None:
    shell.kubectl("apply", "--server-side", "-f", str(dist / "install.yaml"))
    # It fails at once where a definition is so new that it has no conditions yet.
    established = ("kubectl", "wait", "crd", "--all", "--for=condition=Established")
    eventually(lambda: shell.run(*established).returncode == 0)
    eventually(lambda: shell.run("kubectl", "get", "weatherreleases").returncode == 0)
    shell.kubectl("apply", "--server-side", "-f", str(dist / "releases.yaml"))
    words = ("deployment/weather-operator", "--for=condition=Available", "--timeout=180s")
    shell.kubectl("wait", "-n", SYSTEM, *words)
    check_installed(shell)
    by_kubectl = made(shell)
    shell.kubectl("delete", "-f", str(dist / "releases.yaml"), "-f", str(dist / "install.yaml"))

    with running_registry() as registry:
        address = f"oci://{registry.host}/team/charts"
        archive = str(dist / f"weather-operator-{RELEASE.version}.tgz")
        helm(shell, "push", archive, address, "--plain-http")
        # Pods only seem to run here, so the hook's would never end; the definitions come of crds/.
        helm(
            shell,
            *("install", "weather-operator", f"{address}/weather-operator", "--plain-http"),
            *(f"--version={RELEASE.version}", "--namespace", SYSTEM, "--create-namespace"),
            *("--set=crds.apply=false", "--wait", "--timeout=180s"),
        )
    check_installed(shell)
    assert made(shell) == by_kubectl


def helm(shell: Shell, *words: str) -> None:
    done = shell.run(str(chart.helm()), *words)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_chart_is_whole_and_knows_its_images(dist: Path) -> None:
    with tarfile.open(dist / f"weather-operator-{RELEASE.version}.tgz") as tar:
        members = {each.name.partition("/")[2]: each for each in tar.getmembers()}
        text = {
            name: (tar.extractfile(each) or pytest.fail(name)).read().decode()
            for name, each in members.items()
            if each.isfile()
        }
    assert not [name for name, each in members.items() if each.issym() or each.islnk()]
    assert {"README.md", "LICENSE", "values.schema.json"} <= set(text)
    for definition in (ROOT / "crds").iterdir():
        assert text[f"crds/{definition.name}"] == definition.read_text()
    about = yaml.safe_load(text["Chart.yaml"])
    assert about["icon"].startswith("data:image/svg+xml;base64,")
    assert about["home"] == REPOSITORY
    named = {
        each["image"] for each in yaml.safe_load(about["annotations"]["artifacthub.io/images"])
    }
    assert named == {RELEASE.reference(name) for name in DIGESTS}
    crds = yaml.safe_load(about["annotations"]["artifacthub.io/crds"])
    assert {each["name"] for each in crds} == {
        yaml.safe_load(file.read_text())["metadata"]["name"] for file in (ROOT / "crds").iterdir()
    }


def test_checksums_are_of_every_file(dist: Path) -> None:
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=dist, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr
    listed = {line.split()[1] for line in (dist / "SHA256SUMS").read_text().splitlines()}
    files = {each.name for each in dist.iterdir() if each.is_file()}
    assert listed == files - {"SHA256SUMS"}


def test_the_plugin_is_one_file_for_any_python_and_system(dist: Path, tmp_path: Path) -> None:
    program = dist / "kubectl-weather.pyz"
    with zipfile.ZipFile(program) as packed:
        compiled = [each for each in packed.namelist() if each.endswith((".so", ".pyd"))]
    assert compiled == []
    # No package of this environment, and a home of its own, where it unpacks itself.
    run = subprocess.run(
        [sys.executable, "-I", "-S", program, "dashboard", "--kubeconfig=/nowhere"],
        env={"SHIV_ROOT": str(tmp_path), "PATH": "/nowhere"},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, "Traceback" in run.stderr) == (1, False), run.stderr
    assert "kubectl" in run.stderr


def test_krew_finds_the_archive_and_the_program_in_it(dist: Path) -> None:
    (manifest,) = documents(dist / "weather.krew.yaml")
    spec = manifest["spec"]
    assert re.fullmatch(r"v\d+\.\d+\.\d+", spec["version"])
    assert len(spec["shortDescription"]) <= 50
    assert not spec["shortDescription"].endswith(".")
    (platform,) = spec["platforms"]
    archive = dist / platform["uri"].rpartition("/")[2]
    assert platform["uri"] == f"{RELEASE.downloads}/{archive.name}"
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == platform["sha256"]
    with tarfile.open(archive) as tar:
        modes = {each.name: each.mode for each in tar.getmembers()}
    assert {each["from"] for each in platform["files"]} == set(modes)
    assert modes[platform["bin"]] & 0o111


def test_the_bundle_keeps_the_rules_of_its_format(dist: Path) -> None:
    bundle = dist / "bundle"
    (annotations,) = documents(bundle / "metadata/annotations.yaml")
    labels = dict(
        re.findall(r"^LABEL (\S+?)=(\S+)$", (bundle / "bundle.Dockerfile").read_text(), re.M)
    )
    assert annotations["annotations"] == labels
    prefix = "operators.operatorframework.io.bundle"
    assert labels[f"{prefix}.mediatype.v1"] == "registry+v1"
    assert labels[f"{prefix}.channel.default.v1"] in labels[f"{prefix}.channels.v1"].split(",")
    for part in ("manifests", "metadata"):
        assert (bundle / labels[f"{prefix}.{part}.v1"]).is_dir()
    objects = [each for file in (bundle / "manifests").iterdir() for each in documents(file)]
    (version,) = (each for each in objects if each["kind"] == "ClusterServiceVersion")
    check_version(version)
    supported = {"ClusterServiceVersion", "CustomResourceDefinition", "PodDisruptionBudget"}
    assert {each["kind"] for each in objects} <= supported | {"Service"}
    # OLM gives the namespace.
    assert not [each for each in objects if "namespace" in each["metadata"]]
    check_definitions(version, [each for each in objects if each["kind"].startswith("Custom")])


def check_version(version: dict[str, Any]) -> None:
    spec = version["spec"]
    assert version["metadata"]["name"] == f"weather-operator.v{spec['version']}"
    for number in (spec["version"], spec["minKubeVersion"]):
        assert re.fullmatch(r"\d+\.\d+\.\d+", number)
    modes = {each["type"]: each["supported"] for each in spec["installModes"]}
    assert set(modes) == {"OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces"}
    assert any(modes.values())
    install = spec["install"]
    assert install["strategy"] == "deployment"
    (deployment,) = install["spec"]["deployments"]
    template = deployment["spec"]["template"]
    wanted = deployment["spec"]["selector"]["matchLabels"].items()
    assert wanted <= template["metadata"]["labels"].items()
    for kind in ("clusterPermissions", "permissions"):
        (rights,) = install["spec"][kind]
        assert rights["serviceAccountName"] == template["spec"]["serviceAccountName"]
        assert rights["rules"]
    used = {each["image"] for each in template["spec"]["containers"]}
    assert used == {version["metadata"]["annotations"]["containerImage"]} == {OPERATOR}
    assert used <= {each["image"] for each in spec["relatedImages"]}
    assert version["metadata"]["annotations"]["capabilities"] in (
        *("Basic Install", "Seamless Upgrades", "Full Lifecycle", "Deep Insights", "Auto Pilot"),
    )


def check_definitions(version: dict[str, Any], definitions: list[dict[str, Any]]) -> None:
    owned = version["spec"]["customresourcedefinitions"]["owned"]
    assert {each["name"] for each in owned} == {each["metadata"]["name"] for each in definitions}
    examples = json.loads(version["metadata"]["annotations"]["alm-examples"])
    assert {each["kind"] for each in examples} == {each["kind"] for each in owned}
    for definition in definitions:
        kind = definition["spec"]["names"]["kind"]
        (said,) = (each for each in owned if each["kind"] == kind)
        (served,) = definition["spec"]["versions"]
        assert said["version"] == served["name"]
        assert said["description"]
        assert definition["apiVersion"] == "apiextensions.k8s.io/v1"
        for example in (each for each in examples if each["kind"] == kind):
            jsonschema.validate(example, served["schema"]["openAPIV3Schema"])


def test_the_version_is_that_of_everything() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        version = chart_version()
    assert version == RELEASE.version
    assert f"weather-operator:{version}" in {image.name for image in IMAGES}
    for part in ("operator", "plugin"):
        assert f'\nversion = "{version}"\n' in (ROOT / part / "pyproject.toml").read_text()


def test_an_image_of_another_architecture_is_another_image() -> None:
    made = [images.variant(IMAGES[0], each) for each in images.ARCHITECTURES]
    assert {each.arguments["ARCH"] for each in made} == {"amd64", "arm64"}
    assert len({each.name for each in (*made, IMAGES[0])}) == 3
