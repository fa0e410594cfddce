variable "name" {
  description = "Name of the VPC, and prefix of what is in it."
  type        = string
}

variable "cluster_name" {
  description = "Cluster whose load balancers may use the subnets."
  type        = string
}

variable "cidr_block" {
  description = "IPv4 block of the VPC."
  type        = string
}

variable "availability_zones" {
  description = "Zones to use, in order; null: the region's first ones, as many as the longest list of subnets needs."
  type        = list(string)
  default     = null
}

variable "public_subnets" {
  description = "Blocks of the public subnets, spread over the zones in order."
  type        = list(string)
}

variable "private_subnets" {
  description = "Blocks of the private subnets, spread over the zones in order."
  type        = list(string)
}

variable "database_subnets" {
  description = "Blocks of the database subnets; empty: none."
  type        = list(string)
}

variable "create_database_subnet_group" {
  description = "Make an RDS subnet group of the database subnets."
  type        = bool
}

variable "create_database_subnet_route_table" {
  description = "Give the database subnets a route table of their own, without a way out; false: they share the private one."
  type        = bool
}

variable "enable_nat_gateway" {
  description = "Give private subnets a way out."
  type        = bool
}

variable "single_nat_gateway" {
  description = "One NAT gateway for all zones; false: one in each zone that has private subnets."
  type        = bool
}

variable "flow_logs_enabled" {
  description = "Log the VPC's traffic."
  type        = bool
}

variable "flow_logs_retention_in_days" {
  description = "How long flow logs are kept."
  type        = number
}

variable "interface_endpoints" {
  description = "AWS services that private subnets reach without NAT, by short name (ecr.api, sts, …)."
  type        = set(string)
}

variable "kms_key_arn" {
  description = "Key that encrypts the flow logs."
  type        = string
}
