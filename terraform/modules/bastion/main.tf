data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

data "aws_ami" "this" {
  most_recent = true
  owners      = ["amazon"]

  filter {
    name   = "name"
    values = [var.ami_os == "amzlinux2" ? "amzn2-ami-hvm-*-gp2" : "al2023-ami-2023.*-x86_64"]
  }
  filter {
    name   = "root-device-type"
    values = ["ebs"]
  }
  filter {
    name   = "virtualization-type"
    values = ["hvm"]
  }
  filter {
    name   = "architecture"
    values = ["x86_64"]
  }
}

resource "aws_key_pair" "this" {
  count = var.public_key == null ? 0 : 1

  key_name   = var.key_name
  public_key = var.public_key
}

resource "aws_instance" "this" {
  #checkov:skip=CKV_AWS_126:detailed monitoring is paid and says nothing more about a host one logs in to; bastion_monitoring turns it on
  ami                    = data.aws_ami.this.id
  instance_type          = var.instance_type
  key_name               = one(aws_key_pair.this[*].key_name)
  subnet_id              = var.subnet_id
  vpc_security_group_ids = [aws_security_group.this.id]
  iam_instance_profile   = aws_iam_instance_profile.this.name
  ebs_optimized          = true
  monitoring             = var.monitoring
  user_data = templatefile("${path.module}/first-start.sh.tftpl", {
    cluster_name       = var.cluster_name
    kubernetes_version = var.kubernetes_version
    region             = data.aws_region.current.id
  })

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    encrypted   = true
    volume_type = "gp3"
    volume_size = 10
  }

  tags = { Name = var.name }

  # A newer image is no reason to throw away a host that people are logged in to.
  lifecycle {
    ignore_changes = [ami, user_data]
  }

  # Session Manager must be allowed before the agent first asks.
  depends_on = [aws_iam_role_policy_attachment.session_manager, aws_vpc_security_group_egress_rule.https]
}

resource "aws_eip" "bastion_eip" {
  domain   = "vpc"
  instance = aws_instance.this.id
  tags     = { Name = var.name }
}

# -- who may reach it, and what it may reach --

resource "aws_security_group" "this" {
  name        = var.name
  description = "Bastion host"
  vpc_id      = var.vpc_id
  tags        = { Name = var.name }
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  for_each = var.allowed_cidrs

  security_group_id = aws_security_group.this.id
  description       = "SSH from ${each.value}"
  cidr_ipv4         = each.value
  from_port         = 22
  to_port           = 22
  ip_protocol       = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.this.id
  description       = "HTTPS: Session Manager, the cluster API, packages"
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = 443
  to_port           = 443
  ip_protocol       = "tcp"
}

# -- what it may do in AWS: be logged in to, and look up the cluster's address --

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "describe_cluster" {
  statement {
    actions   = ["eks:DescribeCluster"]
    resources = ["arn:${data.aws_partition.current.partition}:eks:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:cluster/${var.cluster_name}"]
  }
}

resource "aws_iam_role" "this" {
  name               = var.name
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "describe_cluster" {
  name   = "describe-cluster"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.describe_cluster.json
}

resource "aws_iam_role_policy_attachment" "session_manager" {
  role       = aws_iam_role.this.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "this" {
  name = var.name
  role = aws_iam_role.this.name
}
