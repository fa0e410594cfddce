"""Each example is applied as it stands, with no more said than it asks for."""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import yaml
from terraform.account import Account, account
from terraform.runner import SOURCE, Terraform, copied

ADMINISTRATOR = "arn:aws:iam::123456789012:role/Admins"
EXAMPLES = sorted(path.parent.name for path in SOURCE.glob("examples/*/main.tf"))

Outputs = dict[str, Any]


@pytest.fixture(scope="module")
def amazon() -> Iterator[Account]:
    with account() as opened:
        opened.client("iam").create_role(RoleName="Admins", AssumeRolePolicyDocument="{}")
        yield opened


@pytest.fixture(scope="module")
def applied(
    terraform: Terraform, amazon: Account, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[tuple[Outputs, list[Any]]]]]:
    """What each example says when it is made, and what Terraform says against it."""
    root = copied(tmp_path_factory.mktemp("examples"))
    at = replace(terraform, root=root, environment=amazon.environment())
    with ThreadPoolExecutor() as workers:
        yield {name: workers.submit(_applied, at, f"examples/{name}") for name in EXAMPLES}


def _applied(terraform: Terraform, folder: str) -> tuple[Outputs, list[Any]]:
    started = terraform.init(folder)
    assert started.returncode == 0, started.stderr
    administrator = f"-var=administrator={ADMINISTRATOR}"
    said = terraform.run(folder, "apply", "-auto-approve", "-json", administrator)
    messages = [json.loads(line) for line in said.stdout.splitlines()]
    against = [each["diagnostic"] for each in messages if each["type"] == "diagnostic"]
    assert said.returncode == 0, against or said.stderr
    [outputs] = [each["outputs"] for each in messages if "weather" in each.get("outputs", {})][-1:]
    return outputs["weather"]["value"], against


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", EXAMPLES)
def test_is_made_without_a_warning(
    applied: dict[str, Future[tuple[Outputs, list[Any]]]], name: str
) -> None:
    outputs, against = applied[name].result()
    # That the API is open to the world is the original's choice, and Terraform warns of it.
    expected = {"specification": ["Check block assertion failed"]}.get(name, [])
    assert [each["summary"] for each in against] == expected
    assert outputs["cluster_endpoint"].startswith("https://")


def test_the_specification_is_made_where_it_says(
    applied: dict[str, Future[tuple[Outputs, list[Any]]]], amazon: Account
) -> None:
    outputs, _ = applied["specification"].result()
    cluster = amazon.client("eks", "us-east-1").describe_cluster(name="SAP-dev-eksdemo")["cluster"]
    assert cluster["version"] == "1.32"
    # us-east-1a is the zone without EKS in this account.
    subnets = amazon.client("ec2", "us-east-1").describe_subnets(
        SubnetIds=outputs["public_subnets"]
    )
    zones = {each["AvailabilityZone"] for each in subnets["Subnets"]}
    assert zones == {"us-east-1b", "us-east-1c"}


def test_on_fargate_each_program_is_told_its_role(
    applied: dict[str, Future[tuple[Outputs, list[Any]]]],
) -> None:
    outputs, _ = applied["fargate"].result()
    roles = outputs["pod_role_arns"]
    operator = yaml.safe_load(outputs["operator_values"])
    assert operator == {
        "serviceAccountAnnotations": {"eks.amazonaws.com/role-arn": roles["ecr-reader"]}
    }
    controller = yaml.safe_load(outputs["load_balancer_controller_values"])["serviceAccount"]
    assert controller["annotations"] == {
        "eks.amazonaws.com/role-arn": roles["load-balancer-controller"]
    }


def test_without_a_way_out_images_come_from_ecr(
    applied: dict[str, Future[tuple[Outputs, list[Any]]]],
) -> None:
    outputs, _ = applied["private-only"].result()
    repositories = outputs["ecr_repository_urls"]
    for program in ("load_balancer_controller", "cluster_autoscaler"):
        values = yaml.safe_load(outputs[f"{program}_values"])
        assert values["image"]["repository"] in repositories.values()
    # The firewall's API is not within reach either.
    assert yaml.safe_load(outputs["load_balancer_controller_values"])["enableWafv2"] is False
