data "aws_partition" "current" {}
data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.id
  policies  = "arn:${local.partition}:iam::aws:policy"
}

# Before the cluster: EKS would make it without key and retention.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/eks/${var.name}/cluster"
  retention_in_days = var.log_retention_in_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_eks_cluster" "eks_cluster" {
  #checkov:skip=CKV_AWS_339:checkov's list of supported versions ends before 1.36
  #checkov:skip=CKV_AWS_37:all five logs are on by default, which the scanner does not see through two variables and a test does
  #checkov:skip=CKV_AWS_39:the public endpoint is off by default, and on only for the blocks one names
  name                          = var.name
  role_arn                      = aws_iam_role.eks_master_role.arn
  version                       = var.kubernetes_version
  enabled_cluster_log_types     = var.enabled_log_types
  bootstrap_self_managed_addons = false

  vpc_config {
    subnet_ids              = var.control_plane_subnets
    endpoint_private_access = var.endpoint_private_access
    endpoint_public_access  = var.endpoint_public_access
    public_access_cidrs     = var.endpoint_public_access ? var.public_access_cidrs : null
  }

  kubernetes_network_config {
    service_ipv4_cidr = var.service_ipv4_cidr
  }

  # An entry for the creator would follow whoever runs apply: entries are named instead.
  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = false
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = var.kms_key_arn
    }
  }

  upgrade_policy {
    support_type = var.support_type
  }

  depends_on = [
    aws_iam_role_policy_attachment.cluster,
    aws_iam_role_policy.cluster_key,
    aws_cloudwatch_log_group.this,
  ]
}

# -- who may use it --

resource "aws_vpc_security_group_ingress_rule" "api" {
  for_each = var.api_clients

  security_group_id            = aws_eks_cluster.eks_cluster.vpc_config[0].cluster_security_group_id
  referenced_security_group_id = each.value
  description                  = "The cluster API from the ${each.key}"
  from_port                    = 443
  to_port                      = 443
  ip_protocol                  = "tcp"
}

resource "aws_eks_access_entry" "this" {
  for_each = var.access_entries

  cluster_name  = aws_eks_cluster.eks_cluster.name
  principal_arn = each.value.principal_arn
}

resource "aws_eks_access_policy_association" "this" {
  for_each = var.access_entries

  cluster_name  = aws_eks_cluster.eks_cluster.name
  principal_arn = aws_eks_access_entry.this[each.key].principal_arn
  policy_arn    = "arn:${local.partition}:eks::aws:cluster-access-policy/${each.value.policy}"

  access_scope {
    type       = length(each.value.namespaces) > 0 ? "namespace" : "cluster"
    namespaces = each.value.namespaces
  }
}

# -- add-ons: a node is Ready only with a network, the rest needs somewhere to run --

# Looked up, not left to EKS, which chooses when an add-on is made and leaves it there at an upgrade.
data "aws_eks_addon_version" "default" {
  for_each = toset([for name, addon in var.addons : name if addon.version == null])

  addon_name         = each.value
  kubernetes_version = var.kubernetes_version
}

locals {
  before_nodes   = setintersection(keys(var.addons), ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"])
  addon_versions = { for name, addon in var.addons : name => addon.version == null ? data.aws_eks_addon_version.default[name].version : addon.version }
}

resource "aws_eks_addon" "before_nodes" {
  for_each = local.before_nodes

  cluster_name                = aws_eks_cluster.eks_cluster.name
  addon_name                  = each.value
  addon_version               = local.addon_versions[each.value]
  configuration_values        = var.addons[each.value].configuration
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
}

resource "aws_eks_addon" "after_nodes" {
  for_each = setsubtract(keys(var.addons), local.before_nodes)

  cluster_name                = aws_eks_cluster.eks_cluster.name
  addon_name                  = each.value
  addon_version               = local.addon_versions[each.value]
  configuration_values        = var.addons[each.value].configuration
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
  depends_on                  = [module.public_nodes, module.private_nodes, aws_eks_fargate_profile.this]
}
