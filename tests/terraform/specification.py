"""The rows C1 to C5 of the specification, as the defaults make them."""

from typing import Any

from terraform.mocked import Stack

VPC, EKS, HOST = "module.vpc[0].", "module.eks.", "module.bastion[0]."
CLUSTER, INSTANCE = f"{EKS}aws_eks_cluster.eks_cluster", f"{HOST}aws_instance.this"
GROUP = f'{EKS}module.%s_nodes.aws_eks_node_group.this["%s"]'

# Address, attribute, value.
SPECIFICATION: list[tuple[str, str, Any]] = [
    (f"{VPC}aws_vpc.this", "cidr_block", "10.0.0.0/16"),
    (f"{VPC}aws_vpc.this", "tags", {"Name": "weather-dev-myvpc"}),
    *(
        (f'{VPC}aws_subnet.{tier}["{block}"]', "availability_zone", f"eu-west-2{zone}")
        for tier, block, zone in (
            ("public", "10.0.101.0/24", "a"),
            ("public", "10.0.102.0/24", "b"),
            ("private", "10.0.1.0/24", "a"),
            ("private", "10.0.2.0/24", "b"),
            ("database", "10.0.151.0/24", "a"),
            ("database", "10.0.152.0/24", "b"),
        )
    ),
    (
        f"{VPC}aws_db_subnet_group.this[0]",
        "subnet_ids",
        [f'@{VPC}aws_subnet.database["10.0.{block}.0/24"].id' for block in (151, 152)],
    ),
    (f"{VPC}aws_internet_gateway.this", "vpc_id", f"@{VPC}aws_vpc.this.id"),
    (
        f'{VPC}aws_nat_gateway.this["single"]',
        "subnet_id",
        f'@{VPC}aws_subnet.public["10.0.101.0/24"].id',
    ),
    (INSTANCE, "subnet_id", f'@{VPC}aws_subnet.public["10.0.101.0/24"].id'),
    (INSTANCE, "instance_type", "t3.micro"),
    (INSTANCE, "tags", {"Name": "weather-dev-BastionHost"}),
    (INSTANCE, "ami", f"@{HOST}data.aws_ami.this.id"),
    (f"{HOST}aws_eip.bastion_eip", "instance", f"@{INSTANCE}.id"),
    (f"{HOST}data.aws_ami.this", "most_recent", True),
    (CLUSTER, "name", "weather-dev-eksdemo"),
    (CLUSTER, "version", "1.36"),
    (
        CLUSTER,
        "enabled_cluster_log_types",
        ["api", "audit", "authenticator", "controllerManager", "scheduler"],
    ),
    (CLUSTER, "role_arn", "arn:aws:iam::123456789012:role/cluster"),
    *(
        (GROUP % (tier, tier), attribute, value)
        for tier in ("public", "private")
        for attribute, value in (
            ("node_group_name", f"weather-dev-eksdemo-eks-ng-{tier}"),
            ("ami_type", "AL2023_x86_64_STANDARD"),
            ("capacity_type", "ON_DEMAND"),
            ("instance_types", ["t3.medium"]),
            ("scaling_config", [{"desired_size": 1, "min_size": 1, "max_size": 2}]),
            ("update_config", [{"max_unavailable": 1}]),
            ("node_role_arn", "arn:aws:iam::123456789012:role/nodes"),
        )
    ),
    (
        GROUP % ("public", "public"),
        "subnet_ids",
        [f'@{VPC}aws_subnet.public["10.0.{block}.0/24"].id' for block in (101, 102)],
    ),
    (
        GROUP % ("private", "private"),
        "subnet_ids",
        [f'@{VPC}aws_subnet.private["10.0.{block}.0/24"].id' for block in (1, 2)],
    ),
    *(
        (
            f'{EKS}aws_iam_role_policy_attachment.node["{policy}"]',
            "policy_arn",
            f"arn:aws:iam::aws:policy/{policy}",
        )
        for policy in (
            "AmazonEKSWorkerNodePolicy",
            "AmazonEKS_CNI_Policy",
            "AmazonEC2ContainerRegistryReadOnly",
        )
    ),
]


def differences(defaults: Stack) -> list[str]:
    """How a stack of the defaults differs from the specification."""
    found = [
        (address, attribute, value, defaults.resources.get(address, {}).get(attribute))
        for address, attribute, value in SPECIFICATION
    ]
    return [
        f"{address} {attribute} is {now}, not {value}"
        for address, attribute, value, now in found
        if now != value
    ] + [
        f"the disk of {tier} nodes is not of 20 GB"
        for tier in ("public", "private")
        if _disk(defaults, tier) != 20
    ]


def _disk(stack: Stack, tier: str) -> Any:
    template = f'{EKS}module.{tier}_nodes.aws_launch_template.node["{tier}"]'
    [disk] = stack.resources[template]["block_device_mappings"]
    return disk["ebs"][0]["volume_size"]
