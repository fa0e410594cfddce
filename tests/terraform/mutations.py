"""Mistakes that a colleague could make in terraform/, each one replacement of text in a file."""

from dataclasses import dataclass

VPC, ROUTES, ENDPOINTS = (f"modules/vpc/{name}.tf" for name in ("main", "routes", "endpoints"))
EKS, IAM, NODES, PODS, POLICIES = (
    f"modules/eks/{name}.tf" for name in ("main", "iam", "nodes", "pods", "pod_policies")
)
HOST, ECR, FLOW = "modules/bastion/main.tf", "modules/ecr/main.tf", "modules/vpc/flow_logs.tf"
GROUPS = "modules/node-groups/main.tf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """Text in a file, and what stands there instead."""

    what: str
    file: str
    old: str
    new: str


def _mutation(what: str, file: str, old: str, new: str) -> Mutation:
    return Mutation(what=what, file=file, old=old, new=new)


MUTATIONS = (
    # Who may do what.
    _mutation(
        "pod policies swapped",
        PODS,
        "policy = local.pod_policies[each.key]",
        "policy = reverse(values(local.pod_policies))[index(keys(local.pod_policies), each.key)]",
    ),
    _mutation(
        "Pod Identity without sts:TagSession",
        PODS,
        '["sts:AssumeRole", "sts:TagSession"]',
        '["sts:AssumeRole"]',
    ),
    _mutation("cluster without sts:TagSession", IAM, ', "sts:TagSession"]', "]"),
    _mutation(
        "IRSA for any ServiceAccount",
        PODS,
        "${each.value.namespace}:${each.value.service_account}",
        "${each.value.namespace}:*",
    ),
    _mutation("IRSA without audience", PODS, ":aud", ":amr"),
    _mutation(
        "IRSA for another client",
        PODS,
        'client_id_list = ["sts.amazonaws.com"]',
        'client_id_list = ["sts"]',
    ),
    _mutation(
        "Pod Identity trusts EC2", PODS, '["pods.eks.amazonaws.com"]', '["ec2.amazonaws.com"]'
    ),
    _mutation(
        "association with the wrong account",
        PODS,
        "service_account = each.value.service_account",
        'service_account = "default"',
    ),
    _mutation(
        "association with IRSA roles too", PODS, " if !role.irsa }", " if !role.irsa || true }"
    ),
    _mutation(
        "key policy without logs",
        "key.tf",
        '"logs.${var.aws_region}.amazonaws.com"',
        '"ec2.amazonaws.com"',
    ),
    _mutation(
        "key policy for the flow log alone",
        "key.tf",
        '              "${local.log_groups}:/aws/eks/${local.cluster_name}/cluster",\n',
        "",
    ),
    _mutation("key without rotation", "key.tf", "enable_key_rotation     = true", ""),
    _mutation(
        "key kept shorter",
        "key.tf",
        "deletion_window_in_days = var.kms_key_deletion_window_in_days",
        "deletion_window_in_days = 30",
    ),
    _mutation(
        "cluster may not use the key",
        IAM,
        '"kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"',
        '"kms:DescribeKey"',
    ),
    _mutation(
        "nodes without the CNI policy",
        IAM,
        '"AmazonEKS_CNI_Policy", "AmazonEC2',
        '"AmazonEC2',
    ),
    _mutation("nodes that cannot pull", IAM, ', "AmazonEC2ContainerRegistryReadOnly"]', "]"),
    _mutation("Fargate from any cluster", IAM, "fargateprofile/${var.name}/*", "fargateprofile/*"),
    _mutation(
        "every entry ClusterAdmin",
        EKS,
        "cluster-access-policy/${each.value.policy}",
        "cluster-access-policy/AmazonEKSClusterAdminPolicy",
    ),
    _mutation(
        "every entry for the whole cluster",
        EKS,
        'type       = length(each.value.namespaces) > 0 ? "namespace" : "cluster"\n'
        "    namespaces = each.value.namespaces",
        'type       = "cluster"',
    ),
    _mutation(
        "the creator is administrator",
        EKS,
        "bootstrap_cluster_creator_admin_permissions = false",
        "bootstrap_cluster_creator_admin_permissions = true",
    ),
    _mutation("access by ConfigMap too", EKS, '= "API"', '= "API_AND_CONFIG_MAP"'),
    _mutation(
        "autoscaler scales any group",
        POLICIES,
        "aws:ResourceTag/k8s.io/cluster-autoscaler/${var.name}",
        "aws:ResourceTag/k8s.io/cluster-autoscaler/enabled",
    ),
    _mutation(
        "controller deletes any load balancer",
        POLICIES,
        '    sid = "OurLoadBalancers"\n    actions = [',
        '    sid = "OurLoadBalancers"\n    actions = [\n      "ec2:TerminateInstances",',
    ),
    _mutation(
        "controller registers no targets",
        POLICIES,
        '      "elasticloadbalancing:RegisterTargets",\n',
        "",
    ),
    _mutation(
        "controller tags any load balancer",
        POLICIES,
        '      variable = "elasticloadbalancing:CreateAction"\n'
        '      values   = ["CreateLoadBalancer", "CreateTargetGroup"]',
        '      variable = "aws:RequestedRegion"\n      values   = [local.region]',
    ),
    _mutation(
        "the bastion administers",
        "variables.tf",
        'default     = "AmazonEKSViewPolicy"',
        'default     = "AmazonEKSClusterAdminPolicy"',
    ),
    _mutation("operator pulls any image", POLICIES, '"ecr:DescribeImages"', '"ecr:*"'),
    _mutation(
        "bastion without Session Manager", HOST, "AmazonSSMManagedInstanceCore", "ReadOnlyAccess"
    ),
    _mutation("bastion looks at any cluster", HOST, ":cluster/${var.cluster_name}", ":cluster/*"),
    _mutation("flow logs written by EC2", FLOW, "vpc-flow-logs.amazonaws.com", "ec2.amazonaws.com"),
    # Network.
    _mutation(
        "bastion in a private subnet",
        "main.tf",
        "subnet_id          = local.public_subnets[0]",
        "subnet_id          = local.private_subnets[0]",
    ),
    _mutation(
        "S3 endpoint without routes",
        ENDPOINTS,
        "route_table_ids   = [for table in aws_route_table.private : table.id]",
        "route_table_ids   = []",
    ),
    _mutation(
        "interface endpoint's name not answered",
        ENDPOINTS,
        "private_dns_enabled = true",
        "private_dns_enabled = false",
    ),
    _mutation("endpoints open on port 80", ENDPOINTS, "from_port         = 443", "from_port = 80"),
    _mutation(
        "NAT gateways in one zone",
        ROUTES,
        "subnet_id     = aws_subnet.public[each.value].id",
        "subnet_id     = aws_subnet.public[var.public_subnets[0]].id",
    ),
    _mutation(
        "private routes to one gateway",
        ROUTES,
        "aws_nat_gateway.this[each.key].id",
        "values(aws_nat_gateway.this)[0].id",
    ),
    _mutation(
        "private subnets on the public table",
        ROUTES,
        "route_table_id = aws_route_table.private[local.table_of[each.key]].id\n",
        "route_table_id = aws_route_table.public.id\n",
    ),
    _mutation(
        "database subnets with a way out",
        ROUTES,
        "local.database_alone ? aws_route_table.database[0].id : ",
        "",
    ),
    _mutation(
        "public route to a block", ROUTES, '"0.0.0.0/0"\n  gateway', '"0.0.0.0/1"\n  gateway'
    ),
    _mutation(
        "database group of private subnets",
        VPC,
        "[for block in var.database_subnets : aws_subnet.database[block].id]",
        "[for block in var.private_subnets : aws_subnet.private[block].id]",
    ),
    _mutation(
        "all subnets in one zone", VPC, "local.zones[i % length(local.zones)]", "local.zones[0]"
    ),
    _mutation(
        "role tags swapped",
        VPC,
        '"kubernetes.io/role/internal-elb" = "1"',
        '"kubernetes.io/role/elb" = "1"',
    ),
    _mutation("public subnets without addresses", VPC, "map_public_ip_on_launch = true\n", "\n"),
    _mutation("VPC without DNS names", VPC, "enable_dns_hostnames = true\n", "\n"),
    _mutation("accepted traffic alone is logged", FLOW, '"ALL"', '"ACCEPT"'),
    _mutation("flow logs without our key", FLOW, "kms_key_id        = var.kms_key_arn", ""),
    _mutation("another VPC block", "variables.tf", '"10.0.0.0/16"\n\n', '"10.0.0.0/17"\n\n'),
    _mutation(
        "another private block",
        "variables.tf",
        '= ["10.0.1.0/24", "10.0.2.0/24"]',
        '= ["10.0.1.0/24", "10.0.3.0/24"]',
    ),
    _mutation("SSH on another port", HOST, "to_port           = 22", "to_port           = 2222"),
    _mutation(
        "the API shut to the bastion",
        EKS,
        "referenced_security_group_id = each.value",
        'cidr_ipv4 = "10.0.0.0/32"',
    ),
    # Cluster and nodes.
    _mutation(
        "private endpoint off",
        EKS,
        "endpoint_private_access = var.endpoint_private_access",
        "endpoint_private_access = false",
    ),
    _mutation(
        "EXTENDED support", EKS, "support_type = var.support_type", 'support_type = "EXTENDED"'
    ),
    _mutation(
        "public endpoint open to the world",
        EKS,
        "var.endpoint_public_access ? var.public_access_cidrs : null",
        '["0.0.0.0/0"]',
    ),
    _mutation(
        "control plane in public subnets",
        "main.tf",
        '== "public" ? local.public_subnets',
        '!= "public" ? local.public_subnets',
    ),
    _mutation(
        "Fargate in public subnets",
        NODES,
        'subnet_ids             = var.subnets["private"]',
        'subnet_ids             = var.subnets["public"]',
    ),
    _mutation(
        "private nodes in public subnets",
        NODES,
        'subnets      = var.subnets["private"]',
        'subnets      = var.subnets["public"]',
    ),
    _mutation("Secrets with AWS's key", EKS, 'resources = ["secrets"]', "resources = []"),
    _mutation(
        "four logs of five",
        "variables.tf",
        '"controllerManager", "scheduler"]\n\n',
        '"scheduler"]\n\n',
    ),
    _mutation(
        "logs kept a week",
        EKS,
        "retention_in_days = var.log_retention_in_days",
        "retention_in_days = 7",
    ),
    _mutation(
        "another service block", "variables.tf", '= "172.20.0.0/16"\n\n', '= "172.21.0.0/16"\n\n'
    ),
    _mutation("larger nodes", "variables.tf", '["t3.medium"])', '["t3.large"])'),
    _mutation("SPOT nodes", "variables.tf", 'string, "ON_DEMAND"', 'string, "SPOT"'),
    _mutation("a larger disk", "variables.tf", "optional(number, 20)", "optional(number, 30)"),
    _mutation(
        "three nodes at most",
        "variables.tf",
        "max_size     = optional(number, 2)",
        "max_size     = optional(number, 3)",
    ),
    _mutation(
        "two at a time", "variables.tf", "{ max_unavailable = 1 })", "{ max_unavailable = 2 })"
    ),
    _mutation("a larger bastion", "variables.tf", '"t3.micro"\n', '"t3.small"\n'),
    _mutation(
        "disks in the clear",
        GROUPS,
        "encrypted             = true",
        "encrypted             = false",
    ),
    _mutation(
        "metadata in two hops",
        GROUPS,
        "http_put_response_hop_limit = 1",
        "http_put_response_hop_limit = 2",
    ),
    _mutation("metadata without a token", HOST, '"required"', '"optional"'),
    _mutation("taints forgotten", GROUPS, "for_each = each.value.taints", "for_each = []"),
    _mutation(
        "nodes before the network",
        NODES,
        "module.public_nodes, aws_iam_role_policy_attachment.node, aws_eks_addon.before_nodes]",
        "aws_iam_role_policy_attachment.node]",
    ),
    _mutation(
        "nodes before their policies",
        NODES,
        "= [aws_iam_role_policy_attachment.node, aws_eks_addon.before_nodes]",
        "= [aws_eks_addon.before_nodes]",
    ),
    _mutation(
        "both tiers at once",
        NODES,
        "module.public_nodes, aws_iam_role_policy_attachment.node, ",
        "aws_iam_role_policy_attachment.node, ",
    ),
    _mutation(
        "a successor of the same name",
        NODES,
        '"${var.name}-eks-ng-${key}${local.suffix[key]}"',
        '"${var.name}-eks-ng-${key}"',
    ),
    _mutation(
        "fewer nodes than min_size",
        NODES,
        "max(group.scaling_config.min_size, min(",
        "max(0, min(",
    ),
    _mutation(
        "the autoscaler's choice undone",
        NODES,
        "try(data.aws_autoscaling_group.node[key].desired_capacity, group",
        "try(group",
    ),
    _mutation(
        "a control plane in three zones",
        "main.tf",
        "local.private_subnets, 0, 2)",
        "local.private_subnets, 0, length(local.private_subnets))",
    ),
    _mutation("cluster before its log group", EKS, "    aws_cloudwatch_log_group.this,\n", ""),
    # Images and what the runbook reads.
    _mutation("lifecycle expires tagged images", ECR, '"untagged"\n', '"any"\n'),
    _mutation("tags that move", ECR, '"IMMUTABLE"', '"MUTABLE"'),
    _mutation("images not scanned", ECR, "scan_on_push = true", "scan_on_push = false"),
    _mutation(
        "controller without its region", "outputs.tf", "    region      = var.aws_region\n", ""
    ),
    _mutation(
        "registry of another region", "outputs.tf", "dkr.ecr.${var.aws_region}", "dkr.ecr.us-east-1"
    ),
    _mutation(
        "the controller's webhook for Services",
        "outputs.tf",
        "enableServiceMutatorWebhook = false",
        "enableServiceMutatorWebhook = true",
    ),
    _mutation("a shell without a profile", "outputs.tf", "bash --login", "sh"),
    _mutation("tunnel to another port", "outputs.tf", "portNumber=443", "portNumber=6443"),
)
