"""What the chart makes, judged by Helm and by checkov's rules for Kubernetes, without a cluster."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.kubectl import ROOT, Shell, own_namespace
from weather_cluster import binaries, settings
from weather_cluster.clusters import Cluster
from weather_cluster.progress import silent
from weather_operator.settings import from_environment

CHART = "charts/weather-operator"
CHECKOV = ROOT / ".venv-checkov/bin/checkov"
HOOK = "weather-operator-crds"
DIGEST = f"sha256:{'a' * 64}"
SKIPS = {
    "CKV_K8S_8": "the pod of helm test ends by itself, within seconds",
    "CKV_K8S_9": "the pod of helm test ends by itself, within seconds",
    "CKV_K8S_11": "a CPU limit would slow the one that leads; what it may take is requested",
    "CKV_K8S_21": "Helm gives the namespace, not the templates",
    "CKV_K8S_38": "the operator and the hook speak to the API server: they need their token",
    "CKV2_K8S_6": "the hook and the test live for seconds; the operator has one",
}
OWN_METRIC = r'weather_operator_\w+\{namespace="weather-system"[,}]'
MODES = {
    "cluster": ("--set=monitoring.enabled=true",),
    "namespaced": ("--set=watchNamespaces={sites}",),
}


def helm(*words: str) -> subprocess.CompletedProcess[str]:
    (program,) = binaries.ensure(["helm"], settings.from_environment(), silent).values()
    return subprocess.run([program, *words], cwd=ROOT, text=True, capture_output=True)


def template(*options: str) -> subprocess.CompletedProcess[str]:
    return helm("template", "weather-operator", CHART, "--namespace=weather-system", *options)


def policy_in(made: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The operator's NetworkPolicy."""
    policies = (
        each for each in yaml.safe_load_all(made.stdout) if each and each["kind"] == "NetworkPolicy"
    )
    return next(each for each in policies if each["metadata"]["name"] == "weather-operator")


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
        ("resources.limits.memory=lots", "memory"),
        ("resources.requests.cpu=-1", "cpu"),
        ("serviceAccount.name=Mine", "name"),
        ("workers=0", "workers"),
        ("prometheus.url=prometheus:9090", "url"),
        ("prometheus.url=http://user@prometheus", "url"),
        ("prometheus=null", "missing property 'prometheus'"),
    ],
)
def test_a_wrong_value_is_refused_with_the_fields_name(value: str, field: str) -> None:
    refused = template(f"--set={value}")
    assert refused.returncode != 0
    assert field in refused.stderr


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (
            "registry=https://registry.example/team",
            "leave out https://, images are named by host and path",
        ),
        (
            "releases.versions[0].version=9.0.0,releases.versions[0].colour=red,"
            "releases.versions[1].version=9.1.0,releases.versions[1].colour=red",
            "has the colour red twice",
        ),
        (
            "releases.versions[0].version=9.0.0,releases.versions[0].colour=red,"
            "releases.versions[1].version=9.0.0,releases.versions[1].colour=blue",
            "has the version 9.0.0 twice",
        ),
        (
            r"podLabels.app\.kubernetes\.io/name=mine",
            "podLabels has app.kubernetes.io/name, by which the chart finds its pods",
        ),
    ],
)
def test_what_no_schema_can_say_is_refused_in_a_sentence(value: str, sentence: str) -> None:
    refused = template(f"--set={value}")
    assert refused.returncode != 0
    assert sentence in refused.stderr


def test_the_usual_values_reach_the_operators_pods() -> None:
    made = template(
        "--set=env[0].name=HTTPS_PROXY,env[0].value=http://proxy.example:3128",
        "--set=podLabels.team=weather",
        "--set=serviceAccount.create=false,serviceAccount.name=mine",
        "--set=workers=50,resyncSeconds=60",
        "--set=topologySpreadConstraints[0].topologyKey=rack",
    )
    assert made.returncode == 0, made.stderr
    objects = [each for each in yaml.safe_load_all(made.stdout) if each]
    (deployment,) = [each for each in objects if each["kind"] == "Deployment"]
    template_ = deployment["spec"]["template"]
    spec = template_["spec"]
    environment = {each["name"]: each.get("value") for each in spec["containers"][0]["env"]}
    assert template_["metadata"]["labels"]["team"] == "weather"
    assert environment["HTTPS_PROXY"] == "http://proxy.example:3128"
    assert (environment["WORKERS"], environment["RESYNC_SECONDS"]) == ("50", "60")
    assert spec["topologySpreadConstraints"] == [{"topologyKey": "rack"}]
    assert spec["serviceAccountName"] == "mine"
    accounts = {
        subject["name"]
        for each in objects
        if each["kind"].endswith("Binding") and each["metadata"]["name"] != HOOK
        for subject in each["subjects"]
    }
    (schema,) = [each for each in objects if each["kind"] == "FlowSchema"]
    (subject,) = schema["spec"]["rules"][0]["subjects"]
    assert accounts == {"mine"} == {subject["serviceAccount"]["name"]}
    made_accounts = [each for each in objects if each["kind"] == "ServiceAccount"]
    assert [each["metadata"]["name"] for each in made_accounts] == [HOOK]


