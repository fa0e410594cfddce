"""The operator as a bundle for the Operator Lifecycle Manager, in the format registry+v1.

Its Deployment and its rights are those that the chart makes. What OLM takes no part of (priority
levels of the API server, the catalogue) is told in the description.

Format: https://olm.operatorframework.io/docs/tasks/creating-operator-bundle/
"""

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from release.about import CHART, DESCRIPTION, Release, oldest_kubernetes
from release.chart import Manifest, objects_of

PACKAGE = CHART.name
CHANNEL = "stable"
ICON = Path("plugin/src/kubectl_weather/dashboard/icon.svg")
ANNOTATIONS = {
    "operators.operatorframework.io.bundle.mediatype.v1": "registry+v1",
    "operators.operatorframework.io.bundle.manifests.v1": "manifests/",
    "operators.operatorframework.io.bundle.metadata.v1": "metadata/",
    "operators.operatorframework.io.bundle.package.v1": PACKAGE,
    "operators.operatorframework.io.bundle.channels.v1": CHANNEL,
    "operators.operatorframework.io.bundle.channel.default.v1": CHANNEL,
}
ABOUT = """\
A `WeatherApp` is a city and a version's colour. The operator makes its Deployment, Service,
disruption budget, autoscaler and route, rolls each change out without a failed request, by rolling
update, canary or blue-green, rolls back what fails, and says why something waits.

The versions that WeatherApps can ask for are WeatherReleases. The release's `releases.yaml` has
those that the project publishes: `kubectl apply -f releases.yaml`, once the operator runs.
"""


def write(release: Release, chart: Path, directory: Path) -> None:
    """Write the bundle's directories, `manifests` and `metadata`, and its Dockerfile."""
    shutil.rmtree(directory, ignore_errors=True)
    manifests, metadata = directory / "manifests", directory / "metadata"
    manifests.mkdir(parents=True)
    metadata.mkdir()
    objects = objects_of(chart)
    definitions = {file.stem: yaml.safe_load(file.read_text()) for file in Path("crds").iterdir()}
    for definition in definitions.values():
        name = f"{definition['spec']['group']}_{definition['spec']['names']['plural']}.yaml"
        _write(manifests / name, definition)
    for each in objects:
        if each["kind"] in ("Service", "PodDisruptionBudget"):
            del each["metadata"]["namespace"]
            file = f"{each['metadata']['name']}_{each['kind'].lower()}.yaml"
            _write(manifests / file, each)
    version = cluster_service_version(release, objects, list(definitions.values()))
    _write(manifests / f"{PACKAGE}.clusterserviceversion.yaml", version)
    _write(metadata / "annotations.yaml", {"annotations": ANNOTATIONS})
    (directory / "bundle.Dockerfile").write_text(_dockerfile())


def cluster_service_version(
    release: Release, objects: list[Manifest], definitions: list[Manifest]
) -> Manifest:
    """Return what OLM installs, and what it shows to people."""
    (deployment,) = (each for each in objects if each["kind"] == "Deployment")
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    image = release.reference(f"{PACKAGE}:{release.version}")

    def rights(kind: str) -> list[dict[str, Any]]:
        rules = [rule for each in objects if each["kind"] == kind for rule in each["rules"]]
        return [{"serviceAccountName": account, "rules": rules}]

    return {
        "apiVersion": "operators.coreos.com/v1alpha1",
        "kind": "ClusterServiceVersion",
        "metadata": {
            "name": f"{PACKAGE}.v{release.version}",
            "annotations": {
                "alm-examples": json.dumps(_examples(release), indent=2),
                "capabilities": "Deep Insights",
                "categories": "Application Runtime",
                "containerImage": image,
                "description": DESCRIPTION,
                "repository": release.repository,
                "support": "the project's maintainers",
            },
        },
        "spec": {
            "displayName": "Weather operator",
            "description": ABOUT,
            "version": release.version,
            "maturity": "alpha",
            "minKubeVersion": oldest_kubernetes(),
            "keywords": ["weather", "rollout", "canary", "rollback"],
            "provider": {"name": "The weather-operator project", "url": release.repository},
            "links": [{"name": "Documents", "url": f"{release.sources}/README.md"}],
            "icon": [
                {
                    "base64data": base64.b64encode(ICON.read_bytes()).decode(),
                    "mediatype": "image/svg+xml",
                }
            ],
            "installModes": [
                {"type": "OwnNamespace", "supported": False},
                {"type": "SingleNamespace", "supported": False},
                {"type": "MultiNamespace", "supported": False},
                {"type": "AllNamespaces", "supported": True},
            ],
            "customresourcedefinitions": {"owned": [_owned(each) for each in definitions]},
            "install": {
                "strategy": "deployment",
                "spec": {
                    "clusterPermissions": rights("ClusterRole"),
                    "permissions": rights("Role"),
                    "deployments": [
                        {
                            "name": deployment["metadata"]["name"],
                            "label": deployment["metadata"]["labels"],
                            "spec": deployment["spec"],
                        }
                    ],
                },
            },
            "relatedImages": [
                {"name": name.replace(":", "-"), "image": release.reference(name)}
                for name in release.digests
            ],
        },
    }


def _owned(definition: Manifest) -> dict[str, Any]:
    names, version = definition["spec"]["names"], definition["spec"]["versions"][0]
    return {
        "name": definition["metadata"]["name"],
        "version": version["name"],
        "kind": names["kind"],
        "displayName": names["kind"],
        "description": version["schema"]["openAPIV3Schema"]["description"].strip(),
    }


def _examples(release: Release) -> list[Manifest]:
    api = "weather.quantspark.io/v1"
    name = next(name for name in release.digests if not name.startswith(PACKAGE))
    version = name.partition(":")[2]
    return [
        {
            "apiVersion": api,
            "kind": "WeatherApp",
            "metadata": {"name": "london"},
            "spec": {"city": "London", "version": version},
        },
        {
            "apiVersion": api,
            "kind": "WeatherRelease",
            "metadata": {"name": version},
            "spec": {"version": version, "colour": "yellow", "image": release.reference(name)},
        },
    ]


def _dockerfile() -> str:
    labels = "".join(f"LABEL {name}={value}\n" for name, value in ANNOTATIONS.items())
    return f"FROM scratch\n{labels}COPY manifests /manifests/\nCOPY metadata /metadata/\n"


def _write(file: Path, content: Manifest) -> None:
    file.write_text(yaml.safe_dump(content, sort_keys=False, width=120))
