locals {
  name         = "${var.business_division}-${var.environment}"
  cluster_name = "${local.name}-${var.cluster_name}"
  common_tags  = merge({ owners = var.business_division, environment = var.environment }, var.tags)
}

module "vpc" {
  source = "./modules/vpc"
  count  = var.existing_vpc == null ? 1 : 0

  name                               = "${local.name}-${var.vpc_name}"
  cluster_name                       = local.cluster_name
  cidr_block                         = var.vpc_cidr_block
  availability_zones                 = var.vpc_availability_zones
  public_subnets                     = var.vpc_public_subnets
  private_subnets                    = var.vpc_private_subnets
  database_subnets                   = var.vpc_database_subnets
  create_database_subnet_group       = var.vpc_create_database_subnet_group
  create_database_subnet_route_table = var.vpc_create_database_subnet_route_table
  enable_nat_gateway                 = var.vpc_enable_nat_gateway
  single_nat_gateway                 = var.vpc_single_nat_gateway
  flow_logs_enabled                  = var.vpc_flow_logs_enabled
  flow_logs_retention_in_days        = var.vpc_flow_logs_retention_in_days
  interface_endpoints                = var.vpc_interface_endpoints
  kms_key_arn                        = aws_kms_key.this.arn
}

locals {
  vpc_id          = var.existing_vpc == null ? module.vpc[0].vpc_id : var.existing_vpc.vpc_id
  public_subnets  = var.existing_vpc == null ? module.vpc[0].public_subnets : var.existing_vpc.public_subnets
  private_subnets = var.existing_vpc == null ? module.vpc[0].private_subnets : var.existing_vpc.private_subnets
}

module "bastion" {
  source = "./modules/bastion"
  count  = var.bastion_enabled ? 1 : 0

  name               = "${local.name}-BastionHost"
  vpc_id             = local.vpc_id
  subnet_id          = local.public_subnets[0]
  cluster_name       = local.cluster_name
  kubernetes_version = var.cluster_version
  instance_type      = var.instance_type
  ami_os             = var.bastion_ami_os
  key_name           = var.instance_keypair
  public_key         = var.bastion_public_key
  allowed_cidrs      = var.bastion_allowed_cidrs
  monitoring         = var.bastion_monitoring
}

locals {
  # The first two, in two zones: EKS takes no later subnet in a third zone.
  control_plane_subnets = slice(var.cluster_subnet_type == "public" ? local.public_subnets : local.private_subnets, 0, 2)

  bastion_access = var.bastion_enabled && var.bastion_cluster_policy != null ? {
    bastion = { principal_arn = module.bastion[0].role_arn, policy = var.bastion_cluster_policy }
  } : {}
}

module "eks" {
  source = "./modules/eks"

  name                    = local.cluster_name
  kubernetes_version      = var.cluster_version
  support_type            = var.cluster_support_type
  vpc_id                  = local.vpc_id
  control_plane_subnets   = local.control_plane_subnets
  subnets                 = { public = local.public_subnets, private = local.private_subnets }
  service_ipv4_cidr       = var.cluster_service_ipv4_cidr
  endpoint_private_access = var.cluster_endpoint_private_access
  endpoint_public_access  = var.cluster_endpoint_public_access
  public_access_cidrs     = var.cluster_endpoint_public_access_cidrs
  api_clients             = { for bastion in module.bastion : "bastion" => bastion.security_group_id }
  enabled_log_types       = var.cluster_enabled_log_types
  log_retention_in_days   = var.cluster_log_retention_in_days
  kms_key_arn             = aws_kms_key.this.arn
  access_entries          = merge(var.access_entries, local.bastion_access)
  addons                  = var.cluster_addons
  node_groups             = { for name, group in var.node_groups : name => group if group.enabled }
  fargate_profiles        = var.fargate_profiles
  oidc_provider_enabled   = var.cluster_oidc_provider_enabled
  pod_roles               = { for name, role in var.pod_roles : name => role if role.enabled }
  tags                    = local.common_tags
}

module "ecr" {
  source = "./modules/ecr"

  repositories = var.ecr_repositories
  kms_key_arn  = aws_kms_key.this.arn
  force_delete = var.ecr_force_delete
}
