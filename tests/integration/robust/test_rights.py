"""The chart's roles are enough, and no more than that."""

import copy
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import kubeconfig
from support.deadlines import eventually
from support.fleet import Fleet
from support.kubectl import Shell
from support.operator import Operator
from weather_cluster import binaries, settings
from weather_cluster.clusters import Cluster
from weather_cluster.progress import silent

HOME, OURS, OTHERS = "rights-home", "rights-ours", "rights-others"
ACCOUNT = f"system:serviceaccount:{HOME}:weather-operator"
MODES = {"cluster": (), "namespaced": (OURS,)}
NO_MANAGED_FIELDS = json.dumps(
    [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]
)
ROLES = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")


@pytest.fixture(scope="session")
def namespaces(shell: Shell) -> None:
    for name in (HOME, OURS, OTHERS):
        shell.kubectl("create", "namespace", name)


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def roles(mode: str, shell: Shell, namespaces: None) -> Iterator[list[dict[str, Any]]]:
    """The chart's roles, granted to its account while a test runs."""
    helm = binaries.ensure(("helm",), settings.from_environment(), silent)["helm"]
    watched = [f"--set=watchNamespaces[{n}]={name}" for n, name in enumerate(MODES[mode])]
    rendered = shell.run(
        *(str(helm), "template", "weather-operator", "charts/weather-operator"),
        *("--namespace", HOME, *watched),
    )
    assert rendered.returncode == 0, rendered.stderr
    found = [each for each in yaml.safe_load_all(rendered.stdout) if each]
    found = [placed(each) for each in found if each["kind"] in ROLES]
    grant(shell, found)
    yield found
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": found})
    shell.kubectl("delete", "--ignore-not-found", "-f", "-", text=text)


def placed(role: dict[str, Any]) -> dict[str, Any]:
    """The role as Helm would make it: in its release's namespace, unless it names another."""
    return {**role, "metadata": {"namespace": HOME, **role["metadata"]}}


def grant(shell: Shell, roles: list[dict[str, Any]]) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": roles})
    shell.kubectl("apply", "-f", "-", text=text)


@pytest.fixture
def limited(
    mode: str, roles: None, shell: Shell, plane: Cluster, tmp_path: Path, operator: Operator
) -> Iterator[Operator]:
    """An operator with the rights of the chart's account alone; no other acts meanwhile."""
    operator.stop()
    # Where a namespace ends, no right is enough.
    eventually(lambda: "Terminating" not in phases(shell))
    config = kubeconfig.read(plane.kubeconfig)
    token = shell.kubectl("-n", HOME, "create", "token", "weather-operator").strip()
    config["users"][0]["user"] = {"token": token}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    environment = {"POD_NAMESPACE": HOME, "WATCH_NAMESPACES": ",".join(MODES[mode])}
    limited = Operator(kubeconfig=path, log=tmp_path / "log", environment=environment)
    limited.ensure_leading()
    yield limited
    limited.stop()


def phases(shell: Shell) -> set[str]:
    return {each["status"]["phase"] for each in shell.get("namespaces")["items"]}


MUST = (
    ("list", "weatherapps", OURS),
    ("watch", "weatherapps", OURS),
    ("patch", "weatherapps/status", OURS),
    ("create", "deployments.apps", OURS),
    ("patch", "deployments.apps", OURS),
    ("delete", "services", OURS),
    ("list", "pods", OURS),
    ("create", "events", OURS),
    ("watch", "leases.coordination.k8s.io", HOME),
    ("list", "weatherreleases", ""),
    ("list", "nodes", ""),
)
MUST_NOT = (
    ("get", "secrets", OURS),
    ("list", "secrets", OURS),
    ("patch", "weatherapps", OURS),
    ("update", "weatherapps", OURS),
    ("delete", "weatherapps", OURS),
    ("create", "pods", OURS),
    ("delete", "pods", OURS),
    ("get", "configmaps", OURS),
    ("create", "rolebindings.rbac.authorization.k8s.io", OURS),
    ("update", "leases.coordination.k8s.io", OURS),
    ("patch", "weatherreleases", ""),
    ("patch", "nodes", ""),
    ("impersonate", "users", ""),
)
ELSEWHERE = (
    ("list", "weatherapps", OTHERS),
    ("create", "deployments.apps", OTHERS),
    ("patch", "weatherapps/status", OTHERS),
)


