"""What EKS asks of the rest of AWS, asked of moto in the same process."""

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.logs.models import logs_backends
from terraform.aws.refusals import RefusedError, invalid

Json = dict[str, Any]

ACCOUNT = "123456789012"
ANYWHERE = "0.0.0.0/0"
# EKS puts no control plane in these zones.
UNSUPPORTED_ZONES = {"use1-az3", "usw1-az2", "cac1-az3"}
# What a node without a way out must reach to join, and to pull images.
NEEDED_ENDPOINTS = ("ec2", "ecr.api", "ecr.dkr", "sts", "s3")


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The other services of a region."""

    region: str

    @property
    def _ec2(self) -> Any:
        return ec2_backends[ACCOUNT][self.region]

    @property
    def _groups(self) -> Any:
        return autoscaling_backends[ACCOUNT][self.region]

    # -- IAM --

    def require_principal(self, arn: str) -> None:
        """Refuse what is no IAM role or user of this account."""
        backend = iam_backends[ACCOUNT]["aws"]
        known = {role.arn for role in backend.roles.values()}
        if arn not in known | {user.arn for user in backend.users.values()}:
            invalid(f"The specified principalArn is invalid: {arn}")

    def require_role(self, arn: str, service: str, *policies: str, **trust: Any) -> None:
        """Refuse a role that the service may not assume, or that lacks a managed policy.

        Of the trust: actions (sts:AssumeRole) that must be allowed, and the source's ARN.
        """
        roles = iam_backends[ACCOUNT]["aws"].roles.values()
        role = next((role for role in roles if role.arn == arn), None)
        if role is None:
            invalid(f"The role {arn} does not exist")
        document = json.loads(unquote(role.assume_role_policy_document))
        for action in trust.get("actions", ["sts:AssumeRole"]):
            if not _allows(document, action, service, trust.get("source", "")):
                invalid(f"The trust policy of {role.name} does not let {service} do {action}")
        attached = {policy.rpartition("/")[2] for policy in role.managed_policies}
        if lacking := set(policies) - attached:
            invalid(f"The role {role.name} lacks {', '.join(sorted(lacking))}")

    # -- network --

    def require_zones(self, subnets: list[str]) -> str:
        """VPC of the subnets; refused unless they lie in one VPC and two zones that EKS is in."""
        found = [self._ec2.get_subnet(subnet) for subnet in subnets]
        for subnet in found:
            if subnet.availability_zone_id in UNSUPPORTED_ZONES:
                raise RefusedError(
                    400,
                    "UnsupportedAvailabilityZoneException",
                    "EKS does not support creating control plane instances in "
                    f"{subnet.availability_zone}, the targeted availability zone",
                )
        if len({subnet.availability_zone for subnet in found}) < 2:
            invalid("Subnets specified must be in at least two different AZs")
        if len({subnet.vpc_id for subnet in found}) > 1:
            invalid("Subnets specified must be in one VPC")
        vpc: str = found[0].vpc_id
        return vpc

    def require_same_zones(self, before: list[str], after: list[str]) -> None:
        """Refuse subnets for a control plane in other zones than it was made in."""
        self.require_zones(after)
        first, later = (
            {self._ec2.get_subnet(subnet).availability_zone for subnet in subnets}
            for subnets in (before, after)
        )
        if first != later:
            invalid(
                f"Provided subnets belong to the AZs {','.join(sorted(later))}. "
                f"But they should belong to the exact set of AZs {','.join(sorted(first))} "
                "in which subnets were provided during cluster creation."
            )

    def is_public(self, subnets: list[str]) -> bool:
        """Whether one of the subnets has a way to an internet gateway."""
        return any(way.gateway is not None for subnet in subnets for way in self._ways(subnet))

    def require_way_out(self, subnets: list[str]) -> None:
        """Refuse nodes that reach neither the internet nor AWS, or for want of an address."""
        for subnet in subnets:
            gives = self._ec2.get_subnet(subnet).map_public_ip_on_launch
            if self.is_public([subnet]) and str(gives).lower() != "true":
                invalid(f"Ec2SubnetInvalidConfiguration: {subnet} gives no public address")
            if not self._ways(subnet) and (lacking := self._lacking_endpoints(subnet)):
                invalid(f"NodeCreationFailure: nodes in {subnet} do not reach {lacking}")

    def _ways(self, subnet: str) -> list[Any]:
        tables = self._ec2.describe_route_tables(filters={"association.subnet-id": [subnet]})
        routes = [route for table in tables for route in table.routes]
        return [route for route in routes if route.destination_cidr_block == ANYWHERE]

    def _lacking_endpoints(self, subnet: str) -> str:
        vpc = self._ec2.get_subnet(subnet).vpc_id
        there = {
            each.service_name.partition(f"com.amazonaws.{self.region}.")[2]
            for each in self._ec2.vpc_end_points.values()
            if each.vpc_id == vpc
        }
        return ", ".join(each for each in NEEDED_ENDPOINTS if each not in there)

    def create_cluster_group(self, cluster: str, vpc: str) -> str:
        """Make the security group that EKS gives control plane and nodes."""
        name, why = f"eks-cluster-sg-{cluster}", "EKS created security group"
        group: str = self._ec2.create_security_group(name, why, vpc_id=vpc).id
        return group

    def delete_cluster_group(self, group: str) -> None:
        """Take it away again."""
        self._ec2.delete_security_group(group_id=group)

    # -- nodes --

    def template_name(self, template: str) -> str:
        """Name of the launch template with this identity."""
        name: str = self._ec2.get_launch_template(template).name
        return name

    def create_scaling_group(self, cluster: str, group: Json) -> str:
        """Make the Auto Scaling group behind a node group, without its instances; its name."""
        name = f"eks-{group['nodegroupName']}-{group['nodegroupArn'].rpartition('/')[2]}"
        tags = {"eks:cluster-name": cluster, "eks:nodegroup-name": group["nodegroupName"]}
        self._groups.create_auto_scaling_group(
            name=name,
            availability_zones=[],
            desired_capacity=0,
            max_size=0,
            min_size=0,
            launch_config_name="",
            launch_template={"LaunchTemplateId": group["launchTemplate"]["id"]},
            vpc_zone_identifier=",".join(group["subnets"]),
            default_cooldown=None,
            health_check_period=None,
            health_check_type=None,
            load_balancers=[],
            target_group_arns=[],
            placement_group=None,
            termination_policies=[],
            tags=[{"Key": key, "Value": value, **_TAG} for key, value in tags.items()],
        )
        return name

    def scale(self, name: str, sizes: Json) -> None:
        """Note how many nodes there are; moto would start instances of no image."""
        group = self._groups.autoscaling_groups[name]
        group.desired_capacity = sizes["desiredSize"]
        group.min_size, group.max_size = sizes["minSize"], sizes["maxSize"]

    def delete_scaling_group(self, name: str) -> None:
        """Take it away again."""
        del self._groups.autoscaling_groups[name]

    # -- keys and logs --

    def require_key(self, arn: str) -> None:
        """Refuse a key that does not exist or is on its way out."""
        if not arn.startswith(f"arn:aws:kms:{self.region}:{ACCOUNT}:key/"):
            invalid(f"{arn} is not the ARN of a key of this account and region")
        key = kms_backends[ACCOUNT][self.region].describe_key(arn.rpartition("/")[2])
        if key.key_state != "Enabled":
            invalid(f"The key {arn} is {key.key_state}")

    def require_log_group(self, name: str) -> None:
        """Refuse to log where nobody made a group: EKS would, and then Terraform could not."""
        if name not in logs_backends[ACCOUNT][self.region].groups:
            invalid(f"The log group {name} would be made without a key and kept for ever")


_TAG = {"PropagateAtLaunch": "true", "ResourceType": "auto-scaling-group"}


def _allows(document: Json, action: str, service: str, source: str) -> bool:
    """Whether a trust policy lets a service take an action on behalf of a source."""
    statements = document.get("Statement", [])
    fitting = [
        statement
        for statement in (statements if isinstance(statements, list) else [statements])
        if service in _list(statement.get("Principal", {}).get("Service", []))
        and any(fnmatchcase(action, pattern) for pattern in _list(statement.get("Action", [])))
        and _holds(statement.get("Condition", {}), source)
    ]
    effects = {statement["Effect"] for statement in fitting}
    return effects == {"Allow"}


def _holds(conditions: Json, source: str) -> bool:
    for test, wanted in conditions.items():
        for variable, patterns in wanted.items():
            if test not in ("ArnLike", "StringLike", "StringEquals") or not (
                variable.lower() == "aws:sourcearn"
                and any(fnmatchcase(source, pattern) for pattern in _list(patterns))
            ):
                return False
    return True


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
