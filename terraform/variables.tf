# -- who it belongs to --

variable "aws_region" {
  description = "AWS region."
  type        = string
  default     = "eu-west-2"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "Write a region's code in aws_region, such as eu-west-2."
  }
}

variable "aws_account_id" {
  description = "The account that this is for: with credentials of another one Terraform stops; null: whichever they are of."
  type        = string
  default     = null

  validation {
    condition     = var.aws_account_id == null ? true : can(regex("^[0-9]{12}$", var.aws_account_id))
    error_message = "Write an account's twelve digits in aws_account_id, such as \"123456789012\"."
  }
}

variable "environment" {
  description = "Environment; second part of every name."
  type        = string
  default     = "dev"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", var.environment))
    error_message = "Write environment as up to 16 small letters, digits and hyphens, such as dev."
  }
}

variable "business_division" {
  description = "Owner; first part of every name."
  type        = string
  default     = "weather"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,15}$", var.business_division))
    error_message = "Write business_division as up to 16 letters, digits and hyphens, such as weather."
  }
}

variable "tags" {
  description = "Tags for everything, beside owners and environment."
  type        = map(string)
  default     = {}

  validation {
    condition     = !anytrue([for key in keys(var.tags) : startswith(lower(key), "aws:")])
    error_message = "Write keys in tags that do not begin with aws:, which AWS keeps for itself."
  }
}

variable "kms_key_deletion_window_in_days" {
  description = "Days between the end of the key and its deletion."
  type        = number
  default     = 7

  validation {
    condition     = var.kms_key_deletion_window_in_days >= 7 && var.kms_key_deletion_window_in_days <= 30
    error_message = "Write 7 to 30 days in kms_key_deletion_window_in_days."
  }
}

# -- network --

variable "existing_vpc" {
  description = "A VPC of yours to stand in, and its subnets; null: one is made, as vpc_… say. See the README for what it needs."
  type        = object({ vpc_id = string, public_subnets = list(string), private_subnets = list(string) })
  default     = null

  validation {
    condition     = var.existing_vpc == null ? true : can(regex("^vpc-[0-9a-f]+$", var.existing_vpc.vpc_id)) && alltrue([for subnet in concat(var.existing_vpc.public_subnets, var.existing_vpc.private_subnets) : can(regex("^subnet-[0-9a-f]+$", subnet))])
    error_message = "Write the ids of a VPC and of its subnets in existing_vpc, such as vpc-0123456789abcdef0 and subnet-0123456789abcdef0."
  }
  validation {
    condition     = var.existing_vpc == null ? true : length(distinct(var.existing_vpc.public_subnets)) >= 2 && length(distinct(var.existing_vpc.private_subnets)) >= 2
    error_message = "Write two public_subnets and two private_subnets at least in existing_vpc, the first two of each in different zones: the control plane and load balancers need them."
  }
}

variable "vpc_name" {
  description = "Name of the VPC, after owner and environment."
  type        = string
  default     = "myvpc"

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]{0,19}$", var.vpc_name))
    error_message = "Write vpc_name as up to 20 letters, digits and hyphens, such as myvpc."
  }
}

variable "vpc_cidr_block" {
  description = "IPv4 block of the VPC."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr_block)) ? cidrsubnet(var.vpc_cidr_block, 0, 0) == var.vpc_cidr_block && tonumber(split("/", var.vpc_cidr_block)[1]) >= 16 && tonumber(split("/", var.vpc_cidr_block)[1]) <= 28 : false
    error_message = "Write vpc_cidr_block as an IPv4 block from /16 to /28 without bits beyond its mask, such as 10.0.0.0/16."
  }
}

variable "vpc_availability_zones" {
  description = "Zones to use, in order; null: the region's first ones. Pin them in production."
  type        = list(string)
  default     = null

  validation {
    condition     = var.vpc_availability_zones == null ? true : length(distinct(var.vpc_availability_zones)) >= 2 && length(distinct(var.vpc_availability_zones)) == length(var.vpc_availability_zones)
    error_message = "Write at least two different zones in vpc_availability_zones, such as [\"eu-west-2a\", \"eu-west-2b\"], or null."
  }
}

