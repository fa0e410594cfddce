# Rules between address blocks. Of each block's own form its variable speaks.

locals {
  subnet_blocks = concat(var.vpc_public_subnets, var.vpc_private_subnets, var.vpc_database_subnets)
  blocks        = distinct(concat([var.vpc_cidr_block, var.cluster_service_ipv4_cidr], local.subnet_blocks))
  mask          = { for block in local.blocks : block => tonumber(split("/", block)[1]) }

  # Two blocks share addresses when they are equal under the wider one's mask.
  sharing = { for a in local.blocks : a => [
    for b in local.blocks : b if length(distinct([
      for block in [a, b] : cidrhost("${split("/", block)[0]}/${min(local.mask[a], local.mask[b])}", 0)
    ])) == 1
  ] }

  # One wider than the VPC is not missed: it overlaps the others.
  outside_vpc = [for block in local.subnet_blocks : block if !contains(local.sharing[var.vpc_cidr_block], block)]
  overlapping = distinct([
    for block in local.subnet_blocks : block
    if length([for other in local.subnet_blocks : other if contains(local.sharing[block], other)]) > 1
  ])
}

# Nothing but its preconditions, which a plan asks: were they validations of the variables, these would refer to one another in a circle.
resource "terraform_data" "addresses" {
  lifecycle {
    precondition {
      condition     = length(local.outside_vpc) == 0
      error_message = "Write subnets inside vpc_cidr_block (${var.vpc_cidr_block}); these are not: ${join(", ", local.outside_vpc)}."
    }
    precondition {
      condition     = length(local.overlapping) == 0
      error_message = "Write each subnet once and apart from all others in vpc_public_subnets, vpc_private_subnets and vpc_database_subnets; these overlap: ${join(", ", local.overlapping)}."
    }
    precondition {
      condition     = !contains(local.sharing[var.vpc_cidr_block], var.cluster_service_ipv4_cidr)
      error_message = "Write a cluster_service_ipv4_cidr outside vpc_cidr_block (${var.vpc_cidr_block}), such as 172.20.0.0/16: pods could not reach what has the same address."
    }
  }
}
