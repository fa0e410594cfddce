"""A whole life with everything on: made, unchanged, changed, upgraded, gone."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from terraform.account import Account, account
from terraform.runner import REPOSITORY, Terraform

EVERYTHING = f"-var-file={REPOSITORY / 'tests/terraform/everything.tfvars'}"
OTHER_BLOCK = '-var=cluster_endpoint_public_access_cidrs=["198.51.100.0/24"]'
MORE_IMAGES = '-var=ecr_repositories=["weather","weather-operator","more"]'
UPGRADE = "-var=cluster_version=1.36"
NAME = "weather-dev-eksdemo"


@pytest.fixture
def amazon() -> Iterator[Account]:
    with account() as opened:
        for name in ("Admins", "Readers"):
            opened.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")
        yield opened


@pytest.mark.timeout(900)
def test_lives_from_nothing_to_nothing(alone: Terraform, amazon: Account) -> None:
    stack = Stack(replace(alone, environment=amazon.environment()))
    before = amazon.things()

    made = stack.apply(EVERYTHING)
    assert made["change"] == made["remove"] == 0
    assert made["add"] > 90
    stack.is_unchanged(EVERYTHING)

    cluster = amazon.client("eks").describe_cluster(name=NAME)["cluster"]
    assert cluster["version"] == "1.35"
    assert cluster["accessConfig"]["authenticationMode"] == "API"
    [logs] = [each["types"] for each in cluster["logging"]["clusterLogging"] if each["enabled"]]
    assert sorted(logs) == ["api", "audit", "authenticator", "controllerManager", "scheduler"]

    changed = stack.apply(EVERYTHING, OTHER_BLOCK, MORE_IMAGES)
    assert changed == {"add": 2, "change": 1, "remove": 0}

    upgraded = stack.apply(EVERYTHING, OTHER_BLOCK, MORE_IMAGES, UPGRADE)
    assert upgraded["add"] == upgraded["remove"] == 0
    stack.is_unchanged(EVERYTHING, OTHER_BLOCK, MORE_IMAGES, UPGRADE)
    eks = amazon.client("eks")
    assert eks.describe_cluster(name=NAME)["cluster"]["version"] == "1.36"
    for tier in ("public", "private"):
        group = eks.describe_nodegroup(clusterName=NAME, nodegroupName=f"{NAME}-eks-ng-{tier}")
        assert group["nodegroup"]["version"] == "1.36"
    for name in ("vpc-cni", "coredns"):
        addon = eks.describe_addon(clusterName=NAME, addonName=name)["addon"]
        assert addon["addonVersion"].startswith("v1.36.")

    gone = stack.apply("-destroy", EVERYTHING, OTHER_BLOCK, MORE_IMAGES, UPGRADE)
    assert gone == {"add": 0, "change": 0, "remove": made["add"] + 2}
    assert amazon.things() == before
    print("\n".join(stack.figures))


class Stack:
    """One state, with how long each thing took."""

    def __init__(self, terraform: Terraform) -> None:
        self.terraform = terraform
        self.figures: list[str] = []
        started = terraform.init(".", "-backend=false")
        assert started.returncode == 0, started.stderr

    def apply(self, *arguments: str) -> dict[str, int]:
        """How many resources were added, changed and removed."""
        began = time.monotonic()
        said = self.terraform.run(".", "apply", "-auto-approve", "-json", *arguments)
        messages = [json.loads(line) for line in said.stdout.splitlines()]
        wrong = [each["diagnostic"] for each in messages if each["@level"] == "error"]
        assert said.returncode == 0, wrong or said.stderr
        summary = next(
            m["changes"]
            for m in messages
            if m["type"] == "change_summary" and m["changes"]["operation"] != "plan"
        )
        done = {key: summary[key] for key in ("add", "change", "remove")}
        self.figures.append(f"apply: {done}, {time.monotonic() - began:.0f} s")
        return done

    def is_unchanged(self, *arguments: str) -> None:
        """A plan finds nothing to do."""
        began = time.monotonic()
        self.terraform.do(".", "plan", "-no-color", "-detailed-exitcode", *arguments)
        self.figures.append(f"plan: {time.monotonic() - began:.0f} s")