variable "vpc_public_subnets" {
  description = "Public subnets: load balancers, NAT, bastion, public nodes."
  type        = list(string)
  default     = ["10.0.101.0/24", "10.0.102.0/24"]

  validation {
    condition     = length(var.vpc_public_subnets) >= 2
    error_message = "Write at least two blocks in vpc_public_subnets: a load balancer needs two zones."
  }
  validation {
    condition     = alltrue([for block in var.vpc_public_subnets : can(cidrnetmask(block)) ? cidrsubnet(block, 0, 0) == block && tonumber(split("/", block)[1]) >= 16 && tonumber(split("/", block)[1]) <= 28 : false])
    error_message = "Write each of vpc_public_subnets as an IPv4 block from /16 to /28 without bits beyond its mask, such as 10.0.101.0/24."
  }
}

variable "vpc_private_subnets" {
  description = "Private subnets: control plane, private nodes, Fargate."
  type        = list(string)
  default     = ["10.0.1.0/24", "10.0.2.0/24"]

  validation {
    condition     = length(var.vpc_private_subnets) >= 2
    error_message = "Write at least two blocks in vpc_private_subnets: the control plane needs two zones."
  }
  validation {
    condition     = alltrue([for block in var.vpc_private_subnets : can(cidrnetmask(block)) ? cidrsubnet(block, 0, 0) == block && tonumber(split("/", block)[1]) >= 16 && tonumber(split("/", block)[1]) <= 28 : false])
    error_message = "Write each of vpc_private_subnets as an IPv4 block from /16 to /28 without bits beyond its mask, such as 10.0.1.0/24."
  }
}

variable "vpc_database_subnets" {
  description = "Database subnets; empty: none."
  type        = list(string)
  default     = ["10.0.151.0/24", "10.0.152.0/24"]

  validation {
    condition     = length(var.vpc_database_subnets) != 1
    error_message = "Write no block or at least two in vpc_database_subnets: a subnet group needs two zones."
  }
  validation {
    condition     = alltrue([for block in var.vpc_database_subnets : can(cidrnetmask(block)) ? cidrsubnet(block, 0, 0) == block && tonumber(split("/", block)[1]) >= 16 && tonumber(split("/", block)[1]) <= 28 : false])
    error_message = "Write each of vpc_database_subnets as an IPv4 block from /16 to /28 without bits beyond its mask, such as 10.0.151.0/24."
  }
}

variable "vpc_create_database_subnet_group" {
  description = "Make an RDS subnet group of the database subnets."
  type        = bool
  default     = true
}

variable "vpc_create_database_subnet_route_table" {
  description = "Give the database subnets a route table without a way out; false: they share the private one."
  type        = bool
  default     = true
}

variable "vpc_enable_nat_gateway" {
  description = "Give private subnets a way out."
  type        = bool
  default     = true
}

variable "vpc_single_nat_gateway" {
  description = "One NAT gateway; false: one in each zone."
  type        = bool
  default     = true

  validation {
    condition     = var.vpc_single_nat_gateway || !var.vpc_enable_nat_gateway || length(var.vpc_public_subnets) >= length(var.vpc_private_subnets)
    error_message = "Write as many vpc_public_subnets as vpc_private_subnets, for each zone's NAT gateway stands in one, or set vpc_single_nat_gateway to true."
  }
}

variable "vpc_flow_logs_enabled" {
  description = "Log the VPC's traffic to CloudWatch."
  type        = bool
  default     = true
}

variable "vpc_flow_logs_retention_in_days" {
  description = "Days that flow logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains(local.retentions, var.vpc_flow_logs_retention_in_days)
    error_message = "Write a number of days that CloudWatch knows in vpc_flow_logs_retention_in_days, such as 30, 90 or 365."
  }
}

variable "vpc_interface_endpoints" {
  description = "AWS services that private subnets reach without NAT, such as ecr.api."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for service in var.vpc_interface_endpoints : can(regex("^[a-z][a-z0-9.-]*$", service)) && service != "s3" && !startswith(service, "com.")])
    error_message = "Write short service names in vpc_interface_endpoints, such as ecr.api or sts; s3 has its gateway endpoint already."
  }
}

# -- bastion --

variable "bastion_enabled" {
  description = "Make the bastion host."
  type        = bool
  default     = true
}

variable "instance_type" {
  description = "The bastion's instance type."
  type        = string
  default     = "t3.micro"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", var.instance_type)) && !can(regex("^[a-z]+[0-9]+g[a-z]*\\.", var.instance_type))
    error_message = "Write an x86_64 type in instance_type, such as t3.micro: the image is looked up for x86_64."
  }
}

