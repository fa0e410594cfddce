# One key for Secrets, logs and images: what it costs is paid once, and who may use it is said once.

data "aws_partition" "current" {}
data "aws_caller_identity" "current" {}

locals {
  account_arn = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}"
  log_groups  = "arn:${data.aws_partition.current.partition}:logs:${var.aws_region}:${data.aws_caller_identity.current.account_id}:log-group"
}

resource "aws_kms_key" "this" {
  description             = "Secrets, logs and images of ${local.name}"
  enable_key_rotation     = true
  deletion_window_in_days = var.kms_key_deletion_window_in_days

  # In a key's policy "*" is this key.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AsIamSays"
        Effect    = "Allow"
        Principal = { AWS = "${local.account_arn}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "OurLogGroups"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.aws_region}.amazonaws.com" }
        Action    = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
        Resource  = "*"
        Condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = [
              "${local.log_groups}:/aws/eks/${local.cluster_name}/cluster",
              "${local.log_groups}:/aws/vpc/${local.name}-${var.vpc_name}/flow",
            ]
          }
        }
      },
    ]
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${local.cluster_name}"
  target_key_id = aws_kms_key.this.key_id
}
