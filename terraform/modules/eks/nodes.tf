# EKS changes neither image, price, instance types nor subnets of a group that is there: Terraform
# makes another, which must have another name while both are. The usual choices have none in it.

locals {
  usual_choices = ["AL2023_x86_64_STANDARD", "ON_DEMAND", ["t3.medium"], 2]

  choices    = { for key, group in var.node_groups : key => [group.ami_type, group.capacity_type, group.instance_types, length(var.subnets[group.subnet_type])] }
  suffix     = { for key, choices in local.choices : key => jsonencode(choices) == jsonencode(local.usual_choices) ? "" : "-${substr(sha1(jsonencode(choices)), 0, 4)}" }
  group_name = { for key in keys(var.node_groups) : key => "${var.name}-eks-ng-${key}${local.suffix[key]}" }
}

# How many nodes there are is the cluster autoscaler's choice once a group is made: what it chose is
# read, and kept within the limits, for EKS refuses a min_size above it.

data "aws_autoscaling_groups" "node" {
  for_each = local.group_name

  filter {
    name   = "tag:eks:cluster-name"
    values = [var.name]
  }
  filter {
    name   = "tag:eks:nodegroup-name"
    values = [each.value]
  }
}

data "aws_autoscaling_group" "node" {
  for_each = { for key, found in data.aws_autoscaling_groups.node : key => found.names[0] if length(found.names) > 0 }

  name = each.value
}

locals {
  groups = { for key, group in var.node_groups : key => merge(group, group.scaling_config, group.update_config, {
    name               = local.group_name[key]
    kubernetes_version = coalesce(group.kubernetes_version, aws_eks_cluster.eks_cluster.version)
    desired_size = max(group.scaling_config.min_size, min(group.scaling_config.max_size,
    try(data.aws_autoscaling_group.node[key].desired_capacity, group.scaling_config.desired_size)))
  }) }
}

# One tier after the other: what leaves the nodes of one finds room on the other's.

module "public_nodes" {
  source = "../node-groups"

  cluster_name = aws_eks_cluster.eks_cluster.name
  role_arn     = aws_iam_role.eks_nodegroup_role.arn
  subnets      = var.subnets["public"]
  groups       = { for key, group in local.groups : key => group if group.subnet_type == "public" }
  tags         = var.tags

  depends_on = [aws_iam_role_policy_attachment.node, aws_eks_addon.before_nodes]
}

module "private_nodes" {
  source = "../node-groups"

  cluster_name = aws_eks_cluster.eks_cluster.name
  role_arn     = aws_iam_role.eks_nodegroup_role.arn
  subnets      = var.subnets["private"]
  groups       = { for key, group in local.groups : key => group if group.subnet_type == "private" }
  tags         = var.tags

  depends_on = [module.public_nodes, aws_iam_role_policy_attachment.node, aws_eks_addon.before_nodes]
}

resource "aws_eks_fargate_profile" "this" {
  for_each = var.fargate_profiles

  cluster_name           = aws_eks_cluster.eks_cluster.name
  fargate_profile_name   = each.key
  pod_execution_role_arn = aws_iam_role.eks_fargate_role[0].arn
  subnet_ids             = var.subnets["private"]

  dynamic "selector" {
    for_each = each.value.selectors

    content {
      namespace = selector.value.namespace
      labels    = selector.value.labels
    }
  }

  depends_on = [aws_iam_role_policy_attachment.fargate]
}
