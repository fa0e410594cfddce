"""A whole life with everything on: made, unchanged, changed, upgraded, gone."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from terraform.account import Account, account
from terraform.golden import EVERYTHING
from terraform.runner import REPOSITORY, Terraform

from terraform import golden

CHANGED = f"-var-file={REPOSITORY / 'tests/terraform/changed.tfvars'}"
UPGRADE = "-var=cluster_version=1.36"
NAME = "weather-dev-eksdemo"


@pytest.fixture
def amazon() -> Iterator[Account]:
    with account() as opened:
        for name in ("Admins", "Readers"):
            opened.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")
        yield opened


@pytest.mark.timeout(1800)
def test_lives_from_nothing_to_nothing(alone: Terraform, amazon: Account) -> None:
    stack = Stack(replace(alone, environment=amazon.environment()))
    before = amazon.things()

    elsewhere = stack.terraform.run(".", "plan", "-no-color", "-var=aws_account_id=210987654321")
    assert "AWS account ID not allowed: 123456789012" in elsewhere.stderr
    made = stack.apply(EVERYTHING)
    assert made == {"add": len(golden.addresses()), "change": 0, "remove": 0}
    assert stack.addresses() == golden.addresses()
    eks = amazon.client("eks")
    # As the cluster autoscaler would.
    private = {"clusterName": NAME, "nodegroupName": f"{NAME}-eks-ng-private"}
    sizes = {"minSize": 1, "desiredSize": 2, "maxSize": 2}
    eks.update_nodegroup_config(**private, scalingConfig=sizes)
    stack.is_unchanged(EVERYTHING)

    cluster = eks.describe_cluster(name=NAME)["cluster"]
    assert cluster["version"] == "1.35"
    assert cluster["accessConfig"]["authenticationMode"] == "API"
    [logs] = [each["types"] for each in cluster["logging"]["clusterLogging"] if each["enabled"]]
    assert sorted(logs) == ["api", "audit", "authenticator", "controllerManager", "scheduler"]

    changed = stack.apply(EVERYTHING, CHANGED)
    assert changed == {"add": 3, "change": 2, "remove": 1}
    # The nodes' successors are there before they go themselves.
    made_then_gone = [step for step in stack.steps if "private_nodes" in step[1]]
    assert [action for action, _ in made_then_gone] == ["create", "delete"]
    groups = eks.list_nodegroups(clusterName=NAME)["nodegroups"]
    assert sorted(name.removeprefix(f"{NAME}-eks-ng-")[:8] for name in groups) == [
        "private-",
        "public",
    ]

    upgraded = stack.apply(EVERYTHING, CHANGED, UPGRADE)
    assert upgraded["add"] == upgraded["remove"] == 0
    stack.is_unchanged(EVERYTHING, CHANGED, UPGRADE)
    assert eks.describe_cluster(name=NAME)["cluster"]["version"] == "1.36"
    for name in groups:
        group = eks.describe_nodegroup(clusterName=NAME, nodegroupName=name)
        assert group["nodegroup"]["version"] == "1.36"
    for name in ("vpc-cni", "coredns"):
        addon = eks.describe_addon(clusterName=NAME, addonName=name)["addon"]
        assert addon["addonVersion"].startswith("v1.36.")

    gone = stack.apply("-destroy", EVERYTHING, CHANGED, UPGRADE)
    assert gone == {"add": 0, "change": 0, "remove": made["add"] + 2}
    assert amazon.things() == before
    print("\n".join(stack.figures))


class Stack:
    """One state, with how long each thing took."""

    def __init__(self, terraform: Terraform) -> None:
        self.terraform = terraform
        self.figures: list[str] = []
        # What the last apply finished, in order: action and address.
        self.steps: list[tuple[str, str]] = []
        started = terraform.init(".", "-backend=false")
        assert started.returncode == 0, started.stderr

    def apply(self, *arguments: str) -> dict[str, int]:
        """How many resources were added, changed and removed."""
        began = time.monotonic()
        said = self.terraform.run(".", "apply", "-auto-approve", "-json", *arguments)
        messages = [json.loads(line) for line in said.stdout.splitlines()]
        wrong = [each["diagnostic"] for each in messages if each["@level"] == "error"]
        assert said.returncode == 0, wrong or said.stderr
        self.steps = [
            (hook["action"], hook["resource"]["addr"])
            for hook in (each["hook"] for each in messages if each["type"] == "apply_complete")
        ]
        summary = next(
            m["changes"]
            for m in messages
            if m["type"] == "change_summary" and m["changes"]["operation"] != "plan"
        )
        done = {key: summary[key] for key in ("add", "change", "remove")}
        self.figures.append(f"apply: {done}, {time.monotonic() - began:.0f} s")
        return done

    def addresses(self) -> set[str]:
        """All that Terraform made."""
        listed = self.terraform.do(".", "state", "list").splitlines()
        return {address for address in listed if not re.match(r"(module\.[^.]+\.)*data\.", address)}

    def is_unchanged(self, *arguments: str) -> None:
        """A plan finds nothing to do."""
        began = time.monotonic()
        self.terraform.do(".", "plan", "-no-color", "-detailed-exitcode", *arguments)
        self.figures.append(f"plan: {time.monotonic() - began:.0f} s")
