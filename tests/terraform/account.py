"""An AWS account on this machine, and what is in it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from terraform.runner import REPOSITORY

# Service, question, list in the answer, what each is called.
QUESTIONS = (
    ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    ("ec2", "describe_subnets", "Subnets", "SubnetId"),
    ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("ec2", "describe_addresses", "Addresses", "AllocationId"),
    ("ec2", "describe_key_pairs", "KeyPairs", "KeyName"),
    ("ec2", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
    ("ec2", "describe_flow_logs", "FlowLogs", "FlowLogId"),
    ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
    ("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList", "Arn"),
    ("kms", "list_aliases", "Aliases", "AliasName"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("ecr", "describe_repositories", "repositories", "repositoryName"),
    ("rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
    ("s3", "list_buckets", "Buckets", "Name"),
)
# These are still told of for a while when they are gone.
FADING = (
    ("describe_instances", "Reservations", "Instances", "InstanceId", "terminated"),
    ("describe_nat_gateways", "NatGateways", None, "NatGatewayId", "deleted"),
    ("describe_vpc_endpoints", "VpcEndpoints", None, "VpcEndpointId", "deleted"),
)


@cache
def _client(service: str, region: str, address: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=address,
        region_name=region,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - any will do
    )


@dataclass(frozen=True)
class Account:
    """Where its services answer."""

    rest: str
    eks: str

    def environment(self) -> dict[str, str]:
        """Point Terraform at it; a call that it cannot answer is not tried for ever."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": self.rest,
            "AWS_ENDPOINT_URL_EKS": self.eks,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "2",
        }

    def client(self, service: str, region: str = "eu-west-2") -> Any:
        """Speak to one of its services."""
        return _client(service, region, self.eks if service == "eks" else self.rest)

    def things(self) -> set[str]:
        """Name all that there is, but for keys on their way out."""
        found = set()
        for service, question, key, name in QUESTIONS:
            answer = getattr(self.client(service), question)()
            found |= {f"{key} {each[name]}" for each in answer[key]}
        for question, key, inner, name, gone in FADING:
            answer = getattr(self.client("ec2"), question)()[key]
            each_one = [each for outer in answer for each in (outer[inner] if inner else [outer])]
            for each in each_one:
                state = each["State"]
                if (state["Name"] if inner else state) != gone:
                    found.add(f"{key} {each[name]}")
        return found


@contextmanager
def account() -> Iterator[Account]:
    """Open an empty account of one's own, for as long as it is wanted."""
    with subprocess.Popen(
        [sys.executable, "-m", "terraform.aws"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "tests")},
        text=True,
    ) as server:
        assert server.stdin
        assert server.stdout
        yield Account(**json.loads(server.stdout.readline()))
        server.stdin.close()
