variable "cluster_name" {
  description = "Cluster that the nodes join; prefix of their launch templates' names."
  type        = string
}

variable "role_arn" {
  description = "Role of the nodes."
  type        = string
}

variable "subnets" {
  description = "Subnets of the nodes."
  type        = list(string)
}

variable "groups" {
  description = "Key → node group. A group gets a successor when name changes: it must when anything does that EKS cannot change in place (image, price, instance types, subnets)."
  type = map(object({
    name                       = string
    kubernetes_version         = string
    ami_type                   = string
    capacity_type              = string
    disk_size                  = number
    instance_types             = list(string)
    desired_size               = number
    min_size                   = number
    max_size                   = number
    max_unavailable            = optional(number)
    max_unavailable_percentage = optional(number)
    labels                     = map(string)
    taints                     = list(object({ key = string, value = optional(string), effect = string }))
  }))
}

variable "tags" {
  description = "Tags for instances and volumes, which the provider's default tags do not reach."
  type        = map(string)
}