variable "instance_keypair" {
  description = "Name of the key pair that bastion_public_key becomes."
  type        = string
  default     = "eks-terraform-key"

  validation {
    condition     = length(var.instance_keypair) > 0 && length(var.instance_keypair) <= 255
    error_message = "Write a name of up to 255 characters in instance_keypair, such as eks-terraform-key."
  }
}

variable "bastion_public_key" {
  description = "SSH public key; null: Session Manager alone, no key pair."
  type        = string
  default     = null

  validation {
    condition     = var.bastion_public_key == null ? true : can(regex("^(ssh-ed25519|ssh-rsa) [A-Za-z0-9+/]+=*( .*)?$", trimspace(var.bastion_public_key)))
    error_message = "Write the public half of a key in bastion_public_key, the one line of a .pub file that begins with ssh-ed25519 or ssh-rsa."
  }
}

variable "bastion_allowed_cidrs" {
  description = "Blocks that may open SSH to the bastion; empty: port 22 stays shut."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for block in var.bastion_allowed_cidrs : can(cidrnetmask(block)) ? tonumber(split("/", block)[1]) >= 8 : false])
    error_message = "Write your own addresses in bastion_allowed_cidrs, IPv4 blocks such as 203.0.113.7/32: SSH is never open to the internet (0.0.0.0/0), nor to more than a /8."
  }
  validation {
    condition     = length(var.bastion_allowed_cidrs) == 0 || var.bastion_public_key != null
    error_message = "Write a bastion_public_key beside bastion_allowed_cidrs: without a key nobody can log in by SSH."
  }
}

variable "bastion_ami_os" {
  description = "The bastion's system: al2023, or amzlinux2 as in the original (out of support since June 2026)."
  type        = string
  default     = "al2023"

  validation {
    condition     = contains(["al2023", "amzlinux2"], var.bastion_ami_os)
    error_message = "Write al2023 or amzlinux2 in bastion_ami_os."
  }
}

variable "bastion_monitoring" {
  description = "Metrics of the bastion every minute, for a fee."
  type        = bool
  default     = false
}

variable "bastion_cluster_policy" {
  description = "EKS access policy of whoever logs in to the bastion; null: none."
  type        = string
  default     = "AmazonEKSViewPolicy"

  validation {
    condition     = var.bastion_cluster_policy == null ? true : contains(local.access_policies, var.bastion_cluster_policy)
    error_message = "Write one of ${join(", ", local.access_policies)} in bastion_cluster_policy, or null."
  }
}

# -- cluster --

variable "cluster_name" {
  description = "Name of the cluster, after owner and environment."
  type        = string
  default     = "eksdemo"

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]{0,11}$", var.cluster_name))
    error_message = "Write cluster_name as up to 12 letters, digits and hyphens, such as eksdemo: the names of IAM roles grow from it."
  }
  # The longest is the role <business_division>-<environment>-<cluster_name>-load-balancer-controller: IAM takes 64.
  validation {
    condition     = length("${var.business_division}-${var.environment}-${var.cluster_name}") <= 39
    error_message = "Write business_division, environment and cluster_name so that they have 37 characters together at most: IAM refuses the longer names of roles."
  }
}

variable "cluster_version" {
  description = "Kubernetes version; goes up one minor at a time."
  type        = string
  default     = "1.36"

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.cluster_version)) ? tonumber(split(".", var.cluster_version)[1]) >= 32 : false
    error_message = "Write a version that EKS offers in cluster_version, 1.32 or newer, such as 1.36."
  }
}

variable "cluster_support_type" {
  description = "STANDARD: AWS upgrades the cluster at the end of standard support; EXTENDED: it stays, for a fee."
  type        = string
  default     = "STANDARD"

  validation {
    condition     = contains(["STANDARD", "EXTENDED"], var.cluster_support_type)
    error_message = "Write STANDARD or EXTENDED in cluster_support_type."
  }
  validation {
    condition     = var.cluster_support_type == "EXTENDED" || !contains(local.extended_versions, var.cluster_version)
    error_message = "Write EXTENDED in cluster_support_type, or a newer cluster_version: standard support of ${join(" and ", local.extended_versions)} has ended."
  }
}

