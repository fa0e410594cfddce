data "aws_region" "current" {}

data "aws_availability_zones" "available" {
  #checkov:skip=CKV_AWS_394:the zones are pinned by vpc_availability_zones; left to null the region's own list is wanted
  state = "available"
  # EKS puts no control plane there; which letter the account knows them by differs.
  exclude_zone_ids = ["use1-az3", "usw1-az2", "cac1-az3"]

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  wanted_zones = max(2, length(var.public_subnets), length(var.private_subnets), length(var.database_subnets))
  offered      = data.aws_availability_zones.available.names
  zones        = coalesce(var.availability_zones, slice(local.offered, 0, min(local.wanted_zones, length(local.offered))))

  # By place in its list: taking the last block out leaves the others alone, taking another moves those behind it.
  zone_of = merge([
    for blocks in [var.public_subnets, var.private_subnets, var.database_subnets] :
    { for i, block in blocks : block => local.zones[i % length(local.zones)] }
  ]...)

  cluster_tag = { "kubernetes.io/cluster/${var.cluster_name}" = "shared" }
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr_block
  enable_dns_hostnames = true
  enable_dns_support   = true
  tags                 = { Name = var.name }

  lifecycle {
    precondition {
      condition     = length(distinct(local.zones)) >= 2
      error_message = "EKS needs two availability zones and this region offers ${length(local.offered)} to the account: choose another aws_region, or name two zones in vpc_availability_zones."
    }
    precondition {
      condition     = length(setsubtract(local.zones, local.offered)) == 0
      error_message = "Write zones of this region in vpc_availability_zones, of: ${join(", ", local.offered)}."
    }
  }
}

# Without rules nothing can lean on it by accident.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-default-unused" }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = var.name }
}

# -- subnets; the tags tell the AWS Load Balancer Controller which may hold what --

resource "aws_subnet" "public" {
  #checkov:skip=CKV_AWS_130:a public subnet gives public addresses; that is what it is for
  for_each = toset(var.public_subnets)

  vpc_id                  = aws_vpc.this.id
  cidr_block              = each.value
  availability_zone       = local.zone_of[each.value]
  map_public_ip_on_launch = true
  tags = merge(local.cluster_tag, {
    Name                     = "${var.name}-public-${local.zone_of[each.value]}"
    "kubernetes.io/role/elb" = "1"
  })
}

resource "aws_subnet" "private" {
  for_each = toset(var.private_subnets)

  vpc_id            = aws_vpc.this.id
  cidr_block        = each.value
  availability_zone = local.zone_of[each.value]
  tags = merge(local.cluster_tag, {
    Name                              = "${var.name}-private-${local.zone_of[each.value]}"
    "kubernetes.io/role/internal-elb" = "1"
  })
}

resource "aws_subnet" "database" {
  for_each = toset(var.database_subnets)

  vpc_id            = aws_vpc.this.id
  cidr_block        = each.value
  availability_zone = local.zone_of[each.value]
  tags              = { Name = "${var.name}-database-${local.zone_of[each.value]}" }
}

resource "aws_db_subnet_group" "this" {
  count = var.create_database_subnet_group && length(var.database_subnets) > 0 ? 1 : 0

  name        = lower(var.name)
  description = "Database subnets of ${var.name}"
  subnet_ids  = [for block in var.database_subnets : aws_subnet.database[block].id]
}
