variable "administrator" {
  description = "ARN of the IAM role or user that may do everything in the cluster; it must exist."
  type        = string
}

variable "bastion_public_key" {
  description = "SSH public key of the key pair eks-terraform-key; null: none."
  type        = string
  default     = null
}

variable "bastion_allowed_cidrs" {
  description = "Blocks that may open SSH."
  type        = set(string)
  default     = []
}
