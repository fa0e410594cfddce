# Warnings: what works, but may not be meant.

check "somebody_administers" {
  assert {
    condition = anytrue(concat(
      [for entry in values(var.access_entries) : entry.policy == "AmazonEKSClusterAdminPolicy" && length(entry.namespaces) == 0],
      [var.bastion_enabled && var.bastion_cluster_policy == "AmazonEKSClusterAdminPolicy"],
    ))
    error_message = "Nobody may install anything in the cluster: add an administrator's role with AmazonEKSClusterAdminPolicy to access_entries."
  }
}

check "api_not_open_to_the_world" {
  assert {
    condition     = !var.cluster_endpoint_public_access || !contains(var.cluster_endpoint_public_access_cidrs, "0.0.0.0/0")
    error_message = "The cluster API answers to the whole internet: write your own addresses in cluster_endpoint_public_access_cidrs."
  }
}

check "private_nodes_reach_aws" {
  assert {
    condition = var.existing_vpc != null || var.vpc_enable_nat_gateway || length(setsubtract(["ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "sts"], var.vpc_interface_endpoints)) == 0 || (
    length(var.fargate_profiles) == 0 && !anytrue([for group in values(var.node_groups) : group.enabled && group.subnet_type == "private"]))
    error_message = "Private nodes without a way out do not join: set vpc_enable_nat_gateway, or add ec2, ecr.api, ecr.dkr, eks, eks-auth and sts to vpc_interface_endpoints."
  }
}

check "addons_have_nodes" {
  assert {
    condition     = length(var.fargate_profiles) > 0 || anytrue([for group in values(var.node_groups) : group.enabled])
    error_message = "The cluster has nowhere to run a pod: enable one of node_groups, or add a Fargate profile."
  }
}