variable "cluster_service_ipv4_cidr" {
  description = "Block that Services get their addresses from. Fixed: another block needs another cluster, and cluster_name."
  type        = string
  default     = "172.20.0.0/16"

  validation {
    condition = can(cidrnetmask(var.cluster_service_ipv4_cidr)) ? cidrsubnet(var.cluster_service_ipv4_cidr, 0, 0) == var.cluster_service_ipv4_cidr && tonumber(split("/", var.cluster_service_ipv4_cidr)[1]) >= 12 && tonumber(split("/", var.cluster_service_ipv4_cidr)[1]) <= 24 && anytrue([
      for private in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"] :
      cidrhost("${split("/", var.cluster_service_ipv4_cidr)[0]}/${split("/", private)[1]}", 0) == split("/", private)[0]
    ]) : false
    error_message = "Write cluster_service_ipv4_cidr as a block from /12 to /24 in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16, such as 172.20.0.0/16."
  }
}

variable "cluster_subnet_type" {
  description = "Subnets of the control plane's network interfaces: private, or public as in the original."
  type        = string
  default     = "private"

  validation {
    condition     = contains(["public", "private"], var.cluster_subnet_type)
    error_message = "Write public or private in cluster_subnet_type."
  }
}

variable "cluster_endpoint_private_access" {
  description = "The API answers inside the VPC."
  type        = bool
  default     = true
}

variable "cluster_endpoint_public_access" {
  description = "The API answers on the internet."
  type        = bool
  default     = false

  validation {
    condition     = var.cluster_endpoint_public_access || var.cluster_endpoint_private_access
    error_message = "Set cluster_endpoint_private_access or cluster_endpoint_public_access to true: with neither nobody reaches the API."
  }
}

variable "cluster_endpoint_public_access_cidrs" {
  description = "Blocks that the public endpoint lets in."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for block in var.cluster_endpoint_public_access_cidrs : can(cidrnetmask(block)) ? cidrsubnet(block, 0, 0) == block : false])
    error_message = "Write IPv4 blocks without bits beyond their mask in cluster_endpoint_public_access_cidrs, such as 203.0.113.0/24."
  }
  validation {
    condition     = var.cluster_endpoint_public_access == (length(var.cluster_endpoint_public_access_cidrs) > 0)
    error_message = "Write your addresses in cluster_endpoint_public_access_cidrs exactly when cluster_endpoint_public_access is true."
  }
  validation {
    condition     = length(var.cluster_endpoint_public_access_cidrs) == 0 || contains(var.cluster_endpoint_public_access_cidrs, "0.0.0.0/0") || var.cluster_endpoint_private_access
    error_message = "Set cluster_endpoint_private_access to true beside limited cluster_endpoint_public_access_cidrs: without it the nodes cannot join."
  }
}

variable "cluster_enabled_log_types" {
  description = "Control-plane logs that are kept."
  type        = list(string)
  default     = ["api", "audit", "authenticator", "controllerManager", "scheduler"]

  validation {
    condition     = length(setsubtract(var.cluster_enabled_log_types, ["api", "audit", "authenticator", "controllerManager", "scheduler"])) == 0
    error_message = "Write some of api, audit, authenticator, controllerManager and scheduler in cluster_enabled_log_types."
  }
}

variable "cluster_log_retention_in_days" {
  description = "Days that control-plane logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains(local.retentions, var.cluster_log_retention_in_days)
    error_message = "Write a number of days that CloudWatch knows in cluster_log_retention_in_days, such as 30, 90 or 365."
  }
}

