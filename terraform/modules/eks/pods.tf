# Roles for pods: by Pod Identity, which needs its agent on a node, or by IRSA, which also works on Fargate.

locals {
  issuer = trimprefix(aws_eks_cluster.eks_cluster.identity[0].oidc[0].issuer, "https://")

  pod_policies = {
    load-balancer-controller = data.aws_iam_policy_document.load_balancer_controller.json
    cluster-autoscaler       = data.aws_iam_policy_document.cluster_autoscaler.json
    ecr-reader               = data.aws_iam_policy_document.ecr_reader.json
  }
}

resource "aws_iam_openid_connect_provider" "this" {
  count = var.oidc_provider_enabled ? 1 : 0

  url            = aws_eks_cluster.eks_cluster.identity[0].oidc[0].issuer
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "pod_trust" {
  for_each = var.pod_roles

  dynamic "statement" {
    for_each = each.value.irsa ? [] : ["pod-identity"]

    content {
      actions = ["sts:AssumeRole", "sts:TagSession"]

      principals {
        type        = "Service"
        identifiers = ["pods.eks.amazonaws.com"]
      }
    }
  }

  dynamic "statement" {
    for_each = each.value.irsa ? ["irsa"] : []

    content {
      actions = ["sts:AssumeRoleWithWebIdentity"]

      principals {
        type        = "Federated"
        identifiers = [aws_iam_openid_connect_provider.this[0].arn]
      }
      condition {
        test     = "StringEquals"
        variable = "${local.issuer}:sub"
        values   = ["system:serviceaccount:${each.value.namespace}:${each.value.service_account}"]
      }
      condition {
        test     = "StringEquals"
        variable = "${local.issuer}:aud"
        values   = ["sts.amazonaws.com"]
      }
    }
  }
}

resource "aws_iam_role" "pod" {
  for_each = var.pod_roles

  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.pod_trust[each.key].json
}

resource "aws_iam_role_policy" "pod" {
  for_each = var.pod_roles

  name   = each.key
  role   = aws_iam_role.pod[each.key].id
  policy = local.pod_policies[each.key]
}

resource "aws_eks_pod_identity_association" "this" {
  for_each = { for name, role in var.pod_roles : name => role if !role.irsa }

  cluster_name    = aws_eks_cluster.eks_cluster.name
  namespace       = each.value.namespace
  service_account = each.value.service_account
  role_arn        = aws_iam_role.pod[each.key].arn
  depends_on      = [aws_iam_role_policy.pod, aws_eks_addon.before_nodes]
}