def can(shell: Shell, verb: str, resource: str, namespace: str) -> bool:
    kind, _, part = resource.partition("/")
    where = ["-n", namespace] if namespace else ["-A"]
    asked = shell.run(
        *("kubectl", "auth", "can-i", verb, kind, f"--subresource={part}"),
        *(f"--as={ACCOUNT}", *where),
    )
    return asked.returncode == 0


@pytest.mark.usefixtures("roles")
def test_the_account_can_do_what_it_must_and_no_more(mode: str, shell: Shell) -> None:
    # What is granted, and what was taken back before, the API server knows a moment later.
    eventually(lambda: [each for each in MUST if not can(shell, *each)] == [], every=1)
    reaches = [] if mode == "namespaced" else list(ELSEWHERE)
    eventually(lambda: [each for each in ELSEWHERE if can(shell, *each)] == reaches, every=1)
    assert [each for each in MUST_NOT if can(shell, *each)] == []
    writes_catalogue = can(shell, "patch", "weatherreleases/status", "")
    assert writes_catalogue == (mode == "cluster")


def test_these_rights_are_enough(limited: Operator, shell: Shell) -> None:
    fleet = Fleet(shell=shell, namespace=OURS)
    for spec in ({"colour": "yellow"}, {"colour": "green", "replicas": 3}):
        fleet.apply({"london": spec})
        fleet.wait_until("Serving", {"london": spec})
    assert shell.get("-n", OURS, "events", "--field-selector=involvedObject.name=london")["items"]
    # What a backup brings back has no owner and no record of our fields.
    shell.kubectl("-n", OURS, "delete", "weatherapp", "london", "--cascade=orphan")
    for kind in ("deployment", "service"):
        eventually(partial(_is_orphaned, shell, kind))
        shell.kubectl("-n", OURS, "patch", kind, "london", "--type=json", "-p", NO_MANAGED_FIELDS)
    fleet.apply({"london": spec})
    fleet.wait_until("Serving", {"london": spec})
    fleet.delete(["london"])
    assert 'code="403"' not in limited.get("/metrics")[1]


def _is_orphaned(shell: Shell, kind: str) -> bool:
    return "ownerReferences" not in shell.get("-n", OURS, kind, "london")["metadata"]


@pytest.mark.parametrize("mode", ["cluster"], indirect=True)
def test_a_missing_right_harms_only_what_needs_it(
    limited: Operator, roles: list[dict[str, Any]], shell: Shell
) -> None:
    limited.stop()
    grant(shell, [without(role, "poddisruptionbudgets") for role in roles])
    limited.ensure_leading()
    fleet = Fleet(shell=shell, namespace=OURS)
    fleet.apply({"paris": {}})
    fleet.wait_until("Forbidden", {"paris": {}})
    told = fleet.statuses()["paris"]
    assert [each["object"] for each in told["blockers"]] == ["PodDisruptionBudget/paris"]
    assert "cannot" in told["blockers"][0]["message"]
    eventually(lambda: fleet.statuses()["paris"]["ready"] == "2/2")
    assert {"Deployment", "Service"} <= fleet.worlds()["paris"].keys()
    grant(shell, roles)
    fleet.wait_until("Serving", {"paris": {}})
    fleet.delete(["paris"])


def without(role: dict[str, Any], resource: str) -> dict[str, Any]:
    changed = copy.deepcopy(role)
    if "rules" in changed:
        changed["rules"] = [each for each in role["rules"] if resource not in each["resources"]]
    return changed