def test_the_longest_name_of_a_namespace_leaves_room_for_every_name() -> None:
    made = helm(
        "template", "one", CHART, f"--namespace={'a' * 63}", "--set=watchNamespaces={sites}"
    )
    objects = [each for each in yaml.safe_load_all(made.stdout) if each]
    # Kubernetes makes a label of the name of a Job.
    (job,) = [each for each in objects if each["kind"] == "Job"]
    assert len(job["metadata"]["name"]) <= 63


@pytest.mark.parametrize(
    ("values", "ports"),
    [
        ("registry=registry.example:5000/team", [5000]),
        ("registry=registry.example:5000/team,insecureRegistries={registry.example:5000}", [5000]),
        ("registry=registry.example/team,insecureRegistries={other.example}", [80]),
        ("registry=registry.example/team", []),
    ],
)
def test_the_operator_may_ask_the_registries_that_it_is_given(
    values: str, ports: list[int]
) -> None:
    made = template(f"--set={values}", "--set=networkPolicy.ports={6443}")
    assert [each["port"] for each in policy_in(made)["spec"]["egress"][0]["ports"][2:]] == [
        6443,
        *ports,
    ]


def test_the_hook_and_the_test_may_speak_where_nothing_else_may() -> None:
    objects = [each for each in yaml.safe_load_all(template().stdout) if each]
    pods = {
        each["metadata"]["labels"]["app.kubernetes.io/name"]
        if each["kind"] == "Pod"
        else each["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]
        for each in objects
        if each["kind"] in ("Pod", "Job", "Deployment")
    }
    let_out = {
        each["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
        for each in objects
        if each["kind"] == "NetworkPolicy" and each["spec"]["egress"]
    }
    assert pods == let_out


def test_the_operator_may_ask_the_pages_that_it_analyses() -> None:
    pages = {"app.kubernetes.io/name": "weather"}
    rules = [
        rule["ports"]
        for rule in policy_in(template())["spec"]["egress"]
        for peer in rule.get("to", ())
        if peer.get("podSelector") == {"matchLabels": pages} and peer["namespaceSelector"] == {}
    ]
    named = [port["port"] for ports in rules for port in ports]
    assert named == ["http", "metrics"]


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://prometheus.monitoring:9090", 9090),
        ("https://prometheus.example/base", 443),
        ("http://prometheus.example", 80),
    ],
)
def test_the_operator_may_ask_the_prometheus_that_it_is_given(url: str, port: int) -> None:
    made = template(
        f"--set=prometheus.url={url},prometheus.tokenSecret.name=asks",
        "--set=prometheus.caConfigMap.name=authorities,prometheus.caConfigMap.key=root.pem",
    )
    assert made.returncode == 0, made.stderr
    objects = [each for each in yaml.safe_load_all(made.stdout) if each]
    assert {"port": port, "protocol": "TCP"} in policy_in(made)["spec"]["egress"][0]["ports"]
    (deployment,) = [each for each in objects if each["kind"] == "Deployment"]
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    environment = {each["name"]: each.get("value") for each in container["env"]}
    read = from_environment({name: value for name, value in environment.items() if value})
    assert read.prometheus_url == url
    (volume,), (mount,) = spec["volumes"], container["volumeMounts"]
    files = {
        f"{mount['mountPath']}/{item['path']}"
        for source in volume["projected"]["sources"]
        for part in source.values()
        for item in part["items"]
    }
    assert files == {read.prometheus_token_file, read.prometheus_ca_file}
    assert {"name": "asks", "items": [{"key": "token", "path": "token"}]} in [
        source.get("secret") for source in volume["projected"]["sources"]
    ]


def test_without_a_prometheus_nothing_is_mounted() -> None:
    made = template("--set=prometheus.tokenSecret.name=asks").stdout
    (deployment,) = (
        each for each in yaml.safe_load_all(made) if each and each["kind"] == "Deployment"
    )
    assert "volumes" not in deployment["spec"]["template"]["spec"]
    assert "PROMETHEUS" not in made


