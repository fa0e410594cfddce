"""What the chart makes, judged by Helm and by checkov's rules for Kubernetes, without a cluster."""

import json
import subprocess
from pathlib import Path

import pytest
from support.kubectl import ROOT
from weather_cluster import binaries, settings
from weather_cluster.progress import silent

CHART = "charts/weather-operator"
CHECKOV = ROOT / ".venv-checkov/bin/checkov"
DIGEST = f"sha256:{'a' * 64}"
SKIPS = {
    "CKV_K8S_8": "the pod of helm test ends by itself, within seconds",
    "CKV_K8S_9": "the pod of helm test ends by itself, within seconds",
    "CKV_K8S_11": "a CPU limit would slow the one that leads; what it may take is requested",
    "CKV_K8S_21": "Helm gives the namespace, not the templates",
    "CKV_K8S_38": "the operator and the hook speak to the API server: they need their token",
    "CKV2_K8S_6": "the hook and the test live for seconds; the operator has one",
}
MODES = {
    "cluster": ("--set=monitoring.enabled=true",),
    "namespaced": ("--set=watchNamespaces={sites}",),
}


def helm(*words: str) -> subprocess.CompletedProcess[str]:
    (program,) = binaries.ensure(["helm"], settings.from_environment(), silent).values()
    return subprocess.run([program, *words], cwd=ROOT, text=True, capture_output=True)


def template(*options: str) -> subprocess.CompletedProcess[str]:
    return helm("template", "weather-operator", CHART, "--namespace=weather-system", *options)


def test_the_chart_is_well_made() -> None:
    linted = helm("lint", "--strict", CHART)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("mode", MODES)
def test_nothing_breaks_a_rule_but_for_a_reason(mode: str, tmp_path: Path) -> None:
    if not CHECKOV.exists():
        pytest.skip("there is no checkov: make setup installs it")
    made = template(
        "--set=registry=registry.example/team", f"--set=image.digest={DIGEST}", *MODES[mode]
    )
    assert made.returncode == 0, made.stderr
    (tmp_path / "manifests.yaml").write_text(made.stdout)
    scanned = subprocess.run(
        [
            *(CHECKOV, "--directory", tmp_path, "--framework=kubernetes", "--output=json"),
            *("--quiet", "--skip-download", f"--skip-check={','.join(SKIPS)}"),
        ],
        text=True,
        capture_output=True,
    )
    found = json.loads(scanned.stdout)
    broken = {
        f"{each['check_id']} {each['resource']}" for each in found["results"]["failed_checks"]
    }
    assert broken == set()
    assert found["summary"]["passed"] > 100


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("replicas=-1", "replicas"),
        ("logLevel=LOUD", "logLevel"),
        ("image.digest=latest", "digest"),
        ("watchNamespaces=all", "watchNamespaces"),
        ("refreshSeconds=soon", "refreshSeconds"),
        ("maxConcurrentRollouts=0%", "maxConcurrentRollouts"),
        ("replica=2", "replica"),
        ("networkPolicy.enabled=maybe", "enabled"),
    ],
)
def test_a_wrong_value_is_refused_with_the_fields_name(value: str, field: str) -> None:
    refused = template(f"--set={value}")
    assert refused.returncode != 0
    assert field in refused.stderr


def test_every_value_is_described() -> None:
    schema = json.loads((ROOT / CHART / "values.schema.json").read_text())
    assert [
        name for name in schema["properties"] if "description" not in schema["properties"][name]
    ] == []
