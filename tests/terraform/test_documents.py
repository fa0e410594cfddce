import re
from pathlib import Path

import pytest
from terraform.runner import REPOSITORY, SOURCE
from terraform.tables import READMES, written

WITH_TABLES = {
    ".",
    "bootstrap",
    "modules/bastion",
    "modules/ecr",
    "modules/eks",
    "modules/node-groups",
    "modules/vpc",
}


def test_each_folder_with_variables_has_a_readme() -> None:
    assert {str(readme.parent.relative_to(SOURCE)) for readme in READMES} >= WITH_TABLES


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_tables_are_made_of_the_code(readme: Path) -> None:
    text = readme.read_text()
    if str(readme.parent.relative_to(SOURCE)) in WITH_TABLES:
        assert "<!-- inputs -->" in text
        assert "<!-- outputs -->" in text
    assert text == written(readme), "PYTHONPATH=tests .venv/bin/python -m terraform.tables"


def test_links_lead_somewhere() -> None:
    for readme in READMES:
        for link in re.findall(r"\]\(([^)#]+)\)", readme.read_text()):
            assert (readme.parent / link).exists() or "://" in link, f"{readme}: {link}"


def test_what_the_runbook_names_is_there() -> None:
    runbook = (SOURCE / "RUNBOOK.md").read_text()
    outputs = set(re.findall(r'^output "(\w+)"', (SOURCE / "outputs.tf").read_text(), re.MULTILINE))
    assert set(re.findall(r"output -raw (\w+)", runbook)) <= outputs | {"backend_hcl"}
    targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"^ *make ([a-z-]+)", runbook, re.MULTILINE)) <= set(targets)


def test_every_exception_is_told() -> None:
    text = "\n".join(path.read_text() for path in SOURCE.rglob("*.tf"))
    readme = (SOURCE / "README.md").read_text()
    for check in set(re.findall(r"#checkov:skip=(\w+):", text)):
        assert check in readme, check


def test_the_runbook_knows_what_surprises_on_a_real_account() -> None:
    runbook = (SOURCE / "RUNBOOK.md").read_text()
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", runbook, re.DOTALL)).replace("\\\n", " ")
    lines = [line for line in commands.splitlines() if "helm upgrade --install" in line]
    assert lines
    assert all("--version" in line for line in lines)
    # The CLI would use the profile's region.
    for service in ("ecr get-login-password", "acm request-certificate", "elbv2 describe"):
        [line] = [line for line in commands.splitlines() if service in line]
        assert "--region" in line
    assert "describe-security-groups" in runbook.partition("DependencyViolation")[2]
    assert "Unsupported Kubernetes minor version update" in runbook
    # A Service of type LoadBalancer is not on the internet by itself.
    assert "service.beta.kubernetes.io/aws-load-balancer-scheme: internet-facing" in runbook
    assert "loadBalancerClass: service.k8s.aws/nlb" in runbook
    # Gates are injected when a pod is made.
    assert runbook.index("pod-readiness-gate-inject: enabled") < runbook.index("kind: WeatherApp")


def test_the_chart_that_the_role_was_compared_with_is_the_images_too() -> None:
    runbook = (SOURCE / "RUNBOOK.md").read_text()
    [chart] = re.findall(r"install aws-load-balancer-controller.*--version (\S+)", runbook)
    assert set(re.findall(r"aws-load-balancer-controller:v([0-9.]+)", runbook)) == {chart}


def test_other_names_than_the_originals_are_told() -> None:
    readme = (SOURCE / "README.md").read_text()
    assert "`<owner>-<environment>-eks-ng-public`" in readme
