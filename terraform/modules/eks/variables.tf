variable "name" {
  description = "Name of the cluster, and prefix of what belongs to it."
  type        = string
}

variable "kubernetes_version" {
  description = "Minor version of the control plane."
  type        = string
}

variable "support_type" {
  description = "STANDARD: AWS upgrades the cluster when standard support ends; EXTENDED: it stays, for a fee."
  type        = string
}

variable "vpc_id" {
  description = "VPC of the subnets."
  type        = string
}

variable "control_plane_subnets" {
  description = "Subnets that hold the control plane's network interfaces."
  type        = list(string)
}

variable "subnets" {
  description = "Tier (public, private) → subnets that its nodes run in; Fargate uses the private ones."
  type        = map(list(string))
}

variable "service_ipv4_cidr" {
  description = "Block that Services get their addresses from."
  type        = string
}

variable "endpoint_private_access" {
  description = "The API answers inside the VPC."
  type        = bool
}

variable "endpoint_public_access" {
  description = "The API answers on the internet."
  type        = bool
}

variable "public_access_cidrs" {
  description = "Blocks that the public endpoint lets in."
  type        = list(string)
}

variable "api_clients" {
  description = "Name → security group that may reach the private endpoint."
  type        = map(string)
}

variable "enabled_log_types" {
  description = "Control-plane logs that are kept."
  type        = list(string)
}

variable "log_retention_in_days" {
  description = "How long they are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Key that encrypts Secrets and logs."
  type        = string
}

variable "access_entries" {
  description = "Name → IAM principal, its EKS access policy, and the namespaces it is limited to (none: the cluster)."
  type = map(object({
    principal_arn = string
    policy        = string
    namespaces    = optional(list(string), [])
  }))
}

variable "addons" {
  description = "EKS add-on → version (null: the default of the cluster's version) and configuration."
  type = map(object({
    version       = optional(string)
    configuration = optional(string)
  }))
}

variable "node_groups" {
  description = "Managed node groups by name."
  type = map(object({
    subnet_type        = string
    kubernetes_version = optional(string)
    ami_type           = string
    capacity_type      = string
    disk_size          = number
    instance_types     = list(string)
    scaling_config     = object({ desired_size = number, min_size = number, max_size = number })
    update_config      = object({ max_unavailable = optional(number), max_unavailable_percentage = optional(number) })
    labels             = map(string)
    taints             = list(object({ key = string, value = optional(string), effect = string }))
  }))
}

variable "fargate_profiles" {
  description = "Fargate profiles by name."
  type = map(object({
    selectors = list(object({ namespace = string, labels = optional(map(string), {}) }))
  }))
}

variable "oidc_provider_enabled" {
  description = "Register the cluster's OIDC issuer with IAM, for roles with irsa."
  type        = bool
}

variable "pod_roles" {
  description = "Role (load-balancer-controller, cluster-autoscaler, ecr-reader) → the ServiceAccount that gets it, and whether by IRSA instead of Pod Identity."
  type = map(object({
    namespace       = string
    service_account = string
    irsa            = bool
  }))
}

variable "tags" {
  description = "Tags for instances and volumes, which the provider's default tags do not reach."
  type        = map(string)
}
