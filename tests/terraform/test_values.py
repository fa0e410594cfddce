"""Every number and name that the specification gives, and every value that follows from our own."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from terraform.mocked import Stack
from terraform.runner import Terraform
from terraform.specification import EKS, HOST, VPC

from terraform import golden, mocked, specification


@pytest.fixture(scope="module")
def stacks(terraform: Terraform) -> Iterator[dict[str, Future[Stack]]]:
    with ThreadPoolExecutor() as both:
        yield {
            "everything": both.submit(mocked.apply, terraform, golden.EVERYTHING),
            "defaults": both.submit(mocked.apply, terraform, mocked.DEFAULTS),
        }


def test_the_defaults_are_the_specification(stacks: dict[str, Future[Stack]]) -> None:
    assert specification.differences(stacks["defaults"].result()) == []


def test_the_image_is_amazons_newest_linux(stacks: dict[str, Future[Stack]]) -> None:
    image = stacks["defaults"].result().resources[f"{HOST}data.aws_ami.this"]
    assert {each["name"]: each["values"] for each in image["filter"]} == {
        "name": ["al2023-ami-2023.*-x86_64"],
        "root-device-type": ["ebs"],
        "virtualization-type": ["hvm"],
        "architecture": ["x86_64"],
    }
    assert image["owners"] == ["amazon"]


def test_every_value_is_the_committed_one(stacks: dict[str, Future[Stack]]) -> None:
    told = golden.differences(stacks["everything"].result())
    assert told == [], "if it is meant: PYTHONPATH=tests .venv/bin/python -m terraform.golden"


def test_nothing_optional_is_on_by_itself(stacks: dict[str, Future[Stack]]) -> None:
    everything, defaults = (stacks[each].result() for each in ("everything", "defaults"))
    types = {address.split("[")[0].removesuffix(".this") for address in defaults.resources}
    assert not types & {
        f"{EKS}aws_eks_fargate_profile",
        f"{EKS}aws_iam_openid_connect_provider",
        "module.ecr.aws_ecr_repository",
        f"{VPC}aws_vpc_endpoint.interface",
        f"{HOST}aws_vpc_security_group_ingress_rule.ssh",
    }
    assert len(defaults.resources) < len(everything.resources)