@pytest.mark.parametrize(
    ("there", "wanted", "sentence"),
    [
        ("weather-operator", "watchNamespaces={sites}", "serves all namespaces already"),
        ("weather-operator-first", "replicas=2", "serves some namespaces already"),
        (
            "weather-operator-first",
            "watchNamespaces={sites,default}",
            "serves the namespace default already: leave it out of watchNamespaces",
        ),
    ],
    ids=["one for some beside one for all", "one for all beside one for some", "two for some"],
)
def test_two_operators_for_one_namespace_are_refused(
    control_plane: Cluster, there: str, wanted: str, sentence: str
) -> None:
    shell = Shell.of(control_plane)
    shell.kubectl(
        *("create", "role", there, "--namespace=default", "--verb=list", "--resource=pods")
    )
    shell.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {
                "name": there,
                "labels": {"app.kubernetes.io/name": "weather-operator"},
                "annotations": {"meta.helm.sh/release-namespace": "first"},
            },
            "rules": [],
        }
    )
    try:
        asked = helm(
            *("template", "second", CHART, "--namespace=second", "--dry-run=server"),
            *(f"--set={wanted}", f"--kubeconfig={control_plane.kubeconfig}"),
        )
    finally:
        shell.kubectl("delete", "clusterrole", there)
        shell.kubectl("delete", "role", there, "--namespace=default")
    assert asked.returncode != 0
    assert sentence in asked.stderr
    assert "namespace first" in asked.stderr


def test_an_installation_that_fails_says_what_the_cluster_says(
    control_plane: Cluster, tmp_path: Path
) -> None:
    shell = Shell.of(control_plane)
    (tmp_path / "helm").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "helm").chmod(0o755)
    with own_namespace(shell, "install") as namespace:
        message = 'Failed to pull image "registry.example/wrong/weather-operator:0.1.0": not found'
        shell.apply(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": "pull", "namespace": namespace},
                "involvedObject": {"kind": "Pod", "name": "hook", "namespace": namespace},
                "type": "Warning",
                "message": message,
            }
        )
        path = f"PATH={tmp_path}:{shell.environment['PATH']}"
        made = shell.run(
            *("env", path, "make", "install", "REGISTRY=registry.example/wrong"),
            f"NAMESPACE={namespace}",
        )
    assert made.returncode != 0
    assert message in made.stderr


def test_an_image_that_nobody_has_ends_an_installation_in_seconds(
    control_plane: Cluster, tmp_path: Path
) -> None:
    shell = Shell.of(control_plane)
    image = "registry.example/missing/weather-operator:0.1.0"
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "hook", "labels": {"app.kubernetes.io/name": HOOK}},
        "spec": {"containers": [{"name": "crds", "image": image}]},
    }
    (tmp_path / "pod.json").write_text(json.dumps(pod))
    (tmp_path / "helm").write_text(
        "#!/bin/sh\n"
        # A new namespace has no account for pods in its first moment.
        f"until kubectl apply -n $NAMESPACE -f {tmp_path}/pod.json; do sleep 0.2; done\n"
        "exec sleep 200\n"
    )
    (tmp_path / "helm").chmod(0o755)
    with own_namespace(shell, "install") as namespace:
        path = f"PATH={tmp_path}:{shell.environment['PATH']}"
        made = shell.run(
            *("timeout", "150", "env", path, f"NAMESPACE={namespace}", "make", "install"),
            *("REGISTRY=registry.example/missing", f"NAMESPACE={namespace}"),
        )
    assert made.returncode == 2, made.stdout + made.stderr
    assert f"The cluster cannot pull {image}: push it there" in made.stderr


def test_alerts_link_to_where_their_runbooks_can_be_read() -> None:
    address = "https://git.example/team/blob/v0.1.0/docs/runbooks.md"
    made = template("--set=monitoring.enabled=true", f"--set=monitoring.runbooks={address}")
    (rules,) = (
        each
        for each in yaml.safe_load_all(made.stdout)
        if each and each["kind"] == "PrometheusRule"
    )
    links = [
        rule["annotations"]["runbook_url"]
        for group in rules["spec"]["groups"]
        for rule in group["rules"]
    ]
    assert links
    assert [link for link in links if not link.startswith(f"{address}#weather")] == []


def test_alerts_of_an_operator_are_of_its_own_pods() -> None:
    made = template("--set=monitoring.enabled=true")
    (rules,) = (
        each
        for each in yaml.safe_load_all(made.stdout)
        if each and each["kind"] == "PrometheusRule"
    )
    asked = [rule["expr"] for group in rules["spec"]["groups"] for rule in group["rules"]]
    metrics = [
        found for expr in asked for found in re.findall(r"weather_operator_\w+(?:\{)?", expr)
    ]
    own = [found for expr in asked for found in re.findall(OWN_METRIC, expr)]
    assert len(own) == len(metrics) > 3


def test_every_value_is_described() -> None:
    schema = json.loads((ROOT / CHART / "values.schema.json").read_text())
    assert [
        name for name in schema["properties"] if "description" not in schema["properties"][name]
    ] == []