variable "access_entries" {
  description = "Who may use the cluster: IAM role or user, EKS access policy, namespaces (none: all)."
  type = map(object({
    principal_arn = string
    policy        = optional(string, "AmazonEKSViewPolicy")
    namespaces    = optional(list(string), [])
  }))
  default = {}

  validation {
    condition     = alltrue([for entry in values(var.access_entries) : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+$", entry.principal_arn))])
    error_message = "Write the ARN of an IAM role or user as principal_arn in access_entries, such as arn:aws:iam::123456789012:role/Admins."
  }
  validation {
    condition     = alltrue([for entry in values(var.access_entries) : contains(local.access_policies, entry.policy)])
    error_message = "Write one of ${join(", ", local.access_policies)} as policy in access_entries."
  }
  validation {
    condition     = length(distinct([for entry in values(var.access_entries) : entry.principal_arn])) == length(var.access_entries)
    error_message = "Write each principal_arn once in access_entries: EKS takes one entry of a principal."
  }
  validation {
    condition     = !contains(keys(var.access_entries), "bastion")
    error_message = "Write another key than bastion in access_entries: the bastion's entry has it, and follows bastion_cluster_policy."
  }
}

variable "cluster_addons" {
  description = "EKS add-ons; version null: the default of the cluster's version; configuration: JSON."
  type = map(object({
    version       = optional(string)
    configuration = optional(string)
  }))
  default = {
    vpc-cni                = { configuration = "{\"enableNetworkPolicy\":\"true\"}" }
    kube-proxy             = {}
    eks-pod-identity-agent = {}
    coredns                = {}
    metrics-server         = {}
  }

  validation {
    condition     = alltrue([for addon in values(var.cluster_addons) : addon.configuration == null ? true : can(jsondecode(addon.configuration))])
    error_message = "Write configuration in cluster_addons as JSON, such as jsonencode({ enableNetworkPolicy = \"true\" })."
  }
  validation {
    condition     = length(setsubtract(["vpc-cni", "kube-proxy", "coredns"], keys(var.cluster_addons))) == 0
    error_message = "Write at least vpc-cni, kube-proxy and coredns in cluster_addons: the cluster is made without them."
  }
}

variable "node_groups" {
  description = "Managed node groups."
  type = map(object({
    enabled            = optional(bool, true)
    subnet_type        = string
    kubernetes_version = optional(string)
    ami_type           = optional(string, "AL2023_x86_64_STANDARD")
    capacity_type      = optional(string, "ON_DEMAND")
    disk_size          = optional(number, 20)
    instance_types     = optional(list(string), ["t3.medium"])
    scaling_config = optional(object({
      desired_size = optional(number, 1)
      min_size     = optional(number, 1)
      max_size     = optional(number, 2)
    }), {})
    update_config = optional(object({
      max_unavailable            = optional(number)
      max_unavailable_percentage = optional(number)
    }), { max_unavailable = 1 })
    labels = optional(map(string), {})
    taints = optional(list(object({ key = string, value = optional(string), effect = string })), [])
  }))
  default = {
    public  = { subnet_type = "public" }
    private = { subnet_type = "private" }
  }

  validation {
    condition     = alltrue([for name in keys(var.node_groups) : can(regex("^[a-z][a-z0-9-]{0,10}$", name))])
    error_message = "Write the names of node_groups as up to 11 small letters, digits and hyphens, such as private: EKS refuses the longer names of groups."
  }
  validation {
    condition     = alltrue([for group in values(var.node_groups) : contains(["public", "private"], group.subnet_type)])
    error_message = "Write public or private as subnet_type in node_groups."
  }
  validation {
    condition = alltrue([for group in values(var.node_groups) : (group.update_config.max_unavailable == null) != (group.update_config.max_unavailable_percentage == null)
    && try(group.update_config.max_unavailable >= 1, true) && try(group.update_config.max_unavailable_percentage >= 1 && group.update_config.max_unavailable_percentage <= 100, true)])
    error_message = "Write exactly one of max_unavailable (from 1) and max_unavailable_percentage (1 to 100) as update_config in node_groups."
  }
  validation {
    condition = alltrue([for group in values(var.node_groups) : group.scaling_config.min_size >= 0 && group.scaling_config.max_size >= 1
    && group.scaling_config.min_size <= group.scaling_config.desired_size && group.scaling_config.desired_size <= group.scaling_config.max_size])
    error_message = "Write min_size <= desired_size <= max_size, and a max_size of at least 1, as scaling_config in node_groups."
  }
  validation {
    condition = alltrue([for group in values(var.node_groups) :
    contains(concat(local.ami_types, local.al2_ami_types), group.ami_type)])
    error_message = "Write one of ${join(", ", local.ami_types)} as ami_type in node_groups."
  }
  validation {
    condition = alltrue([for group in values(var.node_groups) : contains(local.al2_ami_types, group.ami_type) ?
    try(tonumber(split(".", coalesce(group.kubernetes_version, var.cluster_version))[1]) <= 32, false) : true])
    error_message = "Write AL2023_x86_64_STANDARD as ami_type in node_groups: Amazon Linux 2 has no image for a Kubernetes newer than 1.32."
  }
  validation {
    condition     = alltrue([for group in values(var.node_groups) : contains(["ON_DEMAND", "SPOT"], group.capacity_type)])
    error_message = "Write ON_DEMAND or SPOT as capacity_type in node_groups."
  }
  validation {
    condition     = alltrue([for group in values(var.node_groups) : group.disk_size >= 20 && group.disk_size <= 16384 && floor(group.disk_size) == group.disk_size])
    error_message = "Write 20 to 16384 whole GiB as disk_size in node_groups: the node's image needs 20."
  }
  validation {
    condition     = alltrue([for group in values(var.node_groups) : length(group.instance_types) > 0])
    error_message = "Write at least one type as instance_types in node_groups, such as [\"t3.medium\"]."
  }
  validation {
    condition = alltrue([for group in values(var.node_groups) : alltrue([for type in group.instance_types :
    can(regex("_ARM_|_arm64", group.ami_type)) == can(regex("^[a-z]+[0-9]+g[a-z]*\\.", type))])])
    error_message = "Write instance_types of ami_type's processor in node_groups: x86_64 with t3.medium, ARM_64 with t4g.medium."
  }
  validation {
    condition = alltrue([for group in values(var.node_groups) : group.kubernetes_version == null ? true :
    try(tonumber(split(".", var.cluster_version)[1]) - tonumber(split(".", group.kubernetes_version)[1]) >= 0 && tonumber(split(".", var.cluster_version)[1]) - tonumber(split(".", group.kubernetes_version)[1]) <= 3, false)])
    error_message = "Write a kubernetes_version in node_groups that is at most three minors older than cluster_version, and not newer."
  }
  validation {
    condition = alltrue([for group in values(var.node_groups) : alltrue([for taint in group.taints :
    contains(["NO_SCHEDULE", "NO_EXECUTE", "PREFER_NO_SCHEDULE"], taint.effect)])])
    error_message = "Write NO_SCHEDULE, NO_EXECUTE or PREFER_NO_SCHEDULE as effect of a taint in node_groups."
  }
}

variable "fargate_profiles" {
  description = "Fargate profiles: whose pods run without a node."
  type = map(object({
    selectors = list(object({ namespace = string, labels = optional(map(string), {}) }))
  }))
  default = {}

  validation {
    condition     = alltrue([for profile in values(var.fargate_profiles) : length(profile.selectors) >= 1 && length(profile.selectors) <= 5])
    error_message = "Write one to five selectors in each of fargate_profiles."
  }
  validation {
    condition     = alltrue([for profile in values(var.fargate_profiles) : alltrue([for selector in profile.selectors : length(selector.labels) <= 5])])
    error_message = "Write at most five labels in a selector of fargate_profiles."
  }
  validation {
    condition     = !anytrue([for name in keys(var.fargate_profiles) : startswith(name, "eks-")])
    error_message = "Write names in fargate_profiles that do not begin with eks-, which EKS keeps for itself."
  }
}

variable "cluster_oidc_provider_enabled" {
  description = "Register the cluster's OIDC issuer with IAM, which roles with irsa need."
  type        = bool
  default     = false
}

variable "pod_roles" {
  description = "IAM for pods: ServiceAccount of each role; irsa where its pods run on Fargate."
  type = map(object({
    enabled         = optional(bool, true)
    namespace       = string
    service_account = string
    irsa            = optional(bool, false)
  }))
  default = {
    load-balancer-controller = { namespace = "kube-system", service_account = "aws-load-balancer-controller" }
    cluster-autoscaler       = { namespace = "kube-system", service_account = "cluster-autoscaler" }
    ecr-reader               = { namespace = "weather-system", service_account = "weather-operator" }
  }

  validation {
    condition     = length(setsubtract(keys(var.pod_roles), ["load-balancer-controller", "cluster-autoscaler", "ecr-reader"])) == 0
    error_message = "Write only load-balancer-controller, cluster-autoscaler and ecr-reader in pod_roles: their policies are known here."
  }
  validation {
    condition     = var.cluster_oidc_provider_enabled || !anytrue([for role in values(var.pod_roles) : role.enabled && role.irsa])
    error_message = "Set cluster_oidc_provider_enabled to true where a role of pod_roles has irsa."
  }
  validation {
    condition     = contains(keys(var.cluster_addons), "eks-pod-identity-agent") || alltrue([for role in values(var.pod_roles) : role.irsa || !role.enabled])
    error_message = "Write eks-pod-identity-agent in cluster_addons, or set irsa in pod_roles: without the agent pods get no credentials."
  }
}

# -- images --

variable "ecr_repositories" {
  description = "ECR repositories; the operator's images go to weather and weather-operator."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.ecr_repositories : can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", name)) && length(name) >= 2 && length(name) <= 256])
    error_message = "Write 2 to 256 small letters, digits and single . _ / - between them in ecr_repositories, such as weather-operator."
  }
}

variable "ecr_force_delete" {
  description = "Let destroy take the images with the repositories; apply it before."
  type        = bool
  default     = false
}
