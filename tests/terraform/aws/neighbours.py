"""What EKS asks of the rest of AWS, asked of moto in the same process."""

from typing import Any
from urllib.parse import unquote

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.logs.models import logs_backends
from terraform.aws.refusals import invalid

ACCOUNT, REGION = "123456789012", "eu-west-2"


def _ec2() -> Any:
    return ec2_backends[ACCOUNT][REGION]


def require_principal(arn: str) -> None:
    """Refuse an IAM principal that does not exist."""
    kind, _, path = arn.rpartition(":")[2].partition("/")
    known = iam_backends[ACCOUNT]["aws"].roles if kind == "role" else {}
    if path.rpartition("/")[2] not in {role.name for role in known.values()}:
        invalid(f"The specified principalArn is invalid: {arn}")


def require_role(arn: str, service: str, *policies: str) -> None:
    """Refuse a role that the service may not assume, or that lacks one of the managed policies."""
    roles = iam_backends[ACCOUNT]["aws"].roles.values()
    role = next((role for role in roles if role.arn == arn), None)
    if role is None:
        invalid(f"The role {arn} does not exist")
    if service not in unquote(role.assume_role_policy_document):
        invalid(f"The role {role.name} does not trust {service}")
    attached = {policy.rpartition("/")[2] for policy in role.managed_policies}
    if lacking := set(policies) - attached:
        invalid(f"The role {role.name} lacks {', '.join(sorted(lacking))}")


def require_zones(subnets: list[str]) -> str:
    """VPC of the subnets; refused unless they lie in one VPC and two zones."""
    found = [_ec2().get_subnet(subnet) for subnet in subnets]
    if len({subnet.availability_zone for subnet in found}) < 2:
        invalid("Subnets specified must be in at least two different AZs")
    if len({subnet.vpc_id for subnet in found}) > 1:
        invalid("Subnets specified must be in one VPC")
    vpc: str = found[0].vpc_id
    return vpc


def require_way_out(subnets: list[str], public: bool) -> None:
    """Refuse nodes that would not reach the internet, by route or for want of an address."""
    for subnet in subnets:
        tables = _ec2().describe_route_tables(filters={"association.subnet-id": [subnet]})
        routes = [route for table in tables for route in table.routes]
        if not any(route.destination_cidr_block == "0.0.0.0/0" for route in routes):
            invalid(f"Nodes in {subnet} cannot reach the internet")
        if public and not _ec2().get_subnet(subnet).map_public_ip_on_launch:
            invalid(f"Ec2SubnetInvalidConfiguration: {subnet} gives no public address")


def require_key(arn: str) -> None:
    """Refuse a key that does not exist or is on its way out."""
    key = kms_backends[ACCOUNT][REGION].describe_key(arn.rpartition("/")[2])
    if key.key_state != "Enabled":
        invalid(f"The key {arn} is {key.key_state}")


def require_log_group(name: str) -> None:
    """Refuse to log where nobody made a group: EKS would, and then Terraform could not."""
    if name not in logs_backends[ACCOUNT][REGION].groups:
        invalid(f"The log group {name} would be made without a key and kept for ever")


def create_cluster_group(cluster: str, vpc: str) -> str:
    """Make the security group that EKS gives control plane and nodes."""
    name = f"eks-cluster-sg-{cluster}"
    group: str = _ec2().create_security_group(name, "EKS created security group", vpc_id=vpc).id
    return group


def delete_cluster_group(group: str) -> None:
    """Take it away again."""
    _ec2().delete_security_group(group_id=group)


def template_name(template: str) -> str:
    """Name of the launch template with this identity."""
    name: str = _ec2().get_launch_template(template).name
    return name
