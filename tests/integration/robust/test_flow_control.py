"""Renewals of the Lease have a way of their own through a crowded API server."""

from typing import Any

import pytest
import yaml
from support.deadlines import eventually
from support.kubectl import Shell
from weather_cluster import binaries, settings
from weather_cluster.progress import silent

ACCOUNT = "weather-operator"


@pytest.fixture
def schema(shell: Shell, namespace: str) -> dict[str, Any]:
    """The chart's flow schema, applied."""
    helm = binaries.ensure(("helm",), settings.from_environment(), silent)["helm"]
    chart = (str(helm), "template", "weather-operator", "charts/weather-operator")
    rendered = shell.run(*chart, "--namespace", namespace)
    assert rendered.returncode == 0, rendered.stderr
    [found] = [
        each
        for each in yaml.safe_load_all(rendered.stdout)
        if each and each["kind"] == "FlowSchema"
    ]
    shell.apply(found)
    return dict(found)


def test_the_chart_gives_the_lease_the_priority_of_leader_elections(
    schema: dict[str, Any], shell: Shell, namespace: str
) -> None:
    name = schema["metadata"]["name"]
    uid = shell.get("flowschema", name)["metadata"]["uid"]
    level = shell.get("prioritylevelconfiguration", "leader-election")["metadata"]["uid"]
    shell.kubectl("-n", namespace, "create", "serviceaccount", ACCOUNT)
    as_account = f"--as=system:serviceaccount:{namespace}:{ACCOUNT}"
    group = "--as-group=system:serviceaccounts"

    def classified() -> bool:
        arguments = ("-n", namespace, "get", "lease/none", "-v=8", as_account, group)
        said = shell.run("kubectl", *arguments).stderr
        found = [each.lower() for each in (uid, level)]
        assert all(each in said.lower() for each in found), said
        return True

    try:
        eventually(classified)
    finally:
        shell.kubectl("delete", "flowschema", name)
